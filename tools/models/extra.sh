#!/usr/bin/env bash
# Makes the small models of tests and benchmarks: build/models-src/{tiny,tokens,half_plus_two,magika,silero} (README.md says what they are).
# Needs `tools/setup/venvs.sh convert`. Costs nothing when nothing changed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

place() {
  install -D -m 644 "$models"/src/extra/magika/models/standard_v3_3/model.onnx "$models/magika/model.onnx"
  install -D -m 644 "$models"/src/extra/silero_vad/data/silero_vad_openvino_16k.onnx "$models/silero/model.onnx"
}

tiny() { TF_CPP_MIN_LOG_LEVEL=2 "$python" "$here/tiny.py" "$models/tiny"; }
tokens() { "$python" "$here/tokens.py" "$models/tokens"; }
half_plus_two() { TF_CPP_MIN_LOG_LEVEL=2 "$python" "$here/half_plus_two.py" "$models/half_plus_two"; }

main() {
  step extra-fetch "magika and silero: fetching (26 MB)" "$root/tools/setup/requirements/extra.txt" -- fetch_and_unpack extra
  step extra-place "magika and silero: placing the models" -- place
  step extra-tiny "tiny: making the model" "$here/tiny.py" -- tiny
  step extra-tokens "tokens: making the model" "$here/tokens.py" -- tokens
  step extra-half-plus-two "half_plus_two: making the model" "$here/half_plus_two.py" -- half_plus_two
}

main
