"""What came out: a row a figure, with its target, the peers' figures and Snug's."""
import dataclasses
import json
import os

from .servers import measure


@dataclasses.dataclass
class Row:
    what: str
    unit: str
    target: str
    snug: float
    passed: bool
    peers: dict = dataclasses.field(default_factory=dict)  # name: figure
    more_is_better: bool = False
    note: str = ""


def text_of(figure):
    if not isinstance(figure, (int, float)):
        return str(figure)
    if figure == 0 or abs(figure) >= 100:
        return f"{figure:.0f}"
    return f"{figure:.3g}"


def peers_text(row):
    """The best first."""
    numbers = sorted(row.peers.items(), key=lambda item: item[1], reverse=row.more_is_better)
    return ", ".join(f"{name} {text_of(figure)}" for name, figure in numbers) or "-"


def print_rows(rows):
    for row in rows:
        print(f"  {'pass' if row.passed else 'MISS'}  {row.what}: {text_of(row.snug)} {row.unit} (target: {row.target})")
        if row.peers:
            print(f"        {peers_text(row)}")
        if row.note:
            print(f"        {row.note}")


def print_table(rows):
    """As docs/benchmarks.md has it."""
    print("| | peers, best first | Snug | target | |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row.what}, {row.unit} | {peers_text(row)} | {text_of(row.snug)} | {row.target} | "
              f"{'pass' if row.passed else '**miss**'} |")


def machine():
    name, flags, cpus = measure.cpu_name()
    return f"{name}, {cpus} CPUs, {' '.join(flags)}, load {os.getloadavg()[0]:.1f}"


def write_json(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), "rows": [dataclasses.asdict(row) for row in rows]}, indent=1))
