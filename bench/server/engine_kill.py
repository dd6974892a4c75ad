#!/usr/bin/env python3
"""kill -9 of a model's process (`isolation: process`) under load: requests lost, and for how long nobody was answered.

    bench/server/engine_kill.py [--kills 5] [--clients 16] [--json FILE]

The same small model is served twice, each in a process of its own; clients call both over REST all the time, and one's
process is killed again and again.
"""
import argparse
import http.client
import json
import os
import pathlib
import signal
import statistics
import sys
import threading
import time

from model_server import ROOT, ModelServer

sys.path.insert(0, str(ROOT / "tests/support"))
from waiting import wait_for  # noqa: E402

TINY = ROOT / "build/models-src/tiny/ir"
REQUEST = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [0.5] * 16}]})
SETTLE_S = 2  # between kills: the process that follows has served meanwhile


class Clients:
    """Connections that call a model one request after the other, and note when each was answered and how."""

    def __init__(self, port, model, count):
        self.port, self.path = port, f"/v2/models/{model}/infer"
        self.stopping, self.answers, self.lost = False, [], 0
        self.threads = [threading.Thread(target=self.call) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def call(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.stopping:
            begun = time.monotonic()
            connection.request("POST", self.path, REQUEST)
            answer = connection.getresponse()
            answer.read()
            self.answers.append((time.monotonic(), time.monotonic() - begun))
            self.lost += answer.status != 200

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()

    def pause_after(self, moment):
        """The longest time without an answer in the settling time after it."""
        times = sorted(t for t, _ in self.answers if moment - 0.1 < t < moment + SETTLE_S)
        return max((b - a for a, b in zip(times, times[1:])), default=SETTLE_S)

    def slowest_after(self, moment):
        return max((took for t, took in self.answers if moment < t < moment + SETTLE_S), default=SETTLE_S)


def engine_process(server, model):
    for task in os.listdir(f"/proc/{server.pid}/task"):
        children = pathlib.Path(f"/proc/{server.pid}/task/{task}/children")
        for child in children.read_text().split() if children.exists() else ():
            command = pathlib.Path(f"/proc/{child}/cmdline")
            if command.exists() and model.encode() in command.read_bytes():
                return int(child)
    return None


def measure(kills, clients):
    model = (sorted(TINY.iterdir()), "engine: openvino\nisolation: process\n")
    server = ModelServer({"killed": model, "beside": model})
    try:
        killed, beside = Clients(server.rest_port, "killed", clients), Clients(server.rest_port, "beside", 2)
        moments = []
        for _ in range(kills):
            time.sleep(SETTLE_S)
            pid = wait_for(lambda: engine_process(server, "killed"), "a process of the model")
            moments.append(time.monotonic())
            os.kill(pid, signal.SIGKILL)
        time.sleep(SETTLE_S)
        killed.stop()
        beside.stop()
    finally:
        server.close()
    return {
        "clients": clients, "kills": kills,
        "answers": len(killed.answers), "lost": killed.lost,
        "pause_s": [round(killed.pause_after(m), 3) for m in moments],
        "beside_answers": len(beside.answers), "beside_lost": beside.lost,
        "beside_slowest_ms": [round(beside.slowest_after(m) * 1e3, 1) for m in moments],
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    result = measure(options.kills, options.clients)
    print(f"killed {result['kills']} times under {result['clients']} clients: {result['lost']} of {result['answers']} requests "
          f"lost; nobody answered for {statistics.median(result['pause_s']):.3f} s (median), {max(result['pause_s']):.3f} s (longest)")
    print(f"the model beside: {result['beside_lost']} of {result['beside_answers']} requests lost, slowest answer around a kill "
          f"{max(result['beside_slowest_ms']):.1f} ms")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
