#!/usr/bin/env bash
# Installs what Voxbit needs to build and run, from Debian packages. Safe to run again: it does
# nothing when everything is there. Needs root or sudo.
#   deploy/setup.sh          what building and testing needs
#   deploy/setup.sh --lint   also clang, clang-format and clang-tidy
set -euo pipefail

case "${1:-}" in
  ""|--lint) ;;
  -h|--help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "setup: unknown argument $1; see --help" >&2; exit 2 ;;
esac

packages=(
  # tool chain
  build-essential cmake ninja-build ccache pkg-config
  # libraries (docs/dependencies.md says why each)
  libtorch-dev libopenblas0-pthread libopenblas-dev
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  libsqlite3-dev libssl-dev zlib1g-dev libtbb-dev libboost-dev
  nlohmann-json3-dev libspdlog-dev libcli11-dev
  # tests: unit tests, the independent client, and what judges the units of deploy/systemd
  libgtest-dev libgmock-dev python3 python3-grpcio python3-protobuf systemd
)
if [[ "${1:-}" == "--lint" ]]; then
  packages+=(clang clang-tidy clang-format)
fi

missing=()
for package in "${packages[@]}"; do
  if [[ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" != "install ok installed" ]]; then
    missing+=("$package")
  fi
done
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi

as_root=()
if [[ $EUID -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: needs root to install: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "setup: installing ${#missing[@]} packages: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "setup: done"
