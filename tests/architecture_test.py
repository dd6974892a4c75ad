"""The house's rules, read from the code: which room includes which, how long files are, what only one room may see.

Run by ctest (fast suite) with the system's Python; standard library only.
"""
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

# What each room may include besides itself and base.
MAY_USE = {
    "base": set(),
    "os": set(),
    "net": {"os"},
    "placement": set(),
    "ocr": set(),
    "repository": {"os"},
    "engine": {"os"},
    "engines": {"engine", "os", "ocr"},
    "parsers": {"os", "ocr"},
    "registry": {"os"},
    "simulate": {"placement", "os"},
    "serving": {"os", "repository", "engine", "parsers"},
    "server": {"os", "net", "repository", "engine", "parsers", "serving"},
    "routing": {"os"},
    "deploy": {"os", "repository", "registry", "routing"},
    "controller": {"os", "net", "repository", "registry", "placement", "routing", "deploy", "engine"},
    "load": {"os"},
    "cli": {"os", "net", "repository", "simulate", "load"},
}
# Headers of a library that only these rooms may see: its types do not leak through the house.
ONLY_IN = {
    "grpcpp/": {"server", "routing"},
    "soci/": {"registry"},
    "sqlite3.h": {"registry"},
    "curl/": {"os", "engines"},
    "boost/": {"net", "load"},
    "openvino/": {"engines"},
    "torch/": {"engines"},
    "tensorflow/c/": {"engines"},  # tensorflow/core has messages, generated here
}
FILE_LINES_MAX = 600


def sources():
    return [p for p in SRC.rglob("*") if p.suffix in {".h", ".cc", ".c"} and p.is_file()]


def room(path):
    return path.relative_to(SRC).parts[0]


def includes(path):
    return re.findall(r'^\s*#include\s+["<]([^">]+)[">]', path.read_text(), re.M)


class ArchitectureTest(unittest.TestCase):
    def test_rooms_use_only_what_they_may(self):
        wrong = []
        for path in sources():
            if path.stem.endswith(("_test", "_bench", "_fuzz")) or "test" in path.relative_to(SRC).parts[1:-1]:
                continue  # a test may bring what it needs
            here = room(path)
            for include in includes(path):
                there = include.split("/")[0]
                if there in MAY_USE and there not in MAY_USE[here] | {here, "base"}:
                    wrong.append(f"{path.relative_to(ROOT)} includes {include}")
        self.assertEqual(wrong, [])

    def test_every_room_is_on_the_map(self):
        self.assertEqual({room(p) for p in sources()} - MAY_USE.keys(), set())

    def test_libraries_stay_in_their_rooms(self):
        wrong = []
        for path in sources():
            if path.stem.endswith("_test"):
                continue  # as above
            for include in includes(path):
                for prefix, rooms in ONLY_IN.items():
                    if include.startswith(prefix) and room(path) not in rooms:
                        wrong.append(f"{path.relative_to(ROOT)} includes {include}")
        self.assertEqual(wrong, [])

    def test_files_are_readable_in_one_sitting(self):
        long = {str(p.relative_to(ROOT)): n for p in sources()
                if (n := len(p.read_text().splitlines())) > FILE_LINES_MAX}
        self.assertEqual(long, {})

    def test_headers_say_what_they_are(self):
        bare = [str(p.relative_to(ROOT)) for p in sources() if p.suffix == ".h" and not p.read_text().startswith(("//", "/*"))]
        self.assertEqual(bare, [])


if __name__ == "__main__":
    sys.exit(unittest.main())
