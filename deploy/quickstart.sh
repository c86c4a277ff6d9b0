#!/usr/bin/env bash
# From a bare Debian machine to a Pareto front: installs, builds, and runs a small architecture
# search on synthetic LiDAR, or on a folder of your own.
#   deploy/quickstart.sh [--data FOLDER] [--out FOLDER] [--trials N]
# FOLDER has LiDAR scans or objects in one of the layouts of docs/data.md; its files are looked at,
# and features, scales and voxel size chosen by what they hold.
# Run again, it goes on where it stopped, or shows the results again. A run that failed, was
# stopped, or had other settings is moved aside, to OUT/old-1, OUT/old-2 and so on.
set -euo pipefail

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; }
here="$(cd "$(dirname "$0")" && pwd)"
data=""
out=""
trials=""
while [[ $# -gt 0 ]]; do
  case "$1" in
    --data) data="$(realpath -e "${2:?--data needs a folder}")"; shift 2 ;;
    --out) out="$(realpath -m "${2:?--out needs a folder}")"; shift 2 ;;
    --trials) trials="${2:?--trials needs a number}"; shift 2 ;;
    -h|--help) usage; exit 0 ;;
    *) echo "quickstart: unknown argument $1; see --help" >&2; exit 2 ;;
  esac
done
cd "$here/.."

say() { printf '\n== %s\n' "$*"; }
# A command to copy, indented.
show() {
  local words
  printf -v words '%q ' "$@"
  printf '  %s\n' "${words% }"
}

say "1/5 Installing what is missing (Debian packages)"
deploy/setup.sh
say "2/5 Building (several minutes the first time, seconds afterwards)"
deploy/build.sh release search-server search-worker search-client
bin="$PWD/build/release/bin"

study=quickstart
example=quickstart
metric=miou
if [[ -n "$data" ]]; then
  say "Looking at $data"
  suggestion="$("$bin/search-worker" suggest --data "$data" -o lines)" || exit $?
  suggested() { sed -n "s/^$1=//p" <<<"$suggestion"; }
  example="$(suggested example)"
  study="${example#quickstart_}"
  metric="$(suggested metric)"
fi
template="deploy/examples/$example.json"
out="${out:-$PWD/runs/$study}"
mkdir -p "$out"
config="$out/config.json"
log="$out/server.log"
overrides=(--set "/server/store=$out/store")
if [[ -n "$data" ]]; then
  overrides+=(--set "/studies/0/dataset=$(suggested dataset)")
  overrides+=(--set "/studies/0/objectives/0/metric=$metric")
  if [[ -n "$(suggested task)" ]]; then
    overrides+=(--set "/studies/0/supernet/task=$(suggested task)")
  fi
fi
if [[ -n "$trials" ]]; then overrides+=(--set "/studies/0/search/trials=$trials"); fi
# The configuration of the last run stays until this one has started.
"$bin/search-server" --config "$template" "${overrides[@]}" --check >"$config.new" || {
  code=$?
  rm -f "$config.new"
  exit "$code"
}

server=""
watch=""
stop_server() {
  if [[ -z "$server" ]]; then return 0; fi
  kill "$server" 2>/dev/null || true
  while kill -0 "$server" 2>/dev/null; do wait "$server" 2>/dev/null || true; done
  server=""
}
leave() {
  if [[ -n "$watch" ]]; then kill "$watch" 2>/dev/null || true; fi
  stop_server
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  printf 'quickstart: %s\nThe end of %q:\n' "$1" "$log" >&2
  tail -n 20 "$log" >&2
  exit 1
}

# Returns 1 when the server ends instead of listening.
start_server() {
  rm -f "$out/server.out"  # the address in it would be an old one
  "$bin/search-server" --config "$config.new" >"$out/server.out" 2>"$log" &
  server=$!
  local address=""
  for _ in $(seq 600); do
    address="$(sed -n 's/^listening on //p' "$out/server.out" 2>/dev/null || true)"
    if [[ -n "$address" ]]; then
      export VOXBIT_SERVER="$address"
      return 0
    fi
    kill -0 "$server" 2>/dev/null || return 1
    sleep 0.1
  done
  fail "the server does not answer"
}

move_aside() {
  local n=1 name
  while [[ -e "$out/old-$n" ]]; do n=$((n + 1)); done
  mkdir "$out/old-$n"
  for name in store config.json front.svg export; do
    if [[ -e "$out/$name" ]]; then mv "$out/$name" "$out/old-$n/"; fi
  done
  if [[ -e "$log.last" ]]; then mv "$log.last" "$out/old-$n/server.log"; fi
  echo "quickstart: $1: moved it to $out/old-$n"
}

study_state() {
  "$bin/search-client" -o json study show "$study" | sed -n 's/^  "state": "\([a-z]*\)".*/\1/p'
}

say "3/5 Starting the coordinator and its local workers (log: $log)"
rm -f "$log.last"
if [[ -e "$log" ]]; then mv "$log" "$log.last"; fi
if ! start_server; then
  grep -q 'with other settings' "$log" || fail "the server did not start"
  move_aside "the run in $out had other settings"
  start_server || fail "the server did not start"
fi
state="$(study_state)"
case "$state" in
  failed|stopped)
    stop_server
    move_aside "the last run in $out has $state"
    start_server || fail "the server did not start"
    ;;
  paused) "$bin/search-client" --quiet study resume "$study" >/dev/null ;;
esac
mv "$config.new" "$config"
echo "server on $VOXBIT_SERVER, config: $config"

say "4/5 Searching: profile the data, train the supernet once, then score sub-networks with its weights"
# The front comes below. Whichever ends first, the study or the server, ends the waiting.
"$bin/search-client" study watch "$study" >/dev/null &
watch=$!
while kill -0 "$watch" 2>/dev/null; do
  kill -0 "$server" 2>/dev/null || fail "the server ended before the study"
  sleep 0.2
done
wait "$watch" || true
watch=""
state="$(study_state || true)"
case "$state" in
  completed) ;;
  failed|stopped) fail "the study has $state; the next run moves it aside and starts anew" ;;
  *) fail "the study has not completed; the next run goes on with it" ;;
esac

say "5/5 Results"
"$bin/search-client" pareto "$study" --plot "$out/front.svg"
"$bin/search-client" export "$study" --best "$metric" --out "$out/export"
stop_server
bundle="$(ls -td "$out/export/$study"-*/ | head -n 1)"
bundle="${bundle%/}"
cat <<EOF

Picture of the front:   $out/front.svg
Exported sub-network:   $bundle
Everything measured:    $out/store

Score the exported network on the validation data again:
$(show "$bin/search-worker" predict --bundle "$bundle" --split val)
Label files of your own with it, in place of FILE:
$(show "$bin/search-worker" predict --bundle "$bundle" --out "$out/labels" FILE)

The server has stopped. Start it again to look at more; it serves what is stored, Ctrl-C stops it:
$(show "$bin/search-server" --config "$config" --set /server/grpc=127.0.0.1:50051)
and in another terminal:
$(show "$bin/search-client" trial list "$study" --sort "$metric")
$(show "$bin/search-client" trial show "$study" "${bundle##*-}")
$(show "$bin/search-client" pareto "$study")
$(show "$bin/search-client" export "$study" --pareto --out "$out/export")

The study is in $config; README.md tells what to change in it and how to use several GPUs.
EOF
