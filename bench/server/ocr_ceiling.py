#!/usr/bin/env python3
"""How much of the engine's own throughput snug-server delivers on the OCR model.

    bench/server/ocr_ceiling.py [--rounds 5] [--seconds 3] [--threads 1] [--json FILE]

Rounds alternate: OpenVINO called directly in C++ (raw_openvino), then the same model with as many threads behind
snug-server, asked over KServe v2 gRPC with the 184 KB tensor. Trust the ratio of one run, not its absolute times.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

from model_server import BUILD, ROOT, ModelServer

MODEL = ROOT / "build/models-src/ocr/ir/model.xml"


def run_json(*argv):
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def measure_raw(threads, seconds):
    r = run_json(BUILD / "bench/raw_openvino", MODEL, threads, seconds)
    return {"per_s": r["inferences"] / r["wall_s"], "cpu_ms": r["cpu_s"] / r["inferences"] * 1e3}


def measure_server(server, threads, seconds):
    # One request waits while each instance works, so that the engine never does.
    r = run_json(BUILD / "bench/snug-load", "infer", "--json", "--target", server.grpc, "--model", "ocr", "--input",
                 "x:FP32:1,3,48,320", "-c", threads + 1, "--seconds", seconds, "--warmup-seconds", 0.5, "--pid",
                 server.pid)
    if r["errors"]:
        sys.exit(f"{r['errors']} errors: {r.get('first_error')}")
    return {"per_s": r["requests_per_s"], "cpu_ms": r["processes"][str(server.pid)]["cpu_us_per_request"] / 1e3}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    # One thread an instance: independent instances give more requests a second than one wide one.
    config = f"engine: openvino\nthreads: 1\ninstances: {arguments.threads}\n"
    server = ModelServer({"ocr": ([MODEL, MODEL.with_suffix(".bin")], config)})
    rows = []
    try:
        for _ in range(arguments.rounds):
            raw = measure_raw(arguments.threads, arguments.seconds)
            served = measure_server(server, arguments.threads, arguments.seconds)
            rows.append({"raw": raw, "server": served, "ratio": served["per_s"] / raw["per_s"],
                         "cpu_ratio": served["cpu_ms"] / raw["cpu_ms"]})
    finally:
        server.close()
    print(f"{'round':<7}{'raw inf/s':>11}{'server req/s':>14}{'ratio':>8}{'raw CPU ms':>12}{'server CPU ms':>15}")
    for i, r in enumerate(rows):
        print(f"{i + 1:<7}{r['raw']['per_s']:>11.1f}{r['server']['per_s']:>14.1f}{r['ratio']:>8.3f}"
              f"{r['raw']['cpu_ms']:>12.2f}{r['server']['cpu_ms']:>15.2f}")
    result = {"threads": arguments.threads, "ratio_median": statistics.median(r["ratio"] for r in rows), "rounds": rows}
    print(f"median ratio {result['ratio_median']:.3f} (target: at least 0.98)")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
