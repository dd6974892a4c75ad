"""What every peer executes: an ONNX file in ONNX Runtime with one thread, tensors of KServe v2's JSON in and out."""
import os

import numpy as np
import onnxruntime as ort

TYPES = {"FP32": np.float32, "INT32": np.int32, "INT64": np.int64}
NAMES = {np.dtype(numpy_type): name for name, numpy_type in TYPES.items()}


def models_from_environment():
    """{name: path}: set by the benchmark for servers whose workers are started by somebody else."""
    return dict(pair.split("=", 1) for pair in os.environ["BENCH_MODELS"].split(","))


class OnnxModel:
    def __init__(self, path):
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self.session.get_outputs()]

    def run(self, inputs):
        """{name: array} to [(name, array)]."""
        return list(zip(self.outputs, self.session.run(self.outputs, inputs)))

    def run_json(self, tensors):
        """The list of a request's "inputs" to that of an answer's "outputs"."""
        inputs = {t["name"]: np.array(t["data"], TYPES[t["datatype"]]).reshape(t["shape"]) for t in tensors}
        return [{"name": name, "datatype": NAMES[array.dtype], "shape": list(array.shape), "data": array.ravel().tolist()}
                for name, array in self.run(inputs)]
