#!/usr/bin/env python3
"""How many texts bf16 changes, with and without the layers that tools/models/ocr_precise.py keeps in f32.

    build/venv/convert/bin/python bench/server/ocr_precision.py [--json FILE]

Reads every line of the scanned pages that the recogniser is sure of: those that were left when the demo's lines were chosen,
and the demo's lines. Needs a CPU with bf16.
"""
import argparse
import json
import pathlib
import re
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
OCR = ROOT / "build/models-src/ocr"
sys.path.insert(0, str(ROOT / "tools/models"))

import numpy as np  # noqa: E402
import ocr_lines  # noqa: E402
import openvino as ov  # noqa: E402
from ocr_reading import decode, load_dictionary, tensor_of  # noqa: E402
from PIL import Image  # noqa: E402


def compiled(file, precision):
    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    return ov.Core().compile_model(file, "CPU", settings)


def without_marks(folder):
    """The recogniser as it was before layers were marked."""
    text = (OCR / "ir/model.xml").read_text(encoding="utf-8")
    (folder / "model.xml").write_text(re.sub(r'<attribute name="DisablePrecisionConversion"[^>]*/>', "", text), encoding="utf-8")
    (folder / "model.bin").symlink_to(OCR / "ir/model.bin")
    return folder / "model.xml"


def all_lines(dictionary):
    """(tensor, text in f32, whether the demo has it)"""
    demo = {line["reference_text"] for line in json.loads((OCR / "lines/manifest.json").read_text())["lines"]}
    detector, recogniser = ocr_lines.compiled(OCR / "det/ir/model.xml"), ocr_lines.compiled(OCR / "onnx/model.onnx")
    for file in sorted((OCR / "pages").glob("*.png")):
        page = np.array(Image.open(file).convert("RGB"))
        for image, text, _ in ocr_lines.readable(page, detector, recogniser, dictionary):
            yield tensor_of(image), text, text in demo


def changed(model, lines, dictionary):
    begin = time.process_time()
    texts = [decode(model(tensor)[0][0], dictionary)[0] for tensor, _, _ in lines]
    row = {"cpu_ms": (time.process_time() - begin) / len(lines) * 1e3}
    for name, wanted in (("others", False), ("demo", True)):
        row[name] = sum(text != line[1] for text, line in zip(texts, lines) if line[2] == wanted)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    if "BF16" not in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        sys.exit("this CPU has no bf16: nothing to compare")
    dictionary = load_dictionary(OCR / "dict.txt")
    lines = list(all_lines(dictionary))
    demo = sum(line[2] for line in lines)
    with tempfile.TemporaryDirectory() as folder:
        plain = without_marks(pathlib.Path(folder))
        rows = {
            "f32": changed(compiled(plain, "f32"), lines, dictionary),
            "bf16, all layers": changed(compiled(plain, "bf16"), lines, dictionary),
            "bf16, marked layers in f32": changed(compiled(OCR / "ir/model.xml", "bf16"), lines, dictionary),
        }
    print(f"{'changed texts':<28}{f'of {len(lines) - demo} others':>16}{f'of {demo} in the demo':>20}{'CPU ms':>8}")
    for name, row in rows.items():
        print(f"{name:<28}{row['others']:>16}{row['demo']:>20}{row['cpu_ms']:>8.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
