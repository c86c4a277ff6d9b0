#!/usr/bin/env bash
# From a bare Debian machine to a Pareto front: installs, builds, and runs a small architecture
# search on synthetic LiDAR, or on a folder of your own.
#   deploy/quickstart.sh [--data FOLDER] [--out FOLDER] [--trials N]
# FOLDER has velodyne/, labels/, classes.tsv, train.txt and val.txt (docs/data.md).
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
data=""
out=""
trials=""
while [[ $# -gt 0 ]]; do
  case "$1" in
    --data) data="$(realpath -e "${2:?--data needs a folder}")"; shift 2 ;;
    --out) out="$(realpath -m "${2:?--out needs a folder}")"; shift 2 ;;
    --trials) trials="${2:?--trials needs a number}"; shift 2 ;;
    -h|--help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "quickstart: unknown argument $1; see --help" >&2; exit 2 ;;
  esac
done
cd "$here/.."

say() { printf '\n== %s\n' "$*"; }

say "1/5 Installing what is missing (Debian packages)"
deploy/setup.sh
say "2/5 Building (several minutes the first time, seconds afterwards)"
deploy/build.sh release search-server search-worker search-client
bin="$PWD/build/release/bin"

if [[ -n "$data" ]]; then
  study=lidar
  template=deploy/examples/quickstart_lidar.json
else
  study=quickstart
  template=deploy/examples/quickstart.json
fi
out="${out:-$PWD/runs/$study}"
mkdir -p "$out"
config="$out/config.json"
overrides=(--set "/server/store=$out/store")
if [[ -n "$data" ]]; then overrides+=(--set "/studies/0/dataset/root=$data"); fi
if [[ -n "$trials" ]]; then overrides+=(--set "/studies/0/search/trials=$trials"); fi
"$bin/search-server" --config "$template" "${overrides[@]}" --check >"$config"

say "3/5 Starting the coordinator and one worker (config: $config, log: $out/server.log)"
"$bin/search-server" --config "$config" >"$out/server.out" 2>"$out/server.log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true' EXIT
address=""
for _ in $(seq 100); do
  address="$(sed -n 's/^listening on //p' "$out/server.out")"
  [[ -n "$address" ]] && break
  if ! kill -0 "$server" 2>/dev/null; then
    cat "$out/server.log" >&2
    exit 1
  fi
  sleep 0.1
done
if [[ -z "$address" ]]; then
  echo "quickstart: the server did not start within 10 s; see $out/server.log" >&2
  exit 1
fi
export VOXBIT_SERVER="$address"
echo "server on $address"

say "4/5 Searching: profile the data, train the supernet once, then score sub-networks with its weights"
"$bin/search-client" study watch "$study"

say "5/5 Results"
"$bin/search-client" pareto "$study" --plot "$out/front.svg"
"$bin/search-client" export "$study" --best miou --out "$out/export"
cat <<EOF

Picture of the front:   $out/front.svg
Exported sub-network:   $out/export/
Everything measured:    search-client trial list $study   (store: $out/store)

Go on:
  $bin/search-server --config $config     # continues where it stopped
  export VOXBIT_SERVER=HOST:PORT          # as the server prints it
  $bin/search-client trial show $study 1
  README.md tells how to use your own data and several GPUs.
EOF
