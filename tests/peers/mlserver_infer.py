#!/usr/bin/env python3
"""Sends a file of requests with `mlserver infer`, another server's client of KServe v2, and looks at its answers.

Run by tests/peers/run.sh with the Python of build/venv/peer-mlserver.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

from simple_server import simple_server

REQUESTS = 50
SECONDS_MAX = 120


def request(i):
    return {"id": str(i), "inputs": [{"name": name, "datatype": "INT32", "shape": [1, 16], "data": [value] * 16}
                                     for name, value in (("INPUT0", i), ("INPUT1", 2 * i))]}


def check(line):
    """The id of a right answer."""
    answer = json.loads(line)
    i = int(answer["id"])
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    assert outputs == {"OUTPUT0": [3 * i] * 16, "OUTPUT1": [-i] * 16}, line
    return i


def main():
    with simple_server() as server, tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "in.jsonl").write_text("".join(json.dumps(request(i)) + "\n" for i in range(REQUESTS)))
        command = [pathlib.Path(sys.executable).parent / "mlserver", "infer", "-u", server.rest, "-m", "simple",
                   "-i", directory / "in.jsonl", "-o", directory / "out.jsonl", "-w", "2", "-s", "1"]
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=SECONDS_MAX)
        answers = (directory / "out.jsonl").read_text().splitlines() if done.returncode == 0 else []
        if len(answers) != REQUESTS:
            print(done.stdout[-2000:])
        right = {check(line) for line in answers}
    passed = right == set(range(REQUESTS))
    print(f"{'pass' if passed else 'FAIL':5} mlserver infer: {len(right)} of {REQUESTS} requests answered rightly")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
