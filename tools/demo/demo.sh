#!/usr/bin/env bash
# Runs the demo. It leaves the platform running and says where; with CI=true, or when it fails or is interrupted, it
# stops everything it started.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1

# With CI=true nothing may depend on a port being free.
ports=()
[ "${CI:-}" = true ] && ports=(--port 0 --front-door-port 0)

stop() { tools/demo/stop.sh; }
interrupted() {
  trap '' INT TERM
  stop
  exit 130
}
trap interrupted INT TERM

python3 tools/demo/demo.py "${ports[@]}"
status=$?
if [ $status != 0 ] || [ "${CI:-}" = true ]; then
  stop
else
  echo
  echo "  The platform goes on running; \`make stop\` ends it."
fi
exit $status
