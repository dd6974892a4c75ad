"""Memory (PSS of the process tree) and the time to the first answer; every server alone, one worker."""
import contextlib
import dataclasses
import http.client
import statistics
import time

from waiting import wait_for

from ..models import MAGIKA, distinct
from ..peers import FastApi, KServe, MlServer
from ..rows import Row
from ..servers import Snug

COPIES = 10
MODELS = 50
READY_SECONDS_MAX = 120
IDLE_SECONDS = 12  # then snug-server has trimmed what idles, and what it puts on standby after 5 s is out of memory
IN_USE_ROUNDS, ROUND_SECONDS = 12, 1.0  # all of many models in use: each is asked once a round, in turn
MANY_MODELS = (FastApi, KServe)  # those that load as many in little time


def says_ready(server):
    connection = http.client.HTTPConnection(server.rest, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == 200


def one_model(context):
    memory, start = {}, {}
    for make in (Snug, *context.peers):
        with make([MAGIKA], workers=1) as server:
            start[server.name], memory[server.name] = server.start_seconds, server.pss_mb()
    return memory, start


def per_further(server, alone_mb, models):
    """MB of each model past the first."""
    return (server.pss_mb() - alone_mb) / (len(models) - 1)


def use_all(server, models):
    for _ in range(IN_USE_ROUNDS):
        end = time.monotonic() + ROUND_SECONDS
        for model in models:
            if not server.answers(model):
                raise RuntimeError(f"{server.name}: no answer of {model.name}")
        time.sleep(max(0.0, end - time.monotonic()))


def copies(context, alone):
    models = [dataclasses.replace(MAGIKA, name=f"copy{i}") for i in range(COPIES)]
    found = {}
    for make in (Snug, *context.peers):
        if make in (Snug, FastApi, KServe, MlServer):
            with make(models, workers=1) as server:
                found[make.name] = per_further(server, alone[make.name], models)
    snug = found.pop(Snug.name)
    return Row(f"a further copy of the same weights ({COPIES} copies of magika)", "MB", "at most 5", snug, snug <= 5, found)


def ready_and_answered(models, *options):
    """Seconds from the start, and the server, which is the caller's to stop."""
    begun = time.monotonic()
    server = Snug(models, workers=1, wait=False, options=options)
    wait_for(lambda: says_ready(server), "readiness", READY_SECONDS_MAX)
    ready = time.monotonic() - begun
    wait_for(lambda: all(server.answers(model) for model in models), "answers of all models", READY_SECONDS_MAX)
    return ready, time.monotonic() - begun, server


def of_standby(models, alone_mb):
    """With --standby-after-seconds: MB that each model holds when none is asked, and the median time of the first answer of
    each after that."""
    _, _, server = ready_and_answered(models, "--standby-after-seconds", "5")
    with server:
        time.sleep(IDLE_SECONDS)
        left_mb = per_further(server, alone_mb, models)
        taken = []
        for model in models:
            begun = time.monotonic()
            if not server.answers(model):
                raise RuntimeError(f"{model.name} did not come back")
            taken.append(time.monotonic() - begun)
    return left_mb, statistics.median(taken)


def many(context, alone):
    models = []
    for i in range(MODELS):
        target = context.directory / f"many/{i}/model.onnx"
        distinct(MAGIKA, target, i)
        models.append(dataclasses.replace(MAGIKA, name=f"m{i}", onnx=target))
    file_mb = MAGIKA.onnx.stat().st_size / 1e6
    memory, start = {}, {}
    for make in context.peers:
        if make in MANY_MODELS:
            with make(models, workers=1) as server:
                start[make.name] = server.start_seconds
                use_all(server, models)
                memory[make.name] = per_further(server, alone[make.name], models)
    late_ready, late_answered, server = ready_and_answered(models, "--load", "on-request")
    server.stop()
    ready, answered, server = ready_and_answered(models)
    with server:
        first = per_further(server, alone[Snug.name], models) / file_mb
        use_all(server, models)
        each = per_further(server, alone[Snug.name], models) / file_mb
        time.sleep(IDLE_SECONDS)
        idle = per_further(server, alone[Snug.name], models) / file_mb
    left_mb, again = of_standby(models, alone[Snug.name])
    return [Row(f"{MODELS} distinct models of {file_mb:.1f} MB: start until ready", "s", "at most 5", ready, ready <= 5, start,
                note=f"each has answered after {answered:.1f} s (the peers' figures are of that); with --load on-request it takes "
                     f"requests after {late_ready:.2f} s, and each has answered after {late_answered:.1f} s"),
            Row(f"{MODELS} distinct models, each asked once a second: memory of each", "x its file", "at most 1.5", each, each <= 1.5,
                {name: mb / file_mb for name, mb in memory.items()},
                note=f"{first:.2f} x right after the first answers, {idle:.2f} x once they have not been asked for {IDLE_SECONDS} s; "
                     f"with --standby-after-seconds 5 {left_mb / file_mb:.2f} x then, and the next answer of each takes {again * 1e3:.0f} ms")]


def run(context):
    memory, start = one_model(context)
    alone = dict(memory)
    snug_mb, snug_start = memory.pop(Snug.name), start.pop(Snug.name)
    return [Row("one model (magika): memory after its first answer", "MB", "at most 70", snug_mb, snug_mb <= 70, memory),
            Row("one model: start to first answer", "s", "at most 0.7", snug_start, snug_start <= 0.7, start),
            copies(context, alone), *many(context, alone)]
