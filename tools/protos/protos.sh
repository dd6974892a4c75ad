#!/usr/bin/env bash
# Writes the descriptors of the protocols that others define, out of the wheels of their Python packages:
#
#   build/protos/oip.fds          KServe v2 with Triton's extensions (grpc_service.proto, model_config.proto)
#   build/protos/xds.fds          all of Envoy's API
#   build/protos/ads_closure.txt  the files of it that the aggregated discovery service needs, one a line
#   build/protos/tfs.fds          TensorFlow Serving and the messages of TensorFlow
#   build/protos/tfs_closure.txt  the files of it that its prediction and model services need
#
# Used as  protoc --descriptor_set_in=build/protos/oip.fds --cpp_out=… --grpc_out=… grpc_service.proto
# Needs tools/setup/packages.sh and `tools/setup/venvs.sh runtime` (for pip and for TensorFlow's own messages).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$root/build/protos
requirements=$root/tools/setup/requirements/protos.txt
log=$root/build/logs/protos.log

say() { printf '[protos] %s\n' "$*"; }
fail() { printf '[protos] %s\n' "$*" >&2; exit 1; }

key() { echo "$(cat "$here"/protos.sh "$here"/descriptors.py "$requirements" | sha256sum) $(protoc --version)"; }

fetch_wheels() {
  local pip=$root/build/venv/runtime/bin/python
  [ -x "$pip" ] || fail "build/venv/runtime is missing: run tools/setup/venvs.sh runtime first"
  "$pip" -m pip --disable-pip-version-check download --quiet --no-deps --require-hashes --only-binary=:all: \
    --dest "$out/wheels" -r "$requirements" >"$log" 2>&1 && return
  tail -n 15 "$log" >&2
  fail "the wheels could not be downloaded"
}

extract() { /usr/bin/python3 "$here/descriptors.py" "$@"; }

write_sets() {
  # Well-known types from Debian's own files, so that they are those of the libprotobuf that is linked.
  protoc -I/usr/include --include_imports --descriptor_set_out="$out/known.fds" /usr/include/google/protobuf/*.proto
  extract --out "$out/oip.fds" "$out/known.fds" "$out"/wheels/tritonclient-*.whl
  extract --out "$out/xds.fds" --list "$out/ads_closure.txt" --closure-of envoy/service/discovery/v3/ads.proto \
    "$out/known.fds" "$out"/wheels/xds_protos-*.whl
  extract --out "$out/tfs.fds" --list "$out/tfs_closure.txt" --closure-of tensorflow_serving/apis/prediction_service.proto \
    --closure-of tensorflow_serving/apis/model_service.proto \
    "$out/known.fds" "$out"/wheels/tensorflow_serving_api-*.whl "$root"/build/venv/runtime/lib/python3*/site-packages/tensorflow
  rm "$out/known.fds"
}

main() {
  [ "$(cat "$out/stamp" 2>/dev/null)" != "$(key)" ] || return 0
  mkdir -p "$out" "${log%/*}"
  rm -rf "$out/stamp" "$out/wheels"
  say "descriptors of KServe v2, xDS and TensorFlow Serving: fetching three wheels (2 MB)"
  fetch_wheels
  say "descriptors of KServe v2, xDS and TensorFlow Serving: extracting"
  write_sets
  key >"$out/stamp"
  say "done: build/protos"
}

main
