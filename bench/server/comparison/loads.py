"""Load on a server: snug-load where CPU and latency count, Python callers with a time limit where answers get lost."""
import dataclasses
import http.client
import json
import statistics
import subprocess
import threading
import time

from model_server import BUILD

CONNECTIONS_MAX = 4  # of gRPC
WARMUP_SECONDS = 0.3
CALL_SECONDS_MAX = 10


@dataclasses.dataclass(frozen=True)
class Load:
    cpu_ms: float  # of the server's whole process tree, an answer
    p50_ms: float
    p99_ms: float
    per_s: float

    @staticmethod
    def median(loads):
        columns = zip(*(dataclasses.astuple(load) for load in loads))
        return Load(*(statistics.median(column) for column in columns))


class Driver:
    """snug-load with the requests of some models in files."""

    def __init__(self, directory, models):
        self.directory, self.heads = directory, {}
        for model in models:
            model.request_files(directory)
            self.heads[model.name] = model.binary_body()[1]

    def _call(self, server, model, kind):
        file = self.directory / f"{model.name}.{kind}"
        if kind == "grpc":
            shape = ",".join(str(dim) for dim in model.shape)
            raw = self.directory / f"{model.name}.raw"
            return ["infer", "--target", server.grpc, "--model", model.name, "--input",
                    f"{model.input}:{model.datatype}:{shape}:{raw}"]
        call = ["rest", "--target", server.rest, "--path", server.path(model.name), "--payload", file]
        if kind == "json":
            return [*call, "--content-type", "application/json"]
        return [*call, "--header", f"Inference-Header-Content-Length: {self.heads[model.name]}"]

    def start(self, server, model, kind, clients, seconds):
        """A load under way; `finish` gives what came out. `kind`: json, binary or grpc."""
        pids = [argument for pid in server.pids() for argument in ("--pid", pid)]
        command = [BUILD / "bench/snug-load", *self._call(server, model, kind), "-c", clients, "--connections",
                   min(clients, CONNECTIONS_MAX), "--seconds", seconds, "--warmup-seconds", WARMUP_SECONDS, "--json", *pids]
        return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)

    def finish(self, process):
        report = json.loads(process.communicate()[0])
        if report["errors"]:
            raise RuntimeError(f"{report['errors']} requests failed: {report['first_error']}")
        cpu_us = sum(p["cpu_us_per_request"] for p in report["processes"].values())
        return Load(cpu_us / 1e3, report["p50_us"] / 1e3, report["p99_us"] / 1e3, report["requests_per_s"])

    def run(self, *call):
        return self.finish(self.start(*call))


class Callers:
    """Clients that go on whatever happens, and count what they got."""

    def __init__(self, server, model, clients):
        self.server, self.model = server, model
        self.good_at, self.lost = [], []
        self.over, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self._work) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _work(self):
        body, path, connection = self.model.json_body(), self.server.path(self.model.name), None
        while not self.over.is_set():
            try:
                connection = connection or http.client.HTTPConnection(self.server.rest, timeout=CALL_SECONDS_MAX)
                connection.request("POST", path, body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                problem = "" if answer.status == 200 else f"{answer.status} {text[:200]}"
            except (OSError, http.client.HTTPException) as error:
                problem = repr(error)
                connection.close()
                connection = None
                time.sleep(0.01)  # a server that is gone refuses thousands a second
            with self.lock:
                if problem:
                    self.lost.append(problem)
                else:
                    self.good_at.append(time.monotonic())

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def longest_gap_after(self, moment):
        """Seconds without any good answer."""
        times = [moment] + sorted(t for t in self.good_at if t > moment)
        return max((later - earlier for earlier, later in zip(times, times[1:])), default=float("inf"))
