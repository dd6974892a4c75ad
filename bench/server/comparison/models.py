"""The models that all servers are given, and the requests that all of them get."""
import dataclasses
import json
import pathlib
import random
import struct
import subprocess

from model_server import ROOT

SOURCES = ROOT / "build/models-src"
WORK = ROOT / "build/bench/models"


@dataclasses.dataclass(frozen=True)
class Model:
    name: str
    onnx: pathlib.Path
    input: str
    datatype: str
    shape: tuple

    @property
    def count(self):
        product = 1
        for dim in self.shape:
            product *= dim
        return product

    def values(self):
        """The same each time. Floats have the digits that Python prints of a double: what clients send."""
        rng = random.Random(58)
        if self.datatype == "INT32":
            return [rng.randrange(256) for _ in range(self.count)]
        return [rng.uniform(-1, 1) for _ in range(self.count)]

    def tensor(self):
        return {"name": self.input, "datatype": self.datatype, "shape": list(self.shape)}

    def json_body(self):
        return json.dumps({"inputs": [self.tensor() | {"data": self.values()}]}).encode()

    def raw(self):
        return struct.pack(f"<{self.count}{'i' if self.datatype == 'INT32' else 'f'}", *self.values())

    def binary_body(self):
        """(KServe v2's JSON and raw bytes in one, the JSON's length)."""
        raw = self.raw()
        head = json.dumps({"inputs": [self.tensor() | {"parameters": {"binary_data_size": len(raw)}}]}).encode()
        return head + raw, len(head)

    def request_files(self, directory):
        """Writes NAME.json, NAME.binary and NAME.raw there."""
        for suffix, body in (("json", self.json_body()), ("binary", self.binary_body()[0]), ("raw", self.raw())):
            (directory / f"{self.name}.{suffix}").write_bytes(body)


TINY = Model("tiny", SOURCES / "tiny/onnx/model.onnx", "x", "FP32", (1, 16))
MAGIKA = Model("magika", SOURCES / "magika/model.onnx", "bytes", "INT32", (1, 2048))
RANKER = Model("ranker", WORK / "ranker/model.onnx", "x", "FP32", (1, 256))
OCR = Model("ocr", WORK / "ocr/model.onnx", "x", "FP32", (1, 3, 48, 320))


def _make(model, program, *sources):
    """Runs `program SOURCES... MODEL-FILE` unless the file is newer than all of them."""
    maker = pathlib.Path(__file__).parent / program
    newest = max(file.stat().st_mtime for file in (maker, *sources))
    if model.onnx.exists() and model.onnx.stat().st_mtime >= newest:
        return
    model.onnx.parent.mkdir(parents=True, exist_ok=True)
    python = ROOT / "build/venv/convert/bin/python"
    subprocess.run([str(word) for word in (python, maker, *sources, model.onnx)], check=True)


def prepare():
    """The OCR model with its answer brought down to the best index and score of each column: what a client needs,
    and not a megabyte of probabilities, which would hide what the request costs. And the ranker."""
    _make(OCR, "ocr_best.py", SOURCES / "ocr/onnx/model.onnx")
    _make(RANKER, "ranker.py")


def _fields(data, begin, end):
    """(field number, begin, end of its bytes) of a protobuf message's length-delimited fields."""
    def varint(at):
        value, shift = 0, 0
        while True:
            byte = data[at]
            value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
            if byte < 0x80:
                return value, at
    while begin < end:
        tag, begin = varint(begin)
        kind = tag & 7
        if kind == 0:
            _, begin = varint(begin)
        elif kind == 2:
            length, begin = varint(begin)
            yield tag >> 3, begin, begin + length
            begin += length
        else:
            begin += {1: 8, 5: 4}[kind]


def other_weights(onnx, seed):
    """The bytes of the ONNX file with a low bit of the mantissa of some floats in each large tensor changed."""
    rng = random.Random(seed)
    data = bytearray(onnx.read_bytes())
    graph, tensors, raw_data = 7, 5, 9  # ModelProto.graph, GraphProto.initializer, TensorProto.raw_data
    for number, begin, end in _fields(data, 0, len(data)):
        for inner, first, last in _fields(data, begin, end) if number == graph else ():
            for field, at, stop in _fields(data, first, last) if inner == tensors else ():
                if field == raw_data and stop - at >= 4096:
                    for place in range(at, stop - 3, 256):
                        data[place] ^= 1 << rng.randrange(8)
    return bytes(data)


def distinct(model, target, seed):
    """Writes the model with other weights."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(other_weights(model.onnx, seed))
