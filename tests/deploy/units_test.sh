#!/usr/bin/env bash
# units_test.sh BIN: every unit of deploy/systemd is free of faults and warnings, starts programs
# that are there, and one with an unknown setting would be noticed.
set -euo pipefail
bin="$1"
source="${VOXBIT_SOURCE_DIR:?}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# systemd-analyze ends with 0 after warnings, too.
judge() { systemd-analyze verify --man=no "$1" 2>&1 || echo "systemd-analyze ended with $?"; }

for unit in "$source"/deploy/systemd/*.service; do
  copy="$folder/$(basename "$unit")"
  sed -e "s#/opt/voxbit/build/release/bin#$bin#" -e "s#/opt/voxbit#$source#" "$unit" >"$copy"
  said=$(judge "$copy")
  if [[ -n "$said" ]]; then
    echo "$unit: $said" >&2
    exit 1
  fi
  sed -i 's/^KillMode=/KilMode=/' "$copy"
  if ! grep -q 'KilMode' <<<"$(judge "$copy")"; then
    echo "$unit: an unknown setting goes unnoticed" >&2
    exit 1
  fi
done
