#!/usr/bin/env bash
# Runs other people's clients and tests against Snug (README.md says which), one table at the end:
#
#   tests/peers/run.sh [NAME ...]     triton-examples perf-analyzer mlserver kserve schemathesis; all without a name
#
# What packages carry is installed by it, pinned and by hash, into build/venv/peer-NAME. Triton's examples are only run
# where $TRITON_CLIENT is a checkout of their repository. Exit code: 0 when all that ran passed.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${SNUG_VENVS:-$root/build/venv}
unpacked=$root/build/peers/perf-analyzer
export PYTHONDONTWRITEBYTECODE=1

# Like an environment, but only unpacked: the wheels are for other machines than a venv is (a CUDA library, an old client).
unpack_perf_analyzer() {
  local list=$root/tools/setup/requirements/perf-analyzer.txt key wheel
  key=$(sha256sum <"$list")
  [ "$(cat "$unpacked/snug.stamp" 2>/dev/null)" = "$key" ] && return
  rm -rf "$unpacked" "$unpacked.wheels"
  "$venv/test/bin/python" -m pip --disable-pip-version-check download --quiet --no-deps --require-hashes \
    --only-binary=:all: --platform manylinux1_x86_64 --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 \
    --dest "$unpacked.wheels" -r "$list" || return
  for wheel in "$unpacked.wheels"/*.whl; do "$venv/test/bin/python" -m zipfile -e "$wheel" "$unpacked" || return; done
  echo "$key" >"$unpacked/snug.stamp"
}

run() {
  case $1 in
    triton-examples)
      if [ -z "${TRITON_CLIENT:-}" ]; then
        echo "skip  Triton's client examples: TRITON_CLIENT names no checkout"
      else
        "$venv/test/bin/python" "$here/triton_examples.py" "$TRITON_CLIENT"
      fi ;;
    perf-analyzer) unpack_perf_analyzer && "$venv/test/bin/python" "$here/perf_analyzer.py" "$unpacked" ;;
    mlserver) "$root/tools/setup/venvs.sh" peer-mlserver && "$venv/peer-mlserver/bin/python" "$here/mlserver_infer.py" ;;
    kserve) "$root/tools/setup/venvs.sh" peer-kserve && "$venv/peer-kserve/bin/python" "$here/kserve_clients.py" ;;
    schemathesis)
      "$root/tools/setup/venvs.sh" peer-schemathesis && "$venv/peer-schemathesis/bin/python" "$here/openapi.py" ;;
    *) sed -n '2,8p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
}

[ $# -gt 0 ] || set -- triton-examples perf-analyzer mlserver kserve schemathesis
"$root/tools/setup/venvs.sh" test || exit 1
mkdir -p "$root/build/peers"
failed=()
for name in "$@"; do run "$name" || failed+=("$name"); done
[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
echo "all passed"
