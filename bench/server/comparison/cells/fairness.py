"""Two models that want more CPU than there is: what a flood of requests to one leaves of the other."""
import statistics

from ..models import MAGIKA, OCR
from ..rows import Row
from ..servers import Snug

FLOOD_CLIENTS, FLOOD_INSTANCES = 32, 8
CONFIGS = {OCR.name: f"instances: {FLOOD_INSTANCES}\n", MAGIKA.name: "instances: 1\n"}


def beside(context, server, clients):
    """(magika's load with so many clients, the flood of OCR that it ran beside)."""
    flood = context.driver.start(server, OCR, "grpc", FLOOD_CLIENTS, context.seconds)
    load = context.driver.run(server, MAGIKA, "grpc", clients, context.seconds)
    return load, context.driver.finish(flood)


def part(mine, others, mine_alone, others_alone):
    """Of the CPU time: answers a second, each at what it costs alone."""
    mine, others = mine.per_s * mine_alone.cpu_ms, others.per_s * others_alone.cpu_ms
    return mine / (mine + others)


def run(context):
    alone, light, parts = [], [], []
    with Snug([OCR, MAGIKA], workers=None, configs=CONFIGS) as server:
        for _ in range(context.rounds):
            alone.append(context.driver.run(server, MAGIKA, "grpc", 1, context.seconds))
            ocr_alone = context.driver.run(server, OCR, "grpc", 1, context.seconds)
            light.append(beside(context, server, 1)[0])
            parts.append(part(*beside(context, server, FLOOD_CLIENTS), alone[-1], ocr_alone))
    p50, p99 = (statistics.median(getattr(load, figure) for load in light) for figure in ("p50_ms", "p99_ms"))
    quiet = statistics.median(load.p99_ms for load in alone)
    share = statistics.median(parts)
    what = f"OCR flooded ({FLOOD_INSTANCES} instances, {FLOOD_CLIENTS} clients)"
    return [Row(f"{what}: magika, 1 client: p99", "ms", "at most 4 x that alone", p99, p99 <= 4 * quiet,
                note=f"p50 {p50:.1f} ms; alone: p99 {quiet:.1f} ms"),
            Row(f"{what}: magika's part of the compute time (1 instance, as many clients)", "ratio", "at least 0.45", share,
                share >= 0.45)]
