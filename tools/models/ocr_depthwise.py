"""Rewrites onnx2tf's grouped convolutions as depthwise ones.

    ocr_depthwise.py SAVED_MODEL OUT      writes OUT/saved_model, OUT/saved_model_parted and, as it was, OUT/saved_model_raw

onnx2tf writes a depthwise convolution as Conv2D with a filter [h, w, 1, channels]. TensorFlow without oneDNN has no fast
kernel for that: three quarters of the model's time go there. DepthwiseConv2dNative computes the same from the same numbers
with the filter read as [h, w, channels, 1].

DepthwiseConv2dNative wants equal strides, and four layers halve one axis only. They stay as they are in saved_model, where
oneDNN computes them well. In saved_model_parted, which is faster without oneDNN and slower with it, their sum is parted by the parity of the
filter's row (or column): even rows of the filter meet only even rows of the input, odd ones only odd, so that

    out[i] = sum_k filter[k] x[2i + k]  =  sum_m filter[2m] x[2(i+m)]  +  sum_m filter[2m+1] x[2(i+m)+1]

which is the sum of two convolutions with stride 1, with as many multiplications as before.
"""
import pathlib
import shutil
import sys

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

HEIGHT, WIDTH = 1, 2  # axes of NHWC


def constant_behind(nodes, name):
    node = nodes[name.split(":")[0]]
    while node.op == "Identity":
        node = nodes[node.input[0].split(":")[0]]
    return tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None


def is_depthwise(node, filters):
    return node.op == "Conv2D" and filters is not None and filters.shape[2] == 1 and filters.shape[3] > 1


def depthwise(x, filters, stride, padding):
    filters = tf.constant(np.transpose(filters, (0, 1, 3, 2)))
    return tf.raw_ops.DepthwiseConv2dNative(input=x, filter=filters, strides=[1, stride, stride, 1], padding=padding)


def parted(x, filters, axis):
    """The convolution with stride 2 along the axis, 1 along the other, without padding."""
    taps = filters.shape[axis - 1]
    length = (x.shape[axis] - taps) // 2 + 1
    parts = []
    for parity in (0, 1):
        some = filters[parity::2] if axis == HEIGHT else filters[:, parity::2]
        begin, end, step = [0] * 4, list(x.shape), [1] * 4
        begin[axis], step[axis] = parity, 2
        end[axis] = parity + 2 * (length + some.shape[axis - 1] - 1) - 1
        parts.append(depthwise(tf.strided_slice(x, begin, end, step), some, 1, "VALID"))
    return tf.add(*parts)


def strides_of(node):
    strides = list(node.attr["strides"].list.i)
    return strides[HEIGHT], strides[WIDTH]


def convolved(node, x, filters):
    strides, padding = strides_of(node), node.attr["padding"].s.decode()
    assert list(node.attr["dilations"].list.i) == [1, 1, 1, 1] and node.attr["data_format"].s == b"NHWC"
    if strides[0] == strides[1]:
        return depthwise(x, filters, strides[0], padding)
    assert sorted(strides) == [1, 2] and padding == "VALID", (node.name, strides, padding)
    return parted(x, filters, HEIGHT if strides[0] == 2 else WIDTH)


def replacement(node, shape, filters):
    """Nodes that compute what the node does, the last of them under its name."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, shape, "x")
        result = convolved(node, x, filters).op.name
    names = {"x": node.input[0], result: node.name}
    for part in graph.as_graph_def().node:
        if part.name != "x":
            part.input[:] = [names.get(name, f"{node.name}/{name}") for name in part.input]
            part.name = names.get(part.name, f"{node.name}/{part.name}")
            yield part


def rewritten(graph, unequal):
    """The graph's definition with grouped convolutions replaced, those of unequal strides if wanted; and how many were."""
    definition = graph.as_graph_def()
    nodes = {node.name: node for node in definition.node}
    result, count = tf.compat.v1.GraphDef(versions=definition.versions), 0
    for node in definition.node:
        filters = constant_behind(nodes, node.input[1]) if node.op == "Conv2D" else None
        if is_depthwise(node, filters) and (unequal or len(set(strides_of(node))) == 1):
            shape = graph.get_operation_by_name(node.name).inputs[0].shape
            result.node.extend(replacement(node, shape, filters))
            count += 1
        else:
            result.node.append(node)
    for node in result.node:
        node.attr.pop("_output_shapes", None)
    return result, count


def save(frozen, unequal, folder):
    definition, count = rewritten(frozen.graph, unequal)
    kept = sum(node.op == "Conv2D" for node in definition.node)
    print(f"[models] OCR: {folder.name}: {count} convolutions rewritten, {kept} others kept", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        tf.graph_util.import_graph_def(definition, name="")
        tensor = session.graph.get_tensor_by_name
        inputs, outputs = {"x": tensor(frozen.inputs[0].name)}, {"probabilities": tensor(frozen.outputs[0].name)}
        tf.compat.v1.saved_model.simple_save(session, str(folder), inputs, outputs)


def main():
    source, out = map(pathlib.Path, sys.argv[1:3])
    loaded = tf.saved_model.load(str(source))  # held: it owns the variables
    frozen = convert_variables_to_constants_v2(loaded.signatures["serving_default"])
    save(frozen, False, out / "saved_model")
    save(frozen, True, out / "saved_model_parted")
    shutil.rmtree(out / "saved_model_raw", ignore_errors=True)
    shutil.copytree(source, out / "saved_model_raw", ignore=shutil.ignore_patterns("*.tflite"))


main()
