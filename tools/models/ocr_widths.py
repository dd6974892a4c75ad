"""PP-OCRv4's recogniser as OpenVINO IR with batch and width left open.

    ocr_widths.py RENAMED.onnx OUT      writes OUT/model.xml
"""
import pathlib
import sys

import openvino as ov

source, out = map(pathlib.Path, sys.argv[1:3])
out.mkdir(parents=True, exist_ok=True)
ov.save_model(ov.convert_model(source, input=[-1, 3, 48, -1]), out / "model.xml", compress_to_fp16=False)
