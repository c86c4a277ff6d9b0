#!/bin/sh
# run_golden_check.sh GOLDEN_CHECK: the recordings of this repository, and the shared ones where
# they are present. In CI (CI=true) the shared ones must be present.
set -eu
source_dir=${VOXBIT_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
shared=${VOXBIT_SHARED:-$source_dir/../shared}
set -- "$1" "$source_dir/tests/golden"
for folder in sparse mini/sparse point_transformer mini/point_transformer pct mini/pct \
              haq mini/haq metrics mini/metrics \
              pointnet2/ops.safetensors procgen_check.safetensors; do
  if [ -e "$shared/golden/$folder" ]; then
    set -- "$@" "$shared/golden/$folder"
  elif [ "${CI:-}" = true ]; then
    echo "$shared/golden/$folder is missing" >&2
    exit 1
  fi
done
exec "$@"
