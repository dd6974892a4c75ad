"""CPU, latency and requests a second. All servers are up at once and take turns, round after round."""
import contextlib
import json
import statistics
import subprocess

from model_server import BUILD, ModelServer
from ocr_ceiling import MODEL, measure_raw, measure_server

from ..loads import Load
from ..models import MAGIKA, OCR, TINY
from ..rows import Row
from ..servers import Snug

ALL = (TINY, MAGIKA, OCR)
# (model, kind of request, clients)
CELLS = [(TINY, "json", 1), (TINY, "json", 32), (TINY, "grpc", 1), (TINY, "grpc", 32), (MAGIKA, "json", 8),
         (OCR, "json", 8), (OCR, "binary", 8), (OCR, "grpc", 8)]
WORKERS = 2
ENGINE_EXECUTIONS = {MAGIKA: 200, OCR: 80}


def engine_cpu_ms(model):
    """Of one execution with nothing around it, in as many processes at a time as a server has workers: what cores share
    makes an execution dearer while the other one works, too."""
    command = [BUILD / "bench/engine_direct", BUILD / "lib/snug", "openvino", model.onnx.parent,
               json.dumps({"precision": "f32"}), ENGINE_EXECUTIONS[model]]
    runs = [subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)]
    reports = [json.loads(run.communicate()[0].strip().splitlines()[-1]) for run in runs]
    return statistics.mean(r["cpu_s"] / r["executions"] * 1e3 for r in reports)


def takes(server, kind):
    return {"json": True, "binary": server.binary_rest, "grpc": server.grpc is not None}[kind]


def measure_all(context):
    """{(model, kind, clients): {server: Load}}, {model: engine's CPU-ms}; medians over the rounds."""
    loads, engine = {}, {model: [] for model in ENGINE_EXECUTIONS}
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(make(ALL, workers=WORKERS)) for make in (Snug, *context.peers)]
        for _ in range(context.rounds):
            for cell in CELLS:
                if cell[0] in engine and cell[1] in ("json", "grpc"):
                    engine[cell[0]].append(engine_cpu_ms(cell[0]))
                for server in servers:
                    if takes(server, cell[1]):
                        load = context.driver.run(server, *cell, context.seconds)
                        loads.setdefault(cell, {}).setdefault(server, []).append(load)
    medians = {cell: {server: Load.median(runs) for server, runs in by_server.items()}
               for cell, by_server in loads.items()}
    return medians, {model: statistics.median(runs) for model, runs in engine.items()}


def split(by_server, figure):
    """(Snug's, {peer: its}) of one figure of a Load."""
    figures = {server: getattr(load, figure) for server, load in by_server.items()}
    snug = next(value for server, value in figures.items() if server.name == Snug.name)
    return snug, {server.name: value for server, value in figures.items() if server.name != Snug.name}


def at_most(by_server, what, unit, figure, limit):
    snug, peers = split(by_server, figure)
    return Row(what, unit, f"at most {limit:g}", snug, snug <= limit, peers)


def over_engine(by_server, what, engine, limit):
    snug, peers = split(by_server, "cpu_ms")
    return Row(what, "CPU-ms", f"engine {engine:.2f} + {limit:g}", snug, snug - engine <= limit, peers,
               note=f"over the engine: {snug - engine:+.3f} ms")


def against_platforms(by_server, what, unit, figure, factor):
    """At least `factor` times the best platform; with a factor of None at most the best platform's figure."""
    snug, peers = split(by_server, figure)
    platforms = [getattr(load, figure) for server, load in by_server.items()
                 if server.name != Snug.name and not server.by_hand]
    if not platforms:
        return Row(what, unit, "the best platform's, which did not run", snug, True, peers, factor is not None)
    if factor is None:
        return Row(what, unit, "no more than the best platform", snug, snug <= min(platforms), peers)
    return Row(what, unit, f"{factor} x the best platform", snug, snug >= factor * max(platforms), peers, True)


def binary_as_cheap(loads):
    (rest, _), (grpc, _) = (split(loads[OCR, kind, 8], "cpu_ms") for kind in ("binary", "grpc"))
    return Row("OCR, 184 KB binary: REST against gRPC", "ratio of CPU", "at most 1.02", rest / grpc, rest / grpc <= 1.02)


def ceiling(context):
    """One thread that executes OCR, called directly and behind the server; protocol and load have the other cores."""
    threads, ratios = 1, []
    config = f"engine: openvino\nthreads: 1\ninstances: {threads}\n"
    server = ModelServer({"ocr": ([MODEL, MODEL.with_suffix(".bin")], config)})
    try:
        for _ in range(context.rounds + 1):
            raw = measure_raw(threads, context.seconds)
            ratios.append(measure_server(server, threads, context.seconds)["per_s"] / raw["per_s"])
    finally:
        server.close()
    ratio = statistics.median(ratios)
    return Row("OCR throughput against the engine called directly, 1 thread", "ratio", "at least 0.98", ratio, ratio >= 0.98)


def run(context):
    loads, engine = measure_all(context)
    rest, grpc = loads[TINY, "json", 32], loads[TINY, "grpc", 32]
    return [
        at_most(rest, "tiny, REST JSON, 32 clients", "CPU-ms", "cpu_ms", 0.05),
        against_platforms(rest, "tiny, REST JSON, 32 clients", "requests/s", "per_s", 10),
        at_most(loads[TINY, "json", 1], "tiny, REST JSON, 1 client: p50", "ms", "p50_ms", 0.15),
        at_most(grpc, "tiny, gRPC, 32 clients", "CPU-ms", "cpu_ms", 0.05),
        against_platforms(grpc, "tiny, gRPC, 32 clients", "requests/s", "per_s", 10),
        at_most(loads[TINY, "grpc", 1], "tiny, gRPC, 1 client: p50", "ms", "p50_ms", 0.15),
        over_engine(loads[MAGIKA, "json", 8], "magika, 9 KB JSON, 8 clients", engine[MAGIKA], 0.2),
        over_engine(loads[OCR, "json", 8], "OCR, 957 KB JSON, 8 clients", engine[OCR], 1.5),
        over_engine(loads[OCR, "binary", 8], "OCR, 184 KB binary, REST, 8 clients", engine[OCR], 0.4),
        over_engine(loads[OCR, "grpc", 8], "OCR, 184 KB binary, gRPC, 8 clients", engine[OCR], 0.4),
        binary_as_cheap(loads),
        against_platforms(loads[OCR, "json", 8], "OCR, JSON, 8 clients: p99", "ms", "p99_ms", None),
        against_platforms(loads[OCR, "grpc", 8], "OCR, gRPC, 8 clients: p99", "ms", "p99_ms", None),
        ceiling(context),
    ]
