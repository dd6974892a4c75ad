#!/usr/bin/env python3
"""Memory and start of snug-server: idle, extra copies of the same weights, many distinct models, rounds of load and unload.

    bench/server/memory.py [--rounds 100] [--copies 10] [--distinct 50] [--json FILE]

Memory is PSS (and RSS) of the server's process from /proc/PID/smaps_rollup, after the models' first answers. The model is
magika (a 3.1 MB ONNX file); distinct ones are that file with other weights.
"""
import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request

from comparison.models import other_weights
from model_server import BUILD, ROOT, ServerProcess, wait_for

sys.path.insert(0, str(ROOT / "tools"))
import measure  # noqa: E402

SOURCES = ROOT / "build/models-src"
TINY, MAGIKA = SOURCES / "tiny/ir", SOURCES / "magika/model.onnx"
TINY_BODY = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [0.5] * 16}]}
START_LIMIT_S = 300
IDLE_SECONDS = 12  # then the server has trimmed what idles


class Server:
    """A snug-server over a directory that goes with it."""

    def __init__(self, fill, *options):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="snug-memory-"))
        (self.directory / "models").mkdir()
        fill(self.directory / "models")
        self.begun = time.monotonic()
        self.process = ServerProcess(BUILD / "bin/snug-server", self.directory, *options)

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.process.rest_port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=START_LIMIT_S) as answer:
            return answer.read()

    def answers(self, model, body):
        try:
            self.call(f"/v2/models/{model}/infer", body)
            return True
        except urllib.error.HTTPError as error:
            assert error.code in (404, 503), error.read()
            return False

    def wait_first_answer(self, model, body):
        """Seconds from the start of the process."""
        while not self.answers(model, body):
            time.sleep(0.001)
        return time.monotonic() - self.begun

    def wait_ready(self):
        wait_for(self._ready, "readiness", seconds=START_LIMIT_S)
        return time.monotonic() - self.begun

    def _ready(self):
        try:
            self.call("/v2/health/ready")
            return True
        except urllib.error.HTTPError:
            return False

    def memory_mb(self):
        """PSS and RSS, MB."""
        lines = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        kib = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
        return kib["Pss:"] * 1024 / 1e6, kib["Rss:"] * 1024 / 1e6

    def close(self):
        self.process.stop()
        shutil.rmtree(self.directory)


def magika_body():
    return {"inputs": [{"name": "bytes", "datatype": "INT32", "shape": [1, 2048], "data": [32] * 2048}]}


def add_magika(models, name, content=None, yaml="batching: off\n"):
    version = models / name / "1"
    version.mkdir(parents=True)
    if content is None:
        shutil.copy(MAGIKA, version / "model.onnx")
    else:
        (version / "model.onnx").write_bytes(content)
    (models / name / "model.yaml").write_text(yaml)


def idle():
    server = Server(lambda models: shutil.copytree(TINY, models / "tiny/1"))
    try:
        seconds = server.wait_first_answer("tiny", TINY_BODY)
        return {"first_answer_s": seconds, "pss_mb": server.memory_mb()[0]}
    finally:
        server.close()


def copies(count):
    """MB for each further copy of the same file."""
    measured = {}
    for number in (1, 1 + count):
        server = Server(lambda models: [add_magika(models, f"m{i}") for i in range(number)])
        try:
            server.wait_ready()
            for i in range(number):
                assert server.answers(f"m{i}", magika_body())
            measured[number] = server.memory_mb()[0]
        finally:
            server.close()
    return {"copies": count, "pss_1_mb": measured[1], "extra_mb": (measured[1 + count] - measured[1]) / count}


def distinct(count, yaml):
    """Until all are ready, and MB for each, before and after each one's first answer."""
    contents = [other_weights(MAGIKA, seed) for seed in range(count)]
    server = Server(lambda models: [add_magika(models, f"m{i}", content, yaml) for i, content in enumerate(contents)])
    try:
        ready = server.wait_ready()
        before = server.memory_mb()[0]
        begun = time.monotonic()
        for i in range(count):
            assert server.answers(f"m{i}", magika_body())
        first_answers = time.monotonic() - begun
        after = server.memory_mb()[0]
        time.sleep(IDLE_SECONDS)
        idle = server.memory_mb()[0]
    finally:
        server.close()
    return {"models": count, "ready_s": ready, "first_answers_s": first_answers, "pss_ready_mb": before,
            "pss_mb": after, "pss_idle_mb": idle, "file_mb": len(contents[0]) / 1e6}


def rounds(count):
    """RSS after the first and the last of `count` rounds of loading, one answer and unloading."""
    server = Server(lambda models: add_magika(models, "m"), "--control", "explicit")
    rss = []
    try:
        for _ in range(count):
            server.call("/v2/repository/models/m/load", {})
            assert server.answers("m", magika_body())
            server.call("/v2/repository/models/m/unload", {})
            rss.append(server.memory_mb()[1])
    finally:
        server.close()
    return {"rounds": count, "rss_first_mb": rss[0], "rss_last_mb": rss[-1], "rss_max_mb": max(rss)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--copies", type=int, default=10)
    parser.add_argument("--distinct", type=int, default=50)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    result = {"idle": idle(), "copies": copies(arguments.copies),
              "distinct": distinct(arguments.distinct, "batching: off\n"), "rounds": rounds(arguments.rounds)}
    one, more, many, turns = (result[key] for key in ("idle", "copies", "distinct", "rounds"))
    print(f"tiny model: start to first answer {one['first_answer_s']:.2f} s, idle {one['pss_mb']:.0f} MB PSS")
    print(f"magika, the same file again: {more['extra_mb']:.1f} MB for each of {more['copies']} further copies "
          f"(the first server: {more['pss_1_mb']:.0f} MB)")
    print(f"magika, {many['models']} distinct: ready after {many['ready_s']:.1f} s with {many['pss_ready_mb']:.0f} MB, "
          f"after their first answers ({many['first_answers_s']:.1f} s) {many['pss_mb']:.0f} MB, "
          f"{IDLE_SECONDS} s later {many['pss_idle_mb']:.0f} MB; "
          f"a file has {many['file_mb']:.1f} MB")
    print(f"magika, {turns['rounds']} rounds of load and unload: RSS {turns['rss_first_mb']:.1f} MB after the first, "
          f"{turns['rss_last_mb']:.1f} MB after the last ({turns['rss_last_mb'] / turns['rss_first_mb'] - 1:+.1%}), "
          f"at most {turns['rss_max_mb']:.1f} MB")
    name, _, cpus = measure.cpu_name()
    print(f"machine: {name}, {cpus} CPUs, load {os.getloadavg()[0]:.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
