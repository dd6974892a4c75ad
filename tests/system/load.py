"""Requests in closed loops, and what became of them."""
import collections
import threading
import time

import numpy
import tritonclient.grpc
import tritonclient.utils


class Load:
    """Threads that ask a model y = x + constant by gRPC until stopped."""

    def __init__(self, door, model, constant, threads=2, timeout_s=60):
        self.door, self.model, self.constant, self.timeout_s = door, model, constant, timeout_s
        self.results = collections.Counter()  # "ok", a status name, or "wrong answer"
        self.texts = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(self.timeout_s + 10)

    def note(self, result, text=""):
        with self.lock:
            self.results[result] += 1
            if text:
                self.texts.append(text)

    @property
    def errors(self):
        with self.lock:
            return {k: v for k, v in self.results.items() if k != "ok"}

    def run(self):
        client = tritonclient.grpc.InferenceServerClient(self.door)
        x = numpy.zeros((1, 4), numpy.float32)
        tensor = tritonclient.grpc.InferInput("x", [1, 4], "FP32")
        tensor.set_data_from_numpy(x)
        while not self.stopping.is_set():
            try:
                y = client.infer(self.model, [tensor], client_timeout=self.timeout_s).as_numpy("y")
                self.note("ok" if (y == self.constant).all() else "wrong answer")
            except tritonclient.utils.InferenceServerException as error:
                self.note(error.status() or "no status", error.message())
                time.sleep(0.01)
        client.close()

    def wait_more(self, count):
        """Until `count` further requests have been answered well."""
        from snug_platform import wait_until
        goal = self.results["ok"] + count
        wait_until(lambda: self.results["ok"] >= goal, lambda: f"{goal} answers wanted, got {self.results} {self.texts[-3:]}")
