"""What loading a model does to another one's latency, and to memory."""
import http.client
import statistics
import subprocess
import time

from ..meanwhile import Meanwhile
from ..models import MAGIKA, OCR
from ..rows import Row
from ..servers import Snug

CLIENTS = 1  # leaves a core to what loads: a queue of one's own hides nothing
ROUNDS, ROUNDS_SECONDS_MAX = 100, 90  # on a busy machine fewer: loads run at low priority
LOADS_PER_SECOND_MAX = 4
LOAD_NICENESS = 10  # src/serving/low_priority.h


def change(server, what, model):
    connection = http.client.HTTPConnection(server.rest, timeout=60)
    connection.request("POST", f"/v2/repository/models/{model.name}/{what}", "")
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{what} {model.name}: {answer.status} {text[:300]}")


class Explicit(Snug):
    """Models are loaded by calls."""

    def __init__(self, models):
        super().__init__(models, workers=1, options=("--control", "explicit"), wait=False)


class Reloading(Meanwhile):
    """Loads a model again and again."""

    pause_seconds = 1 / LOADS_PER_SECOND_MAX

    def __init__(self, server, model):
        self.server, self.model, self.loads, self.seconds = server, model, 0, 0.0

    def step(self):
        begin = time.monotonic()
        change(self.server, "load", self.model)
        self.loads, self.seconds = self.loads + 1, self.seconds + time.monotonic() - begin


class Burning(Meanwhile):
    """The control: a process that has nothing to do with the server is busy as often and as long, at a load's priority."""

    pause_seconds = Reloading.pause_seconds

    def __init__(self, seconds):
        self.command = ["nice", "-n", str(LOAD_NICENESS), "timeout", f"{seconds:.3f}", "sh", "-c", "while :; do :; done"]

    def step(self):
        subprocess.run(self.command, check=False)


def p99_beside_loads(context):
    reloaded, burnt, loads = [], [], 0
    with Explicit([MAGIKA, OCR]) as server:
        change(server, "load", MAGIKA)
        change(server, "load", OCR)
        for _ in range(2 * context.rounds + 1):
            call = (server, MAGIKA, "grpc", CLIENTS, context.seconds)
            quiet = context.driver.run(*call).p99_ms
            with Reloading(server, OCR) as reloading:
                reloaded.append(context.driver.run(*call).p99_ms / quiet)
            with Burning(reloading.seconds / max(1, reloading.loads)):
                burnt.append(context.driver.run(*call).p99_ms / quiet)
            loads += reloading.loads
    ratio, control = statistics.median(reloaded), statistics.median(burnt)
    return Row("p99 of magika while OCR is reloaded", "ratio", "at most 1.10", ratio, ratio <= 1.10,
               {"a stranger's process as busy": control},
               note=f"{loads} reloads; rounds: {', '.join(f'{r:.2f}' for r in reloaded)}; the stranger: "
                    f"{', '.join(f'{r:.2f}' for r in burnt)}")


def memory_of_rounds():
    with Explicit([MAGIKA]) as server:
        def memory_after_round():
            change(server, "load", MAGIKA)
            server.post(MAGIKA.name, MAGIKA.json_body())
            change(server, "unload", MAGIKA)
            return server.pss_mb()
        first, rounds, end = memory_after_round(), 1, time.monotonic() + ROUNDS_SECONDS_MAX
        while rounds < ROUNDS and time.monotonic() < end:
            last, rounds = memory_after_round(), rounds + 1
    return Row(f"memory after {rounds} rounds of load and unload of magika, against after the first", "ratio",
               "at most 1.05", last / first, last / first <= 1.05, note=f"{first:.1f} MB, then {last:.1f} MB")


def run(context):
    return [p99_beside_loads(context), memory_of_rounds()]
