#!/usr/bin/env bash
# Makes a folder that can be deployed: the pipeline beside this script with the weights that `make models` made.
#   examples/page_ocr/assemble.sh OUT [MODELS]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:?usage: assemble.sh OUT [MODELS]}
models=${2:-$here/../../build/models-src}/ocr
[ -e "$models/det/ir/model.xml" ] || { echo "no models in $models: run make models" >&2; exit 1; }
mkdir -p "$out"
cp -r "$here/page_ocr/." "$out"
steps=$out/1/steps
mkdir -p "$steps"/{detector,recogniser,read}/1
cp "$models"/det/ir/model.{xml,bin} "$steps/detector/1"
cp "$models"/ir_batch/model.{xml,bin} "$steps/recogniser/1"
cp "$models/dict.txt" "$steps/read/1"
