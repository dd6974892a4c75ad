"""Dynamic batching on (as loading found it to pay) beside batching off, on the same server program."""
import statistics

from ..models import TINY
from ..rows import Row
from ..servers import Snug

ROUNDS = 7  # a p99 needs more than one look


def run(context):
    more, worse = [], []
    with Snug([TINY], workers=1, extra="batching: off\n") as off, Snug([TINY], workers=1) as auto:
        for _ in range(ROUNDS):
            many = {server: context.driver.run(server, TINY, "grpc", 32, context.seconds / 2) for server in (off, auto)}
            more.append(many[auto].per_s / many[off].per_s)
            one = {server: context.driver.run(server, TINY, "grpc", 1, context.seconds / 2) for server in (off, auto)}
            worse.append(one[auto].p99_ms / one[off].p99_ms)
    gain, p99 = statistics.median(more), statistics.median(worse)
    return [Row("batching auto against off, tiny, gRPC, 32 clients: answers/s", "ratio", "more than 1", gain, gain > 1),
            Row("batching auto against off, tiny, gRPC, 1 client: p99", "ratio", "at most 1.02", p99, p99 <= 1.02)]
