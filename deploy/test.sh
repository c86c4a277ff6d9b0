#!/usr/bin/env bash
# From a bare Debian machine to a passed test suite: installs, builds, tests.
#   deploy/test.sh           everything but benchmarks
#   deploy/test.sh --lint    also formatting, clang-tidy and both sanitizer presets (slow)
set -euo pipefail
cd "$(dirname "$0")/.."

lint=""
if [[ "${1:-}" == "--lint" ]]; then lint="--lint"; fi

started=$SECONDS
deploy/setup.sh $lint
echo "test: building (a cold build takes several minutes on two cores)"
deploy/build.sh release
echo "test: built after $((SECONDS - started)) s"

export VOXBIT_SHARED="${VOXBIT_SHARED:-$(cd .. && pwd)/shared}"
if [[ -d "$VOXBIT_SHARED" ]]; then
  echo "test: recordings and real data from $VOXBIT_SHARED"
else
  echo "test: no folder $VOXBIT_SHARED: only what a clone alone can prove is tested"
fi
ctest --test-dir build/release --output-on-failure --no-tests=error

if [[ -n "$lint" ]]; then deploy/ci/lint.sh; fi
echo "test: passed after $((SECONDS - started)) s"
