#!/usr/bin/env bash
# Makes build/models-src/ocr: the text recognition model of PP-OCRv4 in the formats of three engines, and scanned text for
# it to read (tools/models/README.md says what is in there and what a client has to compute).
# Needs `tools/setup/venvs.sh convert`. Costs nothing when nothing changed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

packages=$models/src/ocr work=$models/work/ocr out=$models/ocr

original_to_onnx() {
  rm -rf "$work"
  mkdir -p "$work" "$out"
  "$python" "$here/ocr_convert.py" "$packages/rapidocr_onnxruntime/models" "$work" "$out"
}

# onnx2tf loads the .npy from a server unless it lies in the current folder; it only compares its steps' results with it.
onnx_to_tensorflow() {
  cd "$work"
  "$python" -c "import numpy; numpy.save('calibration_image_sample_data_20x128x128x3_float32.npy', numpy.zeros((20, 128, 128, 3), 'f'))"
  TF_CPP_MIN_LOG_LEVEL=2 "$python" -m onnx2tf -i "$out/onnx/model.onnx" -o "$work/onnx2tf" -k x -osd -n
}

# Each form of the model is a folder that can be deployed as it is: the parser looks for the dictionary beside the model.
add_dictionaries() {
  local form
  for form in ir ir_batch ir_widths onnx saved_model saved_model_raw; do
    cmp -s "$out/dict.txt" "$out/$form/dict.txt" || cp "$out/dict.txt" "$out/$form/dict.txt"
  done
}

main() {
  local onnx lines precise
  step ocr-fetch "OCR: fetching the model and scans (35 MB)" "$root/tools/setup/requirements/ocr.txt" -- fetch_and_unpack ocr
  step ocr-onnx "OCR: ONNX with fixed shapes, OpenVINO IR" "$here/ocr_convert.py" -- original_to_onnx
  onnx=$chain
  step ocr-lines "OCR: cutting scanned pages into lines" "$here/ocr_lines.py" "$here/ocr_reading.py" -- \
    "$python" "$here/ocr_lines.py" "$packages" "$out"
  lines=$chain chain=$onnx
  step ocr-precise "OCR: marking the layers that stay in f32 under bf16" "$here/ocr_precise.py" -- \
    "$python" "$here/ocr_precise.py" "$out/ir/model.xml" "$out/ir_batch/model.xml"
  precise=$chain chain=$onnx
  step ocr-widths "OCR: OpenVINO IR of any width" "$here/ocr_widths.py" -- \
    "$python" "$here/ocr_widths.py" "$work/renamed.onnx" "$out/ir_widths"
  chain=$onnx
  step ocr-tensorflow "OCR: ONNX to SavedModel (a minute)" -- onnx_to_tensorflow
  step ocr-depthwise "OCR: grouped convolutions to depthwise ones" "$here/ocr_depthwise.py" -- \
    "$python" "$here/ocr_depthwise.py" "$work/onnx2tf" "$out"
  chain+=$lines$precise
  step ocr-check "OCR: comparing the engines' answers" "$here/ocr_check.py" -- "$python" "$here/ocr_check.py" "$out"
  add_dictionaries
}

main
