#!/usr/bin/env bash
# Turns lists of exact versions (*.in) into lists with the sha256 of every file (*.txt), which pip is then held to.
#
#   tools/setup/pin.sh FILE.in [...]      after a change of FILE.in; commit both
#
# Needs one of the environments of venvs.sh, for its pip, and downloads every file once. Wheels only, except for what a
# comment `# source: NAME` in the .in names.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pip() { "$(printf '%s\n' "$root"/build/venv/*/bin/python | head -n 1)" -m pip --disable-pip-version-check "$@"; }

# One requirement with its hash, from one downloaded file.
pin_line() {
  local requirement=$1 file=$2
  printf '%s --hash=sha256:%s  # %s\n' "$requirement" "$(sha256sum "$file" | cut -d' ' -f1)" "$(size "$file")"
}

size() { du --apparent-size -BK "$1" | awk '{k = $1 + 0; if (k < 1000) print k " KB"; else printf "%.0f MB\n", k / 1024}'; }

pin() {
  local list=$1 out=${1%.in}.txt requirement
  local -a files source
  printf '# Made by tools/setup/pin.sh from %s: change that one.\n' "$(basename "$list")" >"$work/out"
  while read -r requirement; do
    source=(--only-binary=:all:)
    if grep -q "^# source: ${requirement%%=*}\$" "$list"; then source=(--no-binary "${requirement%%=*}"); fi
    rm -rf "$work/files"
    pip download --quiet --no-deps "${source[@]}" --dest "$work/files" "$requirement"
    files=("$work"/files/*)
    pin_line "$requirement" "${files[0]}" >>"$work/out"
    echo "[pin] $requirement: ${files[0]##*/}"
  done < <(sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$list")
  cp "$work/out" "$out"
}

[ $# -gt 0 ] || { sed -n '2,7p' "${BASH_SOURCE[0]}"; exit 2; }
for list in "$@"; do pin "$list"; done
