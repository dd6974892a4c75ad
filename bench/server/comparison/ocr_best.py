"""ocr_best.py IN.onnx OUT.onnx: the best index and its probability of each column instead of all probabilities.

Runs in build/venv/convert.
"""
import sys

import onnx
from onnx import TensorProto, helper

model = onnx.load(sys.argv[1])
graph = model.graph
scores = graph.output[0].name
columns = graph.output[0].type.tensor_type.shape.dim[1].dim_value
graph.node.append(helper.make_node("ArgMax", [scores], ["index"], axis=2, keepdims=0))
graph.node.append(helper.make_node("ReduceMax", [scores], ["score"], axes=[2], keepdims=0))
del graph.output[:]
graph.output.append(helper.make_tensor_value_info("index", TensorProto.INT64, [1, columns]))
graph.output.append(helper.make_tensor_value_info("score", TensorProto.FLOAT, [1, columns]))
onnx.checker.check_model(model)
onnx.save(model, sys.argv[2])
