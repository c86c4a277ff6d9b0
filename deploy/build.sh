#!/usr/bin/env bash
# Configures and builds one preset: deploy/build.sh [PRESET [TARGET...]]; default: release, all.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
  -h|--help) sed -n '2s/^# //p' "$0"; exit 0 ;;
  -*) echo "build: unknown argument $1; see --help" >&2; exit 2 ;;
esac
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
