"""What the demo and the benchmarks share: CPU-seconds of process trees, percentiles.

CPU time comes from /proc/PID/task/*/schedstat (nanoseconds); /proc/PID/stat counts in ticks of 10 ms, too coarse for
a request of 5 ms.
"""
import os
import pathlib
import statistics


def children_of(pid):
    """Direct children of a process, 0 or more pids."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue  # ended meanwhile
        if int(stat.rsplit(")", 1)[1].split()[1]) == pid:
            found.append(int(entry.name))
    return found


def process_tree(pid):
    """The process and all its descendants."""
    tree, todo = [], [pid]
    while todo:
        here = todo.pop()
        tree.append(here)
        todo += children_of(here)
    return tree


def cpu_seconds(pids):
    """User and system CPU-seconds of the threads that these processes have now."""
    total_ns = 0
    for pid in pids:
        for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total_ns += int(stat.read_text().split()[0])
            except OSError:
                pass  # the thread ended meanwhile
    return total_ns / 1e9


def pss_bytes(pids):
    """Memory of these processes, what they share counted once: the sum of their proportional set sizes."""
    total = 0
    for pid in pids:
        try:
            rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue  # ended meanwhile
        total += sum(int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss:"))
    return total


def percentile(values, q):
    """The q-th percentile (0-100), nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(q / 100 * len(ordered) + 0.5) - 1))]


def median(values):
    return statistics.median(values)


def cpu_name():
    """The processor, and which of the instruction sets that matter here it has."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    name = next((line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")), "CPU")
    flags = next((line.split(":", 1)[1].split() for line in text.splitlines() if line.startswith("flags")), [])
    wanted = ["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16"]
    return name, [flag for flag in wanted if flag in flags], os.cpu_count()
