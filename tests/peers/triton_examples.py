#!/usr/bin/env python3
"""Runs Triton's own client examples against snug-server and prints which of them pass.

    tests/peers/triton_examples.py CHECKOUT [NAME ...]

CHECKOUT (or $TRITON_CLIENT) is a checkout of github.com/triton-inference-server/client, of which nothing is copied or
changed. All 26 examples that need only the models simple* and no GPU; with NAMEs, only those. Run it with a Python
that has tritonclient[grpc,http] (build/venv/test/bin/python). Exit code: 0 when all passed.
"""
import contextlib
import os
import pathlib
import subprocess
import sys
import urllib.request

import models
from simple_server import simple_server

EXAMPLES = "src/python/examples"
SECONDS_MAX = 120
# Which models an example finds loaded (none: it loads them itself), and how many the repository has.
LOADED = {"simple_grpc_model_control.py": ([], 8), "simple_http_model_control.py": ([], 7)}
DEFAULT = (models.names(), len(models.names()))
# Not among the 26: what they need.
LEFT_OUT = {"image": "image models", "cudashm": "a GPU", "grpc_client.py": "densenet",
            "memory_growth_test": "custom_identity_int32", "custom_repeat": "a decoupled model"}
# Of the two protocols, the one that an example with its own default speaks.
BOTH_PROTOCOLS = {"reuse_infer_objects_client.py": [("http", "rest"), ("grpc", "grpc")]}


def examples(checkout):
    paths = sorted((checkout / EXAMPLES).glob("*.py"))
    return [path for path in paths if not any(part in path.name for part in LEFT_OUT)]


@contextlib.contextmanager
def triton(loaded, count):
    """A snug-server that calls itself triton, with as many models as wanted, some of them loaded."""
    options = ("--control", "explicit", "--server-name", "triton", "--client-shared-memory")
    with simple_server(*options, others=count - len(models.names())) as server:
        for name in loaded:
            url = f"http://{server.rest}/v2/repository/models/{name}/load"
            urllib.request.urlopen(urllib.request.Request(url, data=b"{}"), timeout=60).read()
        yield server


def calls(path, server):
    """The command lines that run an example."""
    if path.name in BOTH_PROTOCOLS:
        return [[path, "-i", protocol, "-u", getattr(server, port)] for protocol, port in BOTH_PROTOCOLS[path.name]]
    return [[path, "-u", server.rest if "http" in path.name else server.grpc]]


def run(path, server):
    """None, or what went wrong."""
    for call in calls(path, server):
        command = [sys.executable, *map(str, call)]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=SECONDS_MAX, cwd=path.parent, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        except subprocess.TimeoutExpired:
            return f"no end within {SECONDS_MAX} s"
        if done.returncode != 0:
            lines = [line for line in done.stdout.splitlines() if line.strip()]
            return lines[-1].strip() if lines else f"exit code {done.returncode}"
        if "FAIL" in done.stdout:
            return next(line for line in done.stdout.splitlines() if "FAIL" in line)
    return None


def main():
    arguments = sys.argv[1:] or ([os.environ["TRITON_CLIENT"]] if "TRITON_CLIENT" in os.environ else [])
    if not arguments or not (pathlib.Path(arguments[0]) / EXAMPLES).is_dir():
        print(__doc__, file=sys.stderr)
        return 2
    paths = examples(pathlib.Path(arguments[0]).resolve())
    if arguments[1:]:
        paths = [path for path in paths if path.name in arguments[1:]]
    failures = {}
    with contextlib.ExitStack() as stack:
        servers = {}
        for path in paths:
            loaded, count = LOADED.get(path.name, DEFAULT)
            key = (tuple(loaded), count)
            if key not in servers:
                servers[key] = stack.enter_context(triton(loaded, count))
            failure = failures[path] = run(path, servers[key])
            print(f"{'FAIL' if failure else 'pass':5} {path.name:52} {(failure or '')[:160]}", flush=True)
    passed = sum(failure is None for failure in failures.values())
    print(f"{passed} of {len(failures)} examples pass")
    return 0 if paths and passed == len(paths) else 1


if __name__ == "__main__":
    sys.exit(main())
