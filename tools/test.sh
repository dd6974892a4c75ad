#!/usr/bin/env bash
# Runs the tests of a build by label and ends with one line that counts them:
#
#   tools/test.sh build/release fast system
set -uo pipefail
build=$1
shift
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
export SNUG_BIN_DIR=${SNUG_BIN_DIR:-$root/$build/bin}

passed=0 failed=0 skipped=0

# ctest counts a test program as one test; a reader wants to know how many cases ran.
count() { grep -o "$1=\"[0-9]*\"" "$2" | head -n 1 | grep -o '[0-9]*'; }

status=0
for label in "$@"; do
  report=$build/test-$label.xml
  jobs=2
  [ "$label" = system ] && jobs=1  # they start whole platforms: one at a time
  ctest --test-dir "$build" -L "^$label\$" -j "$jobs" --output-on-failure --no-tests=error \
    --output-junit "$root/$report" || status=1
  f=$(count failures "$report") s=$(count skipped "$report") t=$(count tests "$report")
  failed=$((failed + ${f:-1})) skipped=$((skipped + ${s:-0}))
  passed=$((passed + ${t:-0} - ${f:-0} - ${s:-0}))
done
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
