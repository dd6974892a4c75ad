#!/usr/bin/env python3
"""What the way through snug-server costs on a model that costs next to nothing, beside the least that gRPC costs.

    bench/server/path_cost.py [--rounds 3] [--seconds 2] [--json FILE]

The floor is grpc_echo: gRPC C++ that answers each call with its own bytes. Server and floor take turns, since machines
differ and so do their minutes: the ratio is what to compare. CPU is that of the server's process per good answer.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

from model_server import BUILD, ROOT, ModelServer

sys.path.insert(0, str(ROOT / "tools"))
import measure  # noqa: E402

TINY = ROOT / "build/models-src/tiny/onnx"
REQUEST = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [i / 16 for i in range(16)]}]}
CLIENTS = (1, 32)
CONNECTIONS = 4


class Echo:
    """The floor, on a port of the system's choice."""

    def __init__(self):
        self.process = subprocess.Popen([str(BUILD / "bench/grpc_echo"), "--no-deadlock-check"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.target, self.pid = f"127.0.0.1:{self.process.stdout.readline().strip()}", self.process.pid

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def load(pid, target, clients, seconds, *call):
    """CPU-us a request, p50 in us, requests a second."""
    done = subprocess.run(
        [str(BUILD / "bench/snug-load"), *call, "--target", target, "-c", str(clients), "--connections",
         str(min(clients, CONNECTIONS)), "--seconds", str(seconds), "--pid", str(pid), "--json"],
        stdout=subprocess.PIPE, text=True, check=True)
    report = json.loads(done.stdout)
    return report["processes"][str(pid)]["cpu_us_per_request"], report["p50_us"], report["requests_per_s"]


def measure_all(rounds, seconds):
    server, echo = ModelServer({"tiny": (sorted(TINY.iterdir()), "engine: openvino\nthreads: 1\n")}), Echo()
    try:
        body = server.directory / "request.json"
        body.write_text(json.dumps(REQUEST))
        infer = ("infer", "--model", "tiny", "--input", "x:FP32:1,16")
        rest = ("rest", "--path", "/v2/models/tiny/infer", "--payload", str(body), "--content-type",
                "application/json")
        cells = {(name, clients): [] for clients in CLIENTS for name in ("gRPC echo", "gRPC", "REST JSON")}
        for _ in range(rounds):
            for clients in CLIENTS:
                cells["gRPC echo", clients].append(load(echo.pid, echo.target, clients, seconds, *infer))
                cells["gRPC", clients].append(load(server.pid, server.grpc, clients, seconds, *infer))
                rest_target = f"127.0.0.1:{server.rest_port}"
                cells["REST JSON", clients].append(load(server.pid, rest_target, clients, seconds, *rest))
        return cells
    finally:
        echo.close()
        server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    cells = measure_all(arguments.rounds, arguments.seconds)
    rows = []
    print(f"{'tiny model':<14}{'clients':>8}{'CPU us':>9}{'/ echo':>8}{'p50 us':>9}{'/ echo':>8}{'per s':>9}")
    for (name, clients), runs in cells.items():
        cpu, p50, rate = (statistics.median(column) for column in zip(*runs))
        floor_cpu, floor_p50 = (statistics.median(run[i] for run in cells["gRPC echo", clients]) for i in (0, 1))
        rows.append({"name": name, "clients": clients, "cpu_us": cpu, "cpu_ratio": cpu / floor_cpu, "p50_us": p50,
                     "p50_ratio": p50 / floor_p50, "per_s": rate, "runs": runs})
        print(f"{name:<14}{clients:>8}{cpu:>9.1f}{cpu / floor_cpu:>8.2f}{p50:>9.0f}{p50 / floor_p50:>8.2f}{rate:>9.0f}")
    name, flags, cpus = measure.cpu_name()
    print(f"machine: {name}, {cpus} CPUs, load {os.getloadavg()[0]:.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main()
