"""The models that Triton's client examples call, made from nothing but this file: small ONNX graphs, written byte by
byte, and Python models for strings, which OpenVINO does not compute with."""
import pathlib
import shutil
import sys

INT32, INT8 = 6, 3  # ONNX's element types
# Models of sequences that Triton's clients call, which are an example of their own.
SEQUENCES = pathlib.Path(__file__).resolve().parents[2] / "examples/sequences/models"


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    data = value if isinstance(value, bytes) else value.encode()
    return varint(field << 3 | 2) + varint(len(data)) + data


def value_info(name, element, width):
    """A ValueInfoProto of shape [batch, width]."""
    shape = text(1, text(2, "batch")) + text(1, number(1, width))
    return text(1, name) + text(2, text(1, number(1, element) + text(2, shape)))


def node(operator, inputs, output):
    return b"".join(text(1, name) for name in inputs) + text(2, output) + text(3, output) + text(4, operator)


def sum_and_difference(element):
    """A ModelProto: OUTPUT0 = INPUT0 + INPUT1, OUTPUT1 = INPUT0 - INPUT1."""
    inputs = ["INPUT0", "INPUT1"]
    graph = text(1, node("Add", inputs, "OUTPUT0")) + text(1, node("Sub", inputs, "OUTPUT1")) + text(2, "simple")
    graph += b"".join(text(11, value_info(name, element, 16)) for name in inputs)
    graph += b"".join(text(12, value_info(name, element, 16)) for name in ("OUTPUT0", "OUTPUT1"))
    return number(1, 8) + text(7, graph) + text(8, text(1, "") + number(2, 14))


STRING = '''"""Integers as strings: their sum and their difference."""
import numpy as np


class SimpleString:
    inputs = {"INPUT0": ("BYTES", [-1, 16]), "INPUT1": ("BYTES", [-1, 16])}
    outputs = {"OUTPUT0": ("BYTES", [-1, 16]), "OUTPUT1": ("BYTES", [-1, 16])}

    def predict(self, inputs):
        a, b = (np.vectorize(int, otypes=[np.int64])(inputs[name]) for name in ("INPUT0", "INPUT1"))
        return {"OUTPUT0": (a + b).astype(str).astype(object), "OUTPUT1": (a - b).astype(str).astype(object)}
'''

IDENTITY = '''"""Its input."""


class SimpleIdentity:
    inputs = {"INPUT0": ("BYTES", [-1, -1])}
    outputs = {"OUTPUT0": ("BYTES", [-1, -1])}

    def predict(self, inputs):
        return {"OUTPUT0": inputs["INPUT0"]}
'''

FILES = {"simple": {"1/model.onnx": sum_and_difference(INT32)},
         "simple_int8": {"1/model.onnx": sum_and_difference(INT8)},
         "simple_string": {"1/model.py": STRING.encode()},
         "simple_identity": {"1/model.py": IDENTITY.encode()}}


def names():
    """Of all models, those of sequences included."""
    return sorted([*FILES, *(path.name for path in SEQUENCES.glob("*"))])


def write(directory):
    """A repository of all of them in `directory`."""
    shutil.copytree(SEQUENCES, directory, dirs_exist_ok=True)
    for name, files in FILES.items():
        for path, content in files.items():
            target = pathlib.Path(directory) / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


if __name__ == "__main__":
    write(sys.argv[1])
