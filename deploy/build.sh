#!/usr/bin/env bash
# Configures and builds one preset: deploy/build.sh [PRESET [TARGET...]]; default: release, all.
set -euo pipefail
cd "$(dirname "$0")/.."

preset="${1:-release}"
shift || true
options=()
if [[ "${CI:-}" == "true" ]]; then options+=(-DVOXBIT_WERROR=ON); fi

cmake --preset "$preset" "${options[@]}" >"/tmp/voxbit-configure-$$.log" 2>&1 || {
  cat "/tmp/voxbit-configure-$$.log" >&2
  exit 1
}
rm -f "/tmp/voxbit-configure-$$.log"
cmake --build --preset "$preset" --target "${@:-all}"
