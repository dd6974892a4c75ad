#!/usr/bin/env bash
# Ends the platform of the demo, if it runs. Deployed models stay for the next `make demo`.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
[ -d build/demo/state ] || exit 0
SNUG_STATE=build/demo/state build/bin/snug down
