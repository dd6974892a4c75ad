"""A model small enough that only the server's own cost shows: 16 -> 32 (ReLU) -> 4, fixed random weights.

    tiny.py OUT      writes OUT/onnx/model.onnx, OUT/ir/model.xml, OUT/saved_model and OUT/example.json
"""
import json
import pathlib
import shutil
import sys

import numpy as np
import onnx
import openvino as ov
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

INPUTS, HIDDEN, OUTPUTS = 16, 32, 4


def weights():
    rng = np.random.default_rng(58)
    shapes = {"w1": (INPUTS, HIDDEN), "b1": (HIDDEN,), "w2": (HIDDEN, OUTPUTS), "b2": (OUTPUTS,)}
    return {name: (rng.standard_normal(shape) / 4).astype(np.float32) for name, shape in shapes.items()}


def answer(x, w):
    return np.maximum(x @ w["w1"] + w["b1"], 0) @ w["w2"] + w["b2"]


def onnx_model(w):
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "w2", "b2"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", INPUTS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", OUTPUTS])],
        [numpy_helper.from_array(value, name) for name, value in w.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def save_tensorflow(w, folder):
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        x = tf.compat.v1.placeholder(tf.float32, [None, INPUTS], "x")
        y = tf.add(tf.nn.relu(x @ w["w1"] + w["b1"]) @ w["w2"], w["b2"], name="y")
        tf.compat.v1.saved_model.simple_save(session, str(folder), {"x": x}, {"y": y})


def main():
    out = pathlib.Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    (out / "onnx").mkdir(parents=True)
    w = weights()
    onnx.save(onnx_model(w), out / "onnx" / "model.onnx")
    ov.save_model(ov.convert_model(out / "onnx" / "model.onnx"), out / "ir" / "model.xml", compress_to_fp16=False)
    save_tensorflow(w, out / "saved_model")

    x = (np.arange(2 * INPUTS, dtype=np.float32) / 10 - 1).reshape(2, INPUTS)
    y = answer(x, w)
    example = {"x": x.tolist(), "y": y.tolist()}
    (out / "example.json").write_text(json.dumps(example, indent=1) + "\n")

    by_openvino = ov.Core().compile_model(out / "ir" / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)[0]
    loaded = tf.saved_model.load(str(out / "saved_model"))
    by_tensorflow = loaded.signatures["serving_default"](x=tf.constant(x))["y"].numpy()
    for name, other in (("IR", by_openvino), ("SavedModel", by_tensorflow)):
        assert np.allclose(other, y, atol=1e-5), f"{name} answers {other}, not {y}"


main()
