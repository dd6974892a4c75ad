#!/usr/bin/env python3
"""snug-server beside the model servers that its users would pick instead, on the same work, in one run.

    bench/server/peers.py [--no-peers] [--only GROUP[,GROUP]] [--rounds 3] [--seconds 2] [--json FILE]

Rounds alternate over all servers. CPU is that of a server's whole process tree for each good answer; it is the figure to
trust, since servers and load share the machine. Ends with 0 whatever the figures are: they are for people to judge.
"""
import argparse
import importlib
import pathlib
import signal
import sys
import tempfile
import time

from comparison import models, peers
from comparison.context import Context
from comparison.loads import Driver
from comparison.rows import machine, print_rows, print_table, write_json
from model_server import ROOT

GROUPS = ("speed", "batching", "memory", "crash", "bad_input", "life", "quota", "fairness")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-peers", action="store_true", help="Snug alone: a third of the time")
    parser.add_argument("--only", default=",".join(GROUPS), help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="of each load")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / "build/bench/peers.json")
    arguments = parser.parse_args()
    chosen = arguments.only.split(",")
    if not set(chosen) <= set(GROUPS):
        parser.error(f"--only {arguments.only}: groups are {', '.join(GROUPS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # by an exception, so that servers are stopped
    models.prepare()
    rows, begun = [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="snug-bench-") as directory:
        folder = pathlib.Path(directory)
        context = Context([] if arguments.no_peers else peers.installed(), arguments.rounds, arguments.seconds, folder,
                          Driver(folder, (models.TINY, models.MAGIKA, models.OCR, models.RANKER)))
        print("peers:", ", ".join(peer.name for peer in context.peers) or "none")
        for group in chosen:
            print(f"{group} (after {time.monotonic() - begun:.0f} s)")
            found = importlib.import_module(f"comparison.cells.{group}").run(context)
            print_rows(found)
            rows += found
    print()
    print_table(rows)
    missed = sum(not row.passed for row in rows)
    print(f"{len(rows) - missed} of {len(rows)} targets met; {time.monotonic() - begun:.0f} s; machine: {machine()}")
    write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
