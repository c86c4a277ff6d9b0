// Source of the keepalive rules: grpc/grpc, doc/keepalive.md.
#include "proto/rpc/channel.h"

#include <grpc/impl/codegen/grpc_types.h>
#include <grpc/support/time.h>

#include <algorithm>

namespace voxbit::rpc {
namespace {

constexpr int kPingIntervalMs = 30'000;
constexpr int kPingTimeoutMs = 10'000;
constexpr int kMinPingIntervalMs = 15'000;  // half of what clients do: clocks and batching differ
constexpr int kConnectTimeoutMs = 5'000;
constexpr int kFirstReconnectMs = 200;
constexpr int kMaxReconnectMs = 300;  // gRPC draws up to 20 % more
constexpr Milliseconds kConnectionPoll{50};

// gRPC's own clock: its deadlines are moments, ours are spans.
gpr_timespec After(Milliseconds span) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_millis(span.count(), GPR_TIMESPAN));
}

}  // namespace

Milliseconds TransferDeadline(int64_t bytes) { return Milliseconds(30'000 + bytes / 100); }

void SetDeadline(grpc::ClientContext& context, Milliseconds span) {
  context.set_deadline(After(span));
}

bool WaitForConnection(grpc::Channel& channel, Milliseconds span, const std::stop_token& stop) {
  for (Milliseconds left = span; left.count() > 0; left -= kConnectionPoll) {
    const Milliseconds slice = std::min(left, kConnectionPoll);
    if (channel.WaitForConnected(After(slice))) return true;
    if (stop.stop_requested()) return false;
  }
  return false;
}

grpc::ChannelArguments ClientArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingIntervalMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMs);
  // In spite of its name: how long one attempt to connect may take.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectMs);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return arguments;
}

void ApplyServerArguments(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

}  // namespace voxbit::rpc
