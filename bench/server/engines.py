#!/usr/bin/env python3
"""CPU per OCR request of four engine set-ups, through the whole platform and of the bare engine, in the same run.

    bench/server/engines.py [--rounds 9] [--json FILE]

Each round is one pass of the demo (tools/demo/demo.py: 2 x 44 images to each of the four with one client and with three,
through the front door) on a platform of its own, then the same models executed directly. Ratios are taken within a
round; the table gives their medians, and for the platform the least and the greatest. The first row is plain TensorFlow
on a fair graph (native depthwise convolutions).
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

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
# What a round measures of each row: CPU-ms per request of the bare engine, of the platform with three clients, with one.
COLUMNS = ("engine", "served", "alone")


class Demo:
    """The demo on a platform that starts with the first round and ends with the object."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="snug-bench-")
        self.state = pathlib.Path(self.directory.name) / "state"
        self.results = pathlib.Path(self.directory.name) / "results.json"

    def __enter__(self):
        return self

    def round(self):
        """{row's name: row of results.json}; the demo fails if the texts differ."""
        done = subprocess.run([sys.executable, ROOT / "tools/demo/demo.py", "--snug", BUILD / "bin/snug", "--state",
                               self.state, "--results", self.results, "--port", "0", "--front-door-port", "0"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(done.stdout)
        return {row["name"]: row for row in json.loads(self.results.read_text())["rows"]}

    def __exit__(self, *_):
        subprocess.run([BUILD / "bin/snug", "down"], env=dict(os.environ, SNUG_STATE=str(self.state)),
                       stdout=subprocess.DEVNULL, check=False)
        self.directory.cleanup()


def direct_cpu_ms(engine, form, options, count=40):
    env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="2")
    command = [BUILD / "bench/engine_direct", BUILD / "lib/snug", engine, OCR / form, json.dumps(options), str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, env=env)
    r = json.loads(done.stdout.strip().splitlines()[-1])
    return r["cpu_s"] / r["executions"] * 1e3


def measure_round(demo):
    """{column: {row's name: CPU-ms per request}}, and the rows of the demo."""
    served = demo.round()
    direct = {name: direct_cpu_ms(engine, form, options) for name, _, engine, form, options, _ in SETUPS}
    return {"engine": direct,
            "served": {name: row["cpu_ms_per_request"] for name, row in served.items()},
            "alone": {name: row["cpu_ms_per_request_alone"] for name, row in served.items()}}, served


def row_of(setup, rounds):
    name, title, _, _, _, target = setup
    row = {"name": name, "title": title, "target_ratio": target}
    for column in COLUMNS:
        ratios = [r[column][name] / r[column][SETUPS[0][0]] for r in rounds]
        row[f"{column}_cpu_ms"] = measure.median(r[column][name] for r in rounds)
        row[f"{column}_ratio"] = measure.median(ratios)
        row[f"{column}_ratios"] = ratios
    return row


def print_table(rows, rounds):
    print(f"{'CPU ms per request':<23}{'engine':>8}{'ratio':>7}{'platform':>10}{'ratio':>7} {'(least-most)':<14}"
          f"{'1 client':>8}{'ratio':>7} {'(least-most)':<14}{'target':>6}")
    for row in rows:
        spans = {c: f"({min(row[f'{c}_ratios']):.3f}-{max(row[f'{c}_ratios']):.3f})" for c in COLUMNS}
        target = f"{row['target_ratio'] or 1:.2f}"
        print(f"{row['title']:<23}{row['engine_cpu_ms']:>8.1f}{row['engine_ratio']:>7.3f}{row['served_cpu_ms']:>10.1f}"
              f"{row['served_ratio']:>7.3f} {spans['served']:<14}{row['alone_cpu_ms']:>8.1f}{row['alone_ratio']:>7.3f} "
              f"{spans['alone']:<14}{target:>6}")
    name, flags, cpus = measure.cpu_name()
    print(f"medians of {rounds} rounds; the same text on every image in each\n"
          f"machine: {name}, {cpus} CPUs, {' '.join(flags)}; the targets were set on one with AVX-512, VNNI and BF16")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    rounds, served = [], {}
    with Demo() as demo:
        for turn in range(arguments.rounds):
            figures, served = measure_round(demo)
            rounds.append(figures)
            print(f"round {turn + 1} of {arguments.rounds}: " + ", ".join(
                f"{title} {figures['served'][name]:.1f} / {figures['alone'][name]:.1f} ms"
                for name, title, *_ in SETUPS), flush=True)
    rows = [dict(row_of(setup, rounds), description=served[setup[0]]["description"]) for setup in SETUPS]
    print_table(rows, len(rounds))
    if arguments.json:
        arguments.json.write_text(json.dumps({"rounds": len(rounds), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
