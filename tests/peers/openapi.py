#!/usr/bin/env python3
"""schemathesis against our programs and their descriptions: what api/*.yaml says must be what they do.

Run by tests/peers/run.sh with the Python of build/venv/peer-schemathesis.
"""
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile

from simple_server import BIN, ROOT, simple_server

SECONDS_MAX = 600
EXAMPLES_MAX = 25  # of each operation


@contextlib.contextmanager
def controller():
    """Its address."""
    with tempfile.TemporaryDirectory() as directory:
        snug = [str(BIN / "snug"), "--state", directory + "/state"]
        subprocess.run([*snug, "up", "--port", "0", "--front-door-port", "0"], check=True, stdout=subprocess.DEVNULL)
        try:
            yield json.loads((pathlib.Path(directory) / "state/controller.json").read_text())["api"]
        finally:
            subprocess.run([*snug, "down"], check=False, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def server():
    with simple_server("--control", "explicit") as running:
        yield f"http://{running.rest}"


def check(description, program, *options):
    """0 when what the program did was as described."""
    with program() as address, tempfile.TemporaryDirectory() as directory:  # for what schemathesis keeps
        schemathesis = pathlib.Path(sys.executable).parent / "schemathesis"
        done = subprocess.run([schemathesis, "run", ROOT / description, "--url", address, "--phases",
                               "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES_MAX), "--no-color", *options],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS_MAX, cwd=directory)
    if done.returncode != 0:
        print(done.stdout)
    print(f"{'FAIL' if done.returncode else 'pass':5} schemathesis on {description}", flush=True)
    return done.returncode


def main():
    # Left out: whether a request is right depends also on the model, and on what weights add up to, which no
    # description says; and an upload, as no tar is made up.
    any_data = ["--exclude-checks", "positive_data_acceptance"]
    failed = [check("api/server.yaml", server, *any_data),
              check("api/openapi.yaml", controller, *any_data, "--exclude-operation-id", "deploy")]
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
