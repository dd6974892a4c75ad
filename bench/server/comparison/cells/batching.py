"""Dynamic batching on (as loading found it to pay) beside batching off, on the same server program."""
import statistics

from ..models import RANKER, TINY
from ..rows import Row
from ..servers import Snug

MANY_ROUNDS = 7
ONE_ROUNDS, ONE_SECONDS = 20, 0.6  # a p99 needs more than one look, and short ones in turns: the machine changes


def quartiles(ratios):
    low, _, high = statistics.quantiles(ratios, n=4)
    return f"{low:.2f}-{high:.2f}"


def lone_client(context, off, others):
    """{server: p99 over that of `off`, of each round}; the order turns round after round."""
    servers, ratios = [off, *others], {server: [] for server in others}
    for _ in range(ONE_ROUNDS):
        p99 = {server: context.driver.run(server, TINY, "grpc", 1, ONE_SECONDS).p99_ms for server in servers}
        for server in others:
            ratios[server].append(p99[server] / p99[off])
        servers.append(servers.pop(0))
    return ratios


def gain_of(context, model, off, auto):
    """Answers a second of `auto` over those of `off`, 32 clients: the median of the rounds."""
    ratios = []
    for _ in range(MANY_ROUNDS):
        many = {server: context.driver.run(server, model, "grpc", 32, context.seconds / 2) for server in (off, auto)}
        ratios.append(many[auto].per_s / many[off].per_s)
    return statistics.median(ratios)


def run(context):
    models = [TINY, RANKER]
    with Snug(models, workers=1, extra="batching: off\n") as off, Snug(models, workers=1) as auto, \
            Snug(models, workers=1, extra="batching: off\n") as again:
        gain, tiny_gain = (gain_of(context, model, off, auto) for model in (RANKER, TINY))
        ratios = lone_client(context, off, (auto, again))
    p99 = statistics.median(ratios[auto])
    return [Row("batching auto against off, ranker (dense layers, 5 MB), gRPC, 32 clients: answers/s", "ratio", "more than 1",
                gain, gain > 1, note=f"tiny, whose engine does next to nothing: {tiny_gain:.2f}"),
            Row("batching auto against off, tiny, gRPC, 1 client: p99", "ratio", "at most 1.02", p99, p99 <= 1.02,
                note=f"quartiles of {ONE_ROUNDS} rounds {quartiles(ratios[auto])}; off against off: "
                     f"{statistics.median(ratios[again]):.2f}, {quartiles(ratios[again])}")]
