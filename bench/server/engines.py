#!/usr/bin/env python3
"""CPU per OCR request of four engine set-ups, through the whole platform and of the bare engine, in the same run.

    bench/server/engines.py [--rounds 3] [--json FILE]

Reads build/demo/results.json, which `make demo` has just written (its requests go through the front door), and executes
the same models directly, alternating. The first row is plain TensorFlow on a fair graph (native depthwise convolutions).
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

from model_server import BUILD, ROOT

sys.path.insert(0, str(ROOT / "tools"))
import measure  # noqa: E402

OCR = ROOT / "build/models-src/ocr"
SETUPS = [
    ("ocr-tf", "TensorFlow, oneDNN off", "tensorflow", "saved_model", {"onednn": False}, None),
    ("ocr-tf-onednn", "TensorFlow, oneDNN on", "tensorflow", "saved_model", {"onednn": True}, 0.32),
    ("ocr-ov", "OpenVINO FP32", "openvino", "ir", {"precision": "f32"}, 0.21),
    ("ocr-ov-bf16", "OpenVINO BF16", "openvino", "ir", {"precision": "bf16"}, 0.13),
]


def direct_cpu_ms(engine, form, options, count=40):
    env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="2")
    done = subprocess.run([str(BUILD / "bench/engine_direct"), str(BUILD / "lib/snug"), engine, str(OCR / form),
                           json.dumps(options), str(count)], stdout=subprocess.PIPE, text=True, check=True, env=env)
    r = json.loads(done.stdout.strip().splitlines()[-1])
    return r["cpu_s"] / r["executions"] * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    served = {row["name"]: row for row in json.loads((ROOT / "build/demo/results.json").read_text())["rows"]}
    direct = {name: [] for name, *_ in SETUPS}
    for _ in range(arguments.rounds):
        for name, _, engine, form, options, _ in SETUPS:
            direct[name].append(direct_cpu_ms(engine, form, options))
    rows, base = [], None
    for name, title, _, _, _, target in SETUPS:
        row = {"name": name, "title": title, "engine_cpu_ms": statistics.median(direct[name]),
               "served_cpu_ms": served[name]["cpu_ms_per_request"],
               "alone_cpu_ms": served[name]["cpu_ms_per_request_alone"], "target_ratio": target,
               "description": served[name]["description"]}
        base = base or row
        row["engine_ratio"] = row["engine_cpu_ms"] / base["engine_cpu_ms"]
        row["served_ratio"] = row["served_cpu_ms"] / base["served_cpu_ms"]
        row["alone_ratio"] = row["alone_cpu_ms"] / base["alone_cpu_ms"]
        rows.append(row)
    print(f"{'CPU ms per request':<24}{'engine':>9}{'ratio':>7}{'platform':>10}{'ratio':>7}{'1 client':>10}{'ratio':>7}"
          f"{'target':>8}")
    for row in rows:
        target = f"{row['target_ratio']:.2f}" if row["target_ratio"] else "1.00"
        print(f"{row['title']:<24}{row['engine_cpu_ms']:>9.1f}{row['engine_ratio']:>7.2f}{row['served_cpu_ms']:>10.1f}"
              f"{row['served_ratio']:>7.2f}{row['alone_cpu_ms']:>10.1f}{row['alone_ratio']:>7.2f}{target:>8}")
    name, flags, cpus = measure.cpu_name()
    print(f"machine: {name}, {cpus} CPUs, {' '.join(flags)}; the targets were set on one with AVX-512, VNNI and BF16")
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main()
