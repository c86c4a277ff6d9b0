#!/usr/bin/env bash
# gRPC up to 1.74.0 at least (Debian 12 and 13 have 1.51.1): a synchronous client whose longest pause
# between two attempts to connect is 0.3 s finds a server that came up only seconds later.
#
# A refused or accepted connection is noticed when somebody polls the sockets. A call that does not
# wait for ready fails at once while the channel is in TRANSIENT_FAILURE and polls nothing, so a
# program that asks every 0.3 s leaves it to gRPC's backup poller, which runs every 5 s
# (GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS). Waiting for the state of the channel polls.
#
# Seen: 1.51.1 26 to 30 failed calls (8 to 9 s), 1.74.0 26 to 63; 1.51.1 with the variable at 200:
# 1; 1.80.0: 1 or 2.
# For us: whoever retries waits for the connection between two calls (proto/rpc/channel.h).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >server.py <<'PY'
import sys, time
from concurrent import futures
import grpc
class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)
server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((Echo(),))
server.add_insecure_port("127.0.0.1:" + sys.argv[1])
server.start()
print("up", flush=True)
time.sleep(60)
PY

cat >client.py <<'PY'
import socket, subprocess, sys, time
import grpc
PAUSE_S = 0.3
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = str(probe.getsockname()[1])
channel = grpc.insecure_channel("127.0.0.1:" + port, options=[
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 300),
    ("grpc.min_reconnect_backoff_ms", 5000)])  # the longest time of one attempt
echo = channel.unary_unary("/demo.Echo/Echo")
def answered():
    try:
        return echo(b"x", timeout=5) == b"x"
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error.code()
        return False
away_until = time.monotonic() + 6
while time.monotonic() < away_until:
    assert not answered()
    time.sleep(PAUSE_S)
server = subprocess.Popen([sys.executable, "server.py", port], stdout=subprocess.PIPE)
try:
    server.stdout.readline()
    failed = 0
    while not answered():
        failed += 1
        time.sleep(PAUSE_S)
finally:
    server.kill()
print(failed)
PY

for version in 1.51.1 1.74.0 1.80.0; do
  python3.11 -m venv "$version"
  "$version/bin/pip" install --quiet --disable-pip-version-check "grpcio==$version"
done
old=$(1.51.1/bin/python client.py)
polled=$(GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS=200 1.51.1/bin/python client.py)
late=$(1.74.0/bin/python client.py)
mended=$(1.80.0/bin/python client.py)
echo "failed calls, one every 0.3 s, to a server that is up:"
echo "  grpcio 1.51.1                           $old"
echo "  grpcio 1.51.1, backup poll every 0.2 s  $polled"
echo "  grpcio 1.74.0                           $late"
echo "  grpcio 1.80.0                           $mended"
[[ $old -ge 10 && $late -ge 10 && $polled -le 3 && $mended -le 3 ]]
