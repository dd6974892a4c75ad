"""Fails unless every form of the OCR model reads the same text in every line.

    ocr_check.py OUT

Where the CPU has bf16, OpenVINO's IR has to read the same in bf16, too.
"""
import json
import os
import pathlib
import sys
import time

import numpy as np
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import openvino as ov
import tensorflow as tf

from ocr_reading import decode, load_dictionary, tensor_of

TOLERANCE = 2e-3  # of a probability: the engines sum in different orders
TOLERANCE_BF16 = 1.0  # no bound: near a tie between two characters it may be all; the texts decide


def openvino(file, precision="f32"):
    model = ov.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    return lambda tensor: model(tensor)[0]


def tensorflow(folder):
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures["serving_default"]

    def run(tensor, keep=loaded):  # it owns the variables
        return next(iter(signature(x=tf.constant(tensor)).values())).numpy()

    return run


def main():
    out = pathlib.Path(sys.argv[1])
    lines = json.loads((out / "lines" / "manifest.json").read_text(encoding="utf-8"))["lines"]
    dictionary = load_dictionary(out / "dict.txt")
    tensors = [tensor_of(np.array(Image.open(out / "lines" / line["name"]).convert("RGB"))) for line in lines]
    expected = [openvino(out / "onnx" / "model.onnx")(tensor).copy() for tensor in tensors]
    forms = {
        "ir": openvino(out / "ir" / "model.xml"),
        "ir_batch": openvino(out / "ir_batch" / "model.xml"),
        "saved_model": tensorflow(out / "saved_model"),
        "saved_model_parted": tensorflow(out / "saved_model_parted"),
        "saved_model_raw": tensorflow(out / "saved_model_raw"),
    }
    if "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        forms["ir in bf16"] = openvino(out / "ir" / "model.xml", "bf16")
    failed = False
    for name, run in forms.items():
        apart, others, begin = 0.0, [], time.monotonic()
        for line, tensor, wanted in zip(lines, tensors, expected):
            answer = run(tensor)
            apart = max(apart, float(np.abs(answer - wanted).max()))
            text, _ = decode(answer[0], dictionary)
            if text != line["reference_text"]:
                others.append((line["name"], text, line["reference_text"]))
        milliseconds = (time.monotonic() - begin) * 1000 / len(lines)
        print(f"[models] OCR: {name}: {len(lines) - len(others)} of {len(lines)} texts as ONNX's, "
              f"probabilities within {apart:.1e}, {milliseconds:.0f} ms each")  # fmt: skip
        for other in others:
            print("[models]   %s: %r instead of %r" % other)
        failed |= bool(others) or apart > (TOLERANCE_BF16 if name.endswith("bf16") else TOLERANCE)
    if failed or len(lines) < 24:
        sys.exit(f"the forms of the model disagree, or there are too few lines ({len(lines)})")


main()
