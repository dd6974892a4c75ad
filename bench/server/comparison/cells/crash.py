"""kill -9 of the process that executes, under 16 clients."""
import os
import signal
import time

from waiting import wait_for

from ..loads import Callers
from ..models import MAGIKA
from ..rows import Row
from ..servers import Snug, measure

CLIENTS = 16
BEFORE_SECONDS, AFTER_SECONDS = 1.5, 5


def isolated(models):
    return Snug(models, extra="isolation: process\n")


def busiest_child(server):
    """Of the server's descendants the one that computes; None when it has none that does."""
    children = [pid for pid in server.pids() if pid != server.root_pid]
    before = {pid: measure.cpu_seconds([pid]) for pid in children}
    time.sleep(0.5)
    used = {pid: measure.cpu_seconds([pid]) - before[pid] for pid in children}
    busiest = max(used, key=used.get, default=None)
    return busiest if busiest and used[busiest] > 0.05 else None


def kill_under_load(server):
    """(answers lost, longest time without an answer in s); None when there is nothing to kill."""
    callers = Callers(server, MAGIKA, CLIENTS)
    try:
        wait_for(lambda: len(callers.good_at) > CLIENTS, f"{server.name}: no answers")
        time.sleep(BEFORE_SECONDS)
        victim = busiest_child(server)
        if victim is None:
            return None
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        time.sleep(AFTER_SECONDS)
    finally:
        callers.stop()
    return len(callers.lost), callers.longest_gap_after(killed)


def run(context):
    lost, gap = {}, {}
    for make in (isolated, *context.peers):
        with make([MAGIKA]) as server:
            outcome = kill_under_load(server)
            if outcome:
                lost[server.name], gap[server.name] = outcome
    snug_lost, snug_gap = lost.pop(Snug.name), gap.pop(Snug.name)
    return [Row(f"kill -9 of an engine process, {CLIENTS} clients: requests lost", "", "0", snug_lost, snug_lost == 0, lost),
            Row("kill -9 of an engine process: longest time without an answer", "s", "at most 1", snug_gap, snug_gap <= 1,
                gap)]
