#!/usr/bin/env bash
# All figures of docs/benchmarks.md, one after the other; results also as JSON in build/bench/. A few minutes on an
# otherwise idle machine.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
mkdir -p build/bench
python=build/venv/test/bin/python

echo "== engines on OCR through the front door, CPU per request (rounds of the demo)"
$python bench/server/engines.py --json build/bench/engines.json
echo
echo "== snug-server against the engine called directly, OCR, one thread"
$python bench/server/ocr_ceiling.py --json build/bench/ocr_ceiling.json
echo
echo "== the way through snug-server with a tiny model, beside a bare gRPC echo"
$python bench/server/path_cost.py --json build/bench/path_cost.json
echo
echo "== memory and start of snug-server"
$python bench/server/memory.py --json build/bench/memory.json
echo
echo "== front door: changes, and overhead beside nginx"
$python bench/front_door/front_door_bench.py --json build/bench/front_door.json
