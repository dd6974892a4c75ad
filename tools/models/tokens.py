"""A small model of token sequences of any length, with a mask: each token to 4 scores, all of them to a label's 4.

    tokens.py OUT      writes OUT/model.onnx (fixed random weights)
"""
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TOKENS, HIDDEN, CLASSES = 256, 128, 4


def weights():
    rng = np.random.default_rng(58)
    shapes = {"embedding": (TOKENS, HIDDEN), "w": (HIDDEN, HIDDEN), "per_token": (HIDDEN, CLASSES), "per_text": (HIDDEN, CLASSES)}
    return {name: (rng.standard_normal(shape) / 8).astype(np.float32) for name, shape in shapes.items()}


def main():
    one, two = (numpy_helper.from_array(np.array([axis], np.int64), name) for name, axis in (("one", 1), ("two", 2)))
    nodes = [
        helper.make_node("Gather", ["embedding", "ids"], ["embedded"]),
        helper.make_node("MatMul", ["embedded", "w"], ["mixed"]),
        helper.make_node("Relu", ["mixed"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "per_token"], ["scores"]),
        helper.make_node("Unsqueeze", ["mask", "two"], ["weight"]),
        helper.make_node("Mul", ["hidden", "weight"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "one"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "one"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("MatMul", ["mean", "per_text"], ["label"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "tokens",
        [value("ids", TensorProto.INT64, ["batch", "length"]), value("mask", TensorProto.FLOAT, ["batch", "length"])],
        [value("scores", TensorProto.FLOAT, ["batch", "length", CLASSES]), value("label", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(array, name) for name, array in weights().items()] + [one, two],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    onnx.save(model, out / "model.onnx")


main()
