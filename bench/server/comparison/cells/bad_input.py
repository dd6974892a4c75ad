"""Requests that are wrong in one way each: what is answered, whether the text names what is wrong, what it costs."""
import dataclasses
import http.client
import json
import pathlib
import select
import socket
import time

from ..models import TINY
from ..rows import Row
from ..servers import Snug

LARGE_BYTES, HUGE_BYTES = 40 << 20, 100 << 20
ANSWER_SECONDS_MAX = 40
FLOATS = TINY.values()


@dataclasses.dataclass(frozen=True)
class Case:
    what: str
    body: bytes
    names: str = ""  # what a helpful text has
    headers: dict = dataclasses.field(default_factory=dict)
    model: str = TINY.name


def request(tensor=None, without=(), **changes):
    tensor = tensor or TINY.tensor() | {"data": FLOATS} | changes
    return json.dumps({"inputs": [{k: v for k, v in tensor.items() if k not in without}]}).encode()


def cases():
    x = '"x"'
    good = request()
    binary, head = TINY.binary_body()
    length = "Inference-Header-Content-Length"
    return [
        Case("JSON cut off", good[:-20]),
        Case("no JSON", b"hello"),
        Case("an array, no object", b"[]"),
        Case("nested 100,000 deep", b"[" * 100_000),
        Case("something after the JSON", good + b"}"),
        Case("no inputs", b"{}", "inputs"),
        Case("empty list of inputs", b'{"inputs":[]}', x),
        Case("input null", b'{"inputs":[null]}'),
        Case("data missing", request(without=("data",)), x),
        Case("data null", request(data=None), x),
        Case("data a string", request(data="abc"), x),
        Case("strings in data", request(data=["a"] * TINY.count), x),
        Case("null in data", request(data=[None] * TINY.count), x),
        Case("fewer values than the shape", request(data=FLOATS[:3]), x),
        Case("more values than the shape", request(data=FLOATS * 2), x),
        Case("shape missing", request(without=("shape",)), "shape"),
        Case("shape of another rank", request(shape=[TINY.count]), x),
        Case("shape the model does not take", request(shape=[1, 15], data=FLOATS[:15]), x),
        Case("shape negative", request(shape=[1, -16]), "shape"),
        Case("shape of 2^40", request(shape=[1, 1 << 40]), x),
        Case("shape whose product overflows", request(shape=[1 << 33, 1 << 33]), x),
        Case("shape a string", request(shape="1,16"), "shape"),
        Case("datatype unknown", request(datatype="FLOAT"), "FLOAT"),
        Case("datatype not the model's", request(datatype="INT64", data=[1] * TINY.count), x),
        Case("input unknown", request(name="nobody"), "nobody"),
        Case("input twice", json.dumps({"inputs": [TINY.tensor() | {"data": FLOATS}] * 2}).encode(), x),
        Case("NaN", good.replace(str(FLOATS[0]).encode(), b"NaN"), x),
        Case("Infinity", good.replace(str(FLOATS[0]).encode(), b"-Infinity"), x),
        Case("number too large", good.replace(str(FLOATS[0]).encode(), b"1e999"), x),
        Case("output unknown", good[:-1] + b',"outputs":[{"name":"nobody"}]}', "nobody"),
        Case("model unknown", good, "nobody", model="nobody"),
        Case("binary: fewer bytes", binary[:-4], x, {length: str(head)}),
        Case("binary: more bytes", binary + b"1234", "", {length: str(head)}),
        Case("binary: length of the JSON too large", binary, length, {length: str(len(binary) + 1)}),
        Case("binary: length no number", binary, length, {length: "abc"}),
    ]


def ask(server, case):
    """(status, answer); status 0 when there is none."""
    try:
        return server.post(case.model, case.body, case.headers, ANSWER_SECONDS_MAX)
    except (OSError, http.client.HTTPException):
        return 0, b""


def grown_by(server, act):
    """Bytes by which the server's resident memory rose at most while act() ran."""
    def status(pid, field):
        try:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return 0  # ended meanwhile
        return next((int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith(field)), 0)
    pids = server.pids()
    before = {pid: status(pid, "VmRSS") for pid in pids}
    for pid in pids:
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak counts from now
    act()
    return sum(max(0, status(pid, "VmHWM") - before[pid]) for pid in pids)


def large(server):
    """(status, bytes of the answer, memory in bodies) of a body whose data is one long string."""
    body = request(data="1," * (LARGE_BYTES // 2))
    answers = []
    grown = grown_by(server, lambda: answers.append(ask(server, Case("large", body))))
    return answers[0][0], len(answers[0][1]), grown / len(body)


def refused_at_once(server):
    """Whether a body of 100 MB is refused by its announced length, before it is sent."""
    host, port = server.rest.split(":")
    head = (f"POST {server.path(TINY.name)} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {HUGE_BYTES}\r\n\r\n")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode())
        readable, _, _ = select.select([connection], [], [], 1)
        return bool(readable) and b" 413 " in connection.recv(100)


def judge(server):
    """Everything that one server does with bad input."""
    answers = {case.what: ask(server, case) for case in cases()}
    begun = time.monotonic()
    status, answer_bytes, bodies = large(server)
    return {
        "codes": {what: status for what, (status, _) in answers.items()} | {f"{LARGE_BYTES >> 20} MB of nonsense": status},
        "unnamed": [case.what for case in cases() if case.names.strip('"').encode() not in answers[case.what][1]
                    or not answers[case.what][1]],
        "answer_bytes": answer_bytes, "bodies": bodies, "seconds": time.monotonic() - begun,
        "refused": refused_at_once(server), "alive": server.answers(TINY),
    }


def print_codes(found):
    """Which code each server answers; 0 is none at all."""
    names = list(found)
    print(f"  {'':<40}" + "".join(f"{name:>10}" for name in names))
    for what in found[names[0]]["codes"]:
        print(f"  {what:<40}" + "".join(f"{found[name]['codes'].get(what, '-'):>10}" for name in names))


def run(context):
    found = {}
    for make in (Snug, *context.peers):
        with make([TINY]) as server:
            known = {case.what for case in cases() if server.binary_rest or not case.what.startswith("binary")}
            found[server.name] = judged = judge(server)
            judged["codes"] = {what: code for what, code in judged["codes"].items()
                               if what in known or "nonsense" in what}
            judged["unnamed"] = [what for what in judged["unnamed"] if what in known]
    print_codes(found)
    bad = {name: sum(not 400 <= code < 500 for code in judged["codes"].values()) for name, judged in found.items()}
    figures = {
        "requests that get no 4xx": (bad, 0, "0"),
        "answers that do not name what is wrong": ({n: len(j["unnamed"]) for n, j in found.items()}, 0, "0"),
        "answer to 40 MB of nonsense, bytes": ({n: j["answer_bytes"] for n, j in found.items()}, 1000, "no echo: at most 1000"),
        "memory taken by 40 MB of nonsense, bodies": ({n: round(j["bodies"], 2) for n, j in found.items()}, 1.2, "at most 1.2"),
        "100 MB received before the answer": ({n: int(not j["refused"]) for n, j in found.items()}, 0, "0: 413 by the length"),
        "does not serve on afterwards": ({n: int(not j["alive"]) for n, j in found.items()}, 0, "0"),
    }
    rows = []
    for what, (by_server, limit, target) in figures.items():
        snug = by_server.pop(Snug.name)
        rows.append(Row(f"bad input ({len(cases()) + 1} kinds): {what}", "", target, snug, snug <= limit, by_server))
    rows[1].note = "; ".join(found[Snug.name]["unnamed"])
    return rows
