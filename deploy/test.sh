#!/usr/bin/env bash
# From a bare Debian machine to a passed test suite: installs, builds, tests.
#   deploy/test.sh           everything but benchmarks
#   deploy/test.sh --lint    also formatting, clang-tidy and both sanitizer presets (slow)
# VOXBIT_SHARED names the folder with recordings and real data [../shared]. Without it only what a
# clone alone can prove is tested; with CI=true that is an error, and so is every warning.
set -euo pipefail

lint=""
for argument in "$@"; do
  case "$argument" in
    --lint) lint="--lint" ;;
    -h|--help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "test: unknown argument $argument; see --help" >&2; exit 2 ;;
  esac
done

if [[ -n "${VOXBIT_SHARED:-}" ]]; then VOXBIT_SHARED="$(realpath -m "$VOXBIT_SHARED")"; fi
cd "$(dirname "$0")/.."
export VOXBIT_SHARED="${VOXBIT_SHARED:-$(cd .. && pwd)/shared}"
if [[ -d "$VOXBIT_SHARED" ]]; then
  echo "test: recordings and real data from $VOXBIT_SHARED"
elif [[ "${CI:-}" == "true" ]]; then
  echo "test: no folder $VOXBIT_SHARED; CI needs it, VOXBIT_SHARED can name another" >&2
  exit 1
else
  echo "test: no folder $VOXBIT_SHARED: only what a clone alone can prove is tested"
fi

started=$SECONDS
deploy/setup.sh $lint
echo "test: building (a cold build takes several minutes on two cores)"
deploy/build.sh release
echo "test: built after $((SECONDS - started)) s"

ctest --test-dir build/release -j "$(nproc)" --output-on-failure --no-tests=error

if [[ -n "$lint" ]]; then deploy/ci/lint.sh; fi
echo "test: passed after $((SECONDS - started)) s"
