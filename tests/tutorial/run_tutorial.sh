#!/bin/sh
# run_tutorial.sh BIN OPTION...: follows docs/tutorial.md with the programs in BIN on the shared
# data where they are present, and checks without running what a clone alone can prove where they
# are not. In CI (CI=true) the data must be present. Options go to follow_tutorial.py.
set -eu
source_dir=${VOXBIT_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
data=${VOXBIT_SHARED:-$source_dir/../shared}/data
set -- /usr/bin/python3 "$source_dir/tests/tutorial/follow_tutorial.py" --bin "$@"
if [ -d "$data" ]; then
  set -- "$@" --data "$data"
elif [ "${CI:-}" = true ]; then
  echo "$data is missing" >&2
  exit 1
fi
exec "$@"
