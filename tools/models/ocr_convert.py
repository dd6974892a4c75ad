"""PP-OCRv4's models as ONNX with fixed shapes and as OpenVINO IR, and the recogniser's dictionary.

    ocr_convert.py FOLDER-WITH-THE-ORIGINALS WORK OUT
"""
import pathlib
import sys

import onnx
import onnxsim
import openvino as ov

OUTPUT = "probabilities"


def rename_output(model, new):
    old = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = [new if name == old else name for name in node.output]
    model.graph.output[0].name = new


def save_ir(onnx_file, folder, shape):
    folder.mkdir(parents=True, exist_ok=True)
    model = ov.convert_model(onnx_file, input=shape)
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)


def recogniser(original, work, out):
    model = onnx.load(original)
    rename_output(model, OUTPUT)
    characters = next(entry.value for entry in model.metadata_props if entry.key == "character")
    (out / "dict.txt").write_text(characters.rstrip("\n") + "\n", encoding="utf-8")

    (out / "onnx").mkdir(exist_ok=True)
    fixed, agrees = onnxsim.simplify(model, overwrite_input_shapes={"x": [1, 3, 48, 320]})
    assert agrees, "onnxsim changed the model's answers"
    onnx.save(fixed, out / "onnx" / "model.onnx")
    save_ir(out / "onnx" / "model.onnx", out / "ir", [1, 3, 48, 320])

    # The batch left open, from the original: the fixed one has 1 in its reshapes.
    renamed = work / "renamed.onnx"
    onnx.save(model, renamed)
    save_ir(renamed, out / "ir_batch", [-1, 3, 48, 320])


def detector(original, out):
    save_ir(original, out / "det" / "ir", [1, 3, -1, -1])


def main():
    originals, work, out = map(pathlib.Path, sys.argv[1:4])
    recogniser(originals / "ch_PP-OCRv4_rec_infer.onnx", work, out)
    detector(originals / "ch_PP-OCRv4_det_infer.onnx", out)


main()
