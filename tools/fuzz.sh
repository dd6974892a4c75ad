#!/usr/bin/env bash
# Runs the fuzzers of build/fuzz (`make fuzz` builds them), as many at a time as there are CPUs:
#
#   tools/fuzz.sh SECONDS [NAME…]
#
# What a fuzzer finds worth keeping stays in build/fuzz/corpus/NAME for the next run, beside the seeds in src. An input
# that crashes one, leaks, takes 25 s or more than 2 GB is left in build/fuzz/found, and its log in build/fuzz/logs.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
seconds=$1
shift
names=("$@")
[ $# = 0 ] && mapfile -t names < <(ls build/fuzz/fuzz)
mkdir -p build/fuzz/{corpus,found,logs}

fuzz_one() {
  local seconds=$1 name=$2 seeds log status=0
  seeds=$(find src -type d -name "${name}_corpus")
  log=build/fuzz/logs/$name.log
  mkdir -p "build/fuzz/corpus/$name"
  UBSAN_OPTIONS=print_stacktrace=1 "build/fuzz/fuzz/$name" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/found/$name-" "build/fuzz/corpus/$name" $seeds \
    > "$log" 2>&1 || status=$?
  local runs covered
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  covered=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
  if [ $status = 0 ]; then
    echo "$name: clean, ${runs:-0} inputs, ${covered:-cov: 0}"
  else
    echo "$name: FAILED ($(grep -m 1 -E 'ERROR|runtime error|SUMMARY' "$log")); $log"
  fi
  return $status
}
export -f fuzz_one

echo "[fuzz] ${#names[@]} fuzzers, $seconds s each, $(nproc) at a time"
printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I {} bash -c 'fuzz_one "$@"' fuzz "$seconds" {}
status=$?
failed=$(find build/fuzz/found -type f | wc -l)
echo "${#names[@]} fuzzers, $([ $status = 0 ] && echo none failed || echo "some failed, $failed inputs in build/fuzz/found")"
exit $status
