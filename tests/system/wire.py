"""Protobuf by hand: a few messages that need no generated code, and a small ONNX model made of them."""
import struct


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def content(field, value):
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def fields(message):
    """{field: value} of a message whose fields are varints and byte strings."""
    found, at = {}, 0

    def take():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = take()
        value = take()
        if tag & 7 == 2:
            value, at = message[at:at + value], at + value
        found[tag >> 3] = value
    return found


def onnx_add(constant, width=4):
    """An ONNX model y = x + constant, x and y float32 [N, width]: versions are told apart by what they answer."""
    def tensor(name):
        dims = content(1, content(2, "N")) + content(1, number(1, width))
        return content(1, name) + content(2, content(1, number(1, 1) + content(2, dims)))

    node = content(1, "x") + content(1, "b") + content(2, "y") + content(3, "add") + content(4, "Add")
    constant = number(1, 1) + number(2, 1) + content(8, "b") + content(9, struct.pack("<f", constant))
    graph = content(1, node) + content(2, "g") + content(5, constant) + content(11, tensor("x")) + content(12, tensor("y"))
    return number(1, 8) + content(7, graph) + content(8, content(1, "") + number(2, 13))


def predict_request(model, payload, content_type="", version=""):
    """snug.v1.PredictRequest"""
    return content(1, model) + content(2, version) + content(3, content_type) + content(4, payload)
