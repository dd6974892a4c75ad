#!/usr/bin/env python3
"""Runs perf_analyzer, the load generator of Triton's users, against snug-server: each protocol that it speaks and we do.

    tests/peers/perf_analyzer.py UNPACKED

UNPACKED holds the wheels of tools/setup/requirements/perf-analyzer.txt, unpacked (tests/peers/run.sh does it). It
needs Debian's libb64-0d. What is checked is that it runs to its end and counts answers; the rates that it prints are this
machine's at this moment. Exit code: 0 when all ran.
"""
import csv
import os
import pathlib
import subprocess
import sys
import tempfile

from simple_server import simple_server

SECONDS_MAX = 180
# Fixed windows of few requests, and no end for want of stable figures: this is no benchmark.
ALL = ["--measurement-mode", "count_windows", "--measurement-request-count", "100", "-s", "999", "--max-trials", "3"]
SHAPES = ["--shape", "INPUT0:1,16", "--shape", "INPUT1:1,16"]
KINDS = {
    "Triton, gRPC": ("grpc", ["-i", "grpc", "--concurrency-range", "1:2"]),
    "Triton, gRPC, batches of 8": ("grpc", ["-i", "grpc", "-b", "8"]),
    "Triton, gRPC, streams": ("grpc", ["-i", "grpc", "--streaming"]),
    "Triton, gRPC, shared memory": ("grpc", ["-i", "grpc", "--shared-memory", "system"]),
    "Triton, REST": ("rest", ["-i", "http", "--concurrency-range", "1:2"]),
    "Triton, REST, shared memory": ("rest", ["-i", "http", "--shared-memory", "system"]),
    "Triton, REST, rates": ("rest", ["-i", "http", "--request-rate-range", "50"]),
    "TensorFlow Serving, gRPC": ("grpc", ["-i", "grpc", "--service-kind", "tfserving", *SHAPES]),
}


def rows(path):
    """(concurrency or rate, requests a second, p50 in us) of each step."""
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            values = list(row.values())
            yield values[0], float(row["Inferences/Second"]), int(row["p50 latency"])


def run(unpacked, server, directory, port, arguments):
    """The rows, or a text."""
    result = directory / "out.csv"
    result.unlink(missing_ok=True)
    program = next(unpacked.glob("*.data/data/bin/perf_analyzer"))
    program.chmod(0o755)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(unpacked / "nvidia/cuda_runtime/lib")}
    command = [program, "-m", "simple", "-u", getattr(server, port), *ALL, *arguments, "-f", result]
    try:
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=SECONDS_MAX, env=environment)
    except subprocess.TimeoutExpired:
        return f"no end within {SECONDS_MAX} s"
    if done.returncode != 0 or not result.exists():
        return (done.stdout.strip().splitlines() or ["no output"])[-1]
    found = list(rows(result))
    return found if found and all(rate > 0 for _, rate, _ in found) else "it counted no answers"


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    failed = 0
    with simple_server("--client-shared-memory") as server, tempfile.TemporaryDirectory() as directory:
        for kind, (port, arguments) in KINDS.items():
            found = run(pathlib.Path(sys.argv[1]), server, pathlib.Path(directory), port, arguments)
            failed += isinstance(found, str)
            text = found if isinstance(found, str) else ", ".join(
                f"{step}: {rate:.0f}/s, p50 {p50} us" for step, rate, p50 in found)
            print(f"{'FAIL' if isinstance(found, str) else 'pass':5} perf_analyzer, {kind:28} {text[:150]}", flush=True)
    print(f"{len(KINDS) - failed} of {len(KINDS)} kinds of perf_analyzer run")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
