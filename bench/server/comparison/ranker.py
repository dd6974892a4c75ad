"""A model whose executions gain from batches: a ranker's dense layers, 256 -> 1024 -> 1024 -> 1, fixed random weights.

    ranker.py OUT.onnx      with the Python of build/venv/convert

At one row each of its 5 MB of weights is read for one multiplication; a batch reads them once.
"""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZES = (256, 1024, 1024, 1)


def main():
    rng = np.random.default_rng(58)
    nodes, weights, last = [], [], "x"
    for layer, (inputs, outputs) in enumerate(zip(SIZES, SIZES[1:])):
        weight = (rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)).astype(np.float32)
        weights += [numpy_helper.from_array(weight, f"w{layer}"),
                    numpy_helper.from_array(np.zeros(outputs, np.float32), f"b{layer}")]
        dense = f"dense{layer}" if outputs > 1 else "score"
        nodes.append(helper.make_node("Gemm", [last, f"w{layer}", f"b{layer}"], [dense]))
        if outputs > 1:
            nodes.append(helper.make_node("Relu", [dense], [f"active{layer}"]))
        last = f"active{layer}"
    graph = helper.make_graph(nodes, "ranker", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", SIZES[0]])],
                              [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch", 1])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, sys.argv[1])


main()
