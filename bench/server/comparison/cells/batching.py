"""Dynamic batching on (as loading found it to pay) beside batching off, on the same server program."""
import statistics

from ..models import TINY
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


def run(context):
    more = []
    with Snug([TINY], workers=1, extra="batching: off\n") as off, Snug([TINY], workers=1) as auto, \
            Snug([TINY], workers=1, extra="batching: off\n") as again:
        for _ in range(MANY_ROUNDS):
            many = {server: context.driver.run(server, TINY, "grpc", 32, context.seconds / 2) for server in (off, auto)}
            more.append(many[auto].per_s / many[off].per_s)
        ratios = lone_client(context, off, (auto, again))
    gain, p99 = statistics.median(more), statistics.median(ratios[auto])
    return [Row("batching auto against off, tiny, gRPC, 32 clients: answers/s", "ratio", "more than 1", gain, gain > 1),
            Row("batching auto against off, tiny, gRPC, 1 client: p99", "ratio", "at most 1.02", p99, p99 <= 1.02,
                note=f"quartiles of {ONE_ROUNDS} rounds {quartiles(ratios[auto])}; off against off: "
                     f"{statistics.median(ratios[again]):.2f}, {quartiles(ratios[again])}")]
