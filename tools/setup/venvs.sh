#!/usr/bin/env bash
# Makes the Python environments of the build, each from a list of exact versions and hashes (requirements/NAME.txt):
#
#   tools/setup/venvs.sh [NAME ...]      runtime, python, convert, test; all four without a name, others only by name
#
#   build/venv/runtime   libraries that the engines link to, and Envoy
#   build/venv/python    what Python models run with: numpy
#   build/venv/convert   model converters; uses runtime's packages too
#   build/venv/test      client libraries and pytest for the system tests
#   build/venv/torch     LibTorch, for the torch engine (550 MB to download)
#   build/venv/onnxruntime   ONNX Runtime, for its engine
#   build/venv/tensorrt      CUDA's runtime and its headers, for the TensorRT engine
#   build/venv/peer-*    other model servers, for benchmarks (60-130 MB to download, each)
#
# SNUG_VENVS: another folder than build/venv.
# One that is up to date costs nothing; one whose list has changed, or that was interrupted, is made anew.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
venvs=${SNUG_VENVS:-$root/build/venv}
python=/usr/bin/python3  # Debian's own: the wheels in the lists are for its version and no other.

say() { printf '[setup] %s\n' "$*"; }
fail() { printf '[setup] %s\n' "$*" >&2; exit 1; }

# What the stamp of an environment holds once it is complete: whatever changes the result.
key() {
  local layout=1
  [ "$1" != runtime ] || layout=2
  echo "layout $layout, $root, $("$python" -V), $(sha256sum <"$here/requirements/$1.txt")"
}

# Turns pip's output into one line for each file of a megabyte and more.
progress() {
  sed -un -E -e "s/^ *(Downloading|Using cached) (.*\/)?([^/ -]+)-[^ ]+ \(([0-9.]+) MB\)\$/[setup] python wheels for $1: \3 (\4 MB)/p" \
    -e "s/^Installing collected packages.*/[setup] python wheels for $1: unpacking/p"
}

install_wheels() {
  local name=$1 dir=$2 log=$root/build/logs/venv-$1.log
  # Not compiled to .pyc: most of it is never imported, and what is gets compiled then.
  "$dir/bin/python" -m pip --disable-pip-version-check --no-color install --no-deps --require-hashes --only-binary=:all: --no-compile \
    --progress-bar off -r "$here/requirements/$name.txt" 2>&1 | tee "$log" | progress "$name" && return
  tail -n 15 "$log" >&2
  fail "the wheels of $name could not be installed (all of it: $log)"
}

# convert imports TensorFlow and OpenVINO from where they are already.
link_runtime() {
  local -a site=("$venvs"/runtime/lib/python3*/site-packages)
  local -a own=("$1"/lib/python3*/site-packages)
  printf '%s\n' "${site[0]}" >"${own[0]}/snug-runtime.pth"
}

# Without it oneTBB binds no threads. With it, a thread that executes an OpenVINO model is bound to all processors and back again
# at each execution, also where OpenVINO is told not to pin: two system calls that change nothing (docs/engines.md).
leave_out_binding() {
  rm "$1"/lib/python3*/site-packages/openvino/libs/libtbbbind_*.so.*
}

make_venv() {
  local name=$1 dir=$venvs/$1 stamp=$venvs/$1/snug.stamp
  [ -f "$here/requirements/$name.txt" ] || fail "no environment is called $name: runtime, python, convert, test, torch, onnxruntime, tensorrt or peer-..."
  [ "$name" != convert ] || make_venv runtime
  [ "$(cat "$stamp" 2>/dev/null)" != "$(key "$name")" ] || return 0
  say "python environment $name: making ${dir#"$root"/}"
  mkdir -p "$root/build/logs"
  # Through a link, what would be deleted is another checkout's.
  [ ! -L "$venvs" ] || fail "${venvs#"$root"/} is a link to $(readlink -f "$venvs"), where $name is missing or out of date: make it there, or remove the link"
  rm -rf "$dir"
  "$python" -m venv "$dir" || fail "no environment could be made: is python3-venv installed? tools/setup/packages.sh installs it"
  install_wheels "$name" "$dir"
  [ "$name" != runtime ] || leave_out_binding "$dir"
  [ "$name" != convert ] || link_runtime "$dir"
  key "$name" >"$stamp"
  say "python environment $name: done"
}

main() {
  local name
  [ -x "$python" ] || fail "$python is missing: run tools/setup/packages.sh first"
  # One at a time: a second build in the same tree waits here instead of tearing down what the first one makes.
  mkdir -p "$venvs"
  exec 9>"$venvs/.lock"
  flock -n 9 || { say "another run is under way: waiting for it"; flock 9; }
  [ $# -gt 0 ] || set -- runtime python convert test
  for name in "$@"; do make_venv "$name"; done
}

main "$@"
