#!/usr/bin/env bash
# The slow gates: formatting, clang-tidy with thread-safety analysis, TSan, ASan + UBSan.
set -euo pipefail
cd "$(dirname "$0")/../.."

git ls-files '*.cc' '*.h' | xargs clang-format --dry-run -Werror
echo "lint: formatting is clean"
CI=true deploy/build.sh tidy
echo "lint: clang-tidy is clean"
CI=true deploy/build.sh tsan
ctest --test-dir build/tsan --output-on-failure --no-tests=error
echo "lint: ThreadSanitizer is clean"
CI=true deploy/build.sh asan
# LeakSanitizer cannot see through LibTorch's and gRPC's own caches.
ASAN_OPTIONS=detect_leaks=0 ctest --test-dir build/asan --output-on-failure --no-tests=error
echo "lint: AddressSanitizer and UndefinedBehaviorSanitizer are clean"
