"""Under a cgroup's quota of one CPU: threads that want to run, and the throughput of a pinned core. Needs root."""
import contextlib
import os
import pathlib
import statistics

from ..meanwhile import Meanwhile
from ..models import OCR
from ..rows import Row
from ..servers import Snug

PERIOD_US = 100_000
CLIENTS = 4
SAMPLE_SECONDS = 0.005


def set_quota(group, cpus, is_v1):
    if is_v1:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(cpus * PERIOD_US))
    else:
        (group / "cpu.max").write_text(f"{cpus * PERIOD_US} {PERIOD_US}")


@contextlib.contextmanager
def cgroup(name, cpus):
    """The command under which a program runs in a cgroup of its own, with a quota of so many CPUs (None: without one);
    None where no cgroup of the CPU controller can be made."""
    v1, v2 = pathlib.Path("/sys/fs/cgroup/cpu"), pathlib.Path("/sys/fs/cgroup")
    group = (v1 if v1.is_dir() else v2) / f"snug-bench-{name}-{os.getpid()}"
    command = None
    with contextlib.suppress(OSError):
        group.mkdir()
        if cpus:
            set_quota(group, cpus, v1.is_dir())
        command = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
    try:
        yield command
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()


class RunnableThreads(Meanwhile):
    """Counts the server's threads that run or want to, every few milliseconds."""

    pause_seconds = SAMPLE_SECONDS

    def __init__(self, server):
        self.server, self.counts = server, []

    def step(self):
        running = 0
        for stat in pathlib.Path(f"/proc/{self.server.root_pid}/task").glob("*/stat"):
            with contextlib.suppress(OSError):
                running += stat.read_text().rsplit(")", 1)[1].split()[0] == "R"
        self.counts.append(running)


def run(context):
    # Both in a cgroup, so that others on the machine take as much from the one as from the other.
    with cgroup("quota", 1) as launcher, cgroup("core", None) as beside:
        if launcher is None or beside is None:
            print("  skipped: no cgroup of the CPU controller can be made here (that takes root)")
            return []
        # Instances and threads are the server's own choice here: that it counts the quota is what is tested.
        pinned = [*beside, "taskset", "-c", str(max(os.sched_getaffinity(0)))]
        with Snug([OCR], workers=None, launcher=launcher) as limited, Snug([OCR], workers=None, launcher=pinned) as core:
            ratios, runnable = [], []
            for _ in range(context.rounds + 1):
                with RunnableThreads(limited) as threads:
                    under_quota = context.driver.run(limited, OCR, "grpc", CLIENTS, context.seconds)
                runnable += threads.counts
                ratios.append(under_quota.per_s / context.driver.run(core, OCR, "grpc", CLIENTS, context.seconds).per_s)
    ratio, mean = statistics.median(ratios), statistics.mean(runnable)
    return [Row("quota of 1 CPU: threads that run or want to, on average", "", "at most 1.05", mean, mean <= 1.05,
                note=f"more than one in {sum(c > 1 for c in runnable) / len(runnable):.1%} of {len(runnable)} looks"),
            Row("quota of 1 CPU: OCR's throughput against a pinned core", "ratio", "at least 0.95", ratio, ratio >= 0.95)]
