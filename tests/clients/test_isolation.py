"""`isolation: process`: kill -9 of a model's process under 16 clients loses no request, and the models beside it do not notice."""
import os
import signal
import threading

import numpy
import pytest
import tritonclient.http as triton
from conftest import TINY, Server, add_echo, add_model
from waiting import wait_for

CLIENTS = 16
KILLS = 3
ANSWERS_BETWEEN = 200


def engines_of(server):
    """The processes that the server has started, oldest first."""
    children = set()
    for task in os.listdir(f"/proc/{server.pid}/task"):
        try:
            with open(f"/proc/{server.pid}/task/{task}/children") as file:
                children.update(map(int, file.read().split()))
        except OSError:
            pass  # a thread that has ended
    return sorted(children)


class Callers:
    """Threads that call a model until told to stop."""

    def __init__(self, server, model, count):
        self.server, self.model = server, model
        self.stopping = threading.Event()
        self.answers, self.failures = 0, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.call, args=(i,)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def call(self, number):
        client = triton.InferenceServerClient(self.server.rest, network_timeout=60)
        x = numpy.full((1, 16), number, numpy.float32)
        tensor = triton.InferInput("x", [1, 16], "FP32")
        tensor.set_data_from_numpy(x)
        while not self.stopping.is_set():
            try:
                y = client.infer(self.model, [tensor]).as_numpy("y")
                wrong = None if self.model == "tiny" or numpy.array_equal(y, x) else f"{number} became {y}"
            except Exception as error:  # whatever a client may see
                wrong = repr(error)
            with self.lock:
                self.answers += wrong is None
                if wrong:
                    self.failures.append(wrong)

    def wait_for_more(self):
        """Until further requests are answered; some of those counted may have been under way before."""
        goal = self.answers + ANSWERS_BETWEEN
        wait_for(lambda: self.answers >= goal or self.failures, f"{self.model} answers")

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        return self.failures


@pytest.fixture
def server(tmp_path):
    add_echo(tmp_path, "apart", "11 -1 16")
    (tmp_path / "models/apart/model.yaml").write_text("isolation: process\ninstances: 2\n")
    add_model(tmp_path, "tiny", 1, TINY / "ir", "isolation: process\n")
    add_echo(tmp_path, "beside", "11 -1 16")
    running = Server(tmp_path).wait_ready()
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.mark.parametrize("model", ["apart", "tiny"])
def test_kill_of_a_models_process_loses_nothing(server, model):
    assert len(engines_of(server)) == 2
    calling, beside = Callers(server, model, CLIENTS), Callers(server, "beside", 2)
    other = Callers(server, "tiny" if model == "apart" else "apart", 2)
    victim = next(pid for pid in engines_of(server) if is_engine_of(pid, model))
    survivor = next(pid for pid in engines_of(server) if pid != victim)
    try:
        for _ in range(KILLS):
            calling.wait_for_more()
            os.kill(victim, signal.SIGKILL)
            victim = wait_for(lambda: next((p for p in engines_of(server) if p not in (victim, survivor)), None),
                              "another process")
            calling.wait_for_more()
    finally:
        failures = [callers.stop() for callers in (calling, beside, other)]
    assert failures == [[], [], []]
    assert survivor in engines_of(server), "the process of the model beside is the same"
    _, _, metrics = server.call("/metrics")
    retried = [line for line in metrics.decode().splitlines() if line.startswith("snug_retries_total") and model in line]
    assert float(retried[0].split()[-1]) > 0, "requests were under way"


def is_engine_of(pid, model):
    with open(f"/proc/{pid}/cmdline") as file:
        return model in file.read()
