#!/usr/bin/env bash
# Makes build/venv/onnxruntime for the engine of that name: ONNX Runtime's library from its wheel, and the headers of its C
# API, which no wheel and no Debian package has, from a Go module that carries them as Microsoft wrote them (MIT). The
# module is held to its hash; of Go only the downloader is used.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
module=github.com/yalue/onnxruntime_go
version=v1.27.0
sum=h1:c1YSgDNtpf0WGtxj3YeRIb8VC5LmM1J+Ve3uHdteC1U=

say() { printf '[setup] %s\n' "$*"; }
fail() { printf '[setup] %s\n' "$*" >&2; exit 1; }

main() {
  "$here/venvs.sh" onnxruntime
  local include=$root/build/venv/onnxruntime/include got header
  [ ! -f "$include/onnxruntime_c_api.h" ] || return 0
  command -v go >/dev/null || fail "go is missing: apt-get install golang-go, then again"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  say "headers of ONNX Runtime: fetching $module $version"
  got=$(GOMODCACHE=$work/modules GOFLAGS=-modcacherw GONOSUMDB=$module go mod download -json "$module@$version") ||
    fail "the module could not be fetched: $got"
  grep -qF "\"Sum\": \"$sum\"" <<<"$got" || fail "the module is not the one that was pinned: $got"
  for header in onnxruntime_c_api.h onnxruntime_ep_c_api.h; do
    install -D -m 644 "$work/modules/$module@$version/$header" "$include/$header"
  done
}

main
