// What both ends of a connection must agree on: keepalive, deadlines, chunk size.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include <cstddef>
#include <stop_token>

#include "common/clock.h"

namespace voxbit::rpc {

// Deadline of a call that does not wait for work.
inline constexpr Milliseconds kControlDeadline{5'000};
// How long the server may hold an idle worker's Sync open, and what the worker allows on top.
inline constexpr Milliseconds kIdleWait{30'000};
inline constexpr Milliseconds kIdleMargin{10'000};
// How long a call that found the server away waits for the connection before it is tried again:
// longer than the pauses between two attempts to connect.
inline constexpr Milliseconds kReconnectWait{500};
// Artifacts travel in pieces of this size; a gRPC message may have 4 MiB.
inline constexpr size_t kChunkBytes = size_t{1} << 20;

// Deadline for moving `bytes` bytes: enough for 100 kB/s. A dead peer is noticed long
// before, by pings.
Milliseconds TransferDeadline(int64_t bytes);

// Ends the call, DEADLINE_EXCEEDED, when it takes longer than `span` from now.
void SetDeadline(grpc::ClientContext& context, Milliseconds span);

// Waits until the channel is connected; false: it is not after `span`, or `stop` was raised.
// Between calls nobody looks at the channel's sockets: gRPC itself does so every 5 s, so that a
// server that is back would be missed for as long.
bool WaitForConnection(grpc::Channel& channel, Milliseconds span, const std::stop_token& stop);

// Client: a ping every 30 s, also without a call under way, so that a dead peer or a forgetful NAT
// is noticed within 40 s; tries to connect again within 0.4 s (the default back-off grows to 2
// minutes); ignores http_proxy, which on clusters points away from the machines next door.
grpc::ChannelArguments ClientArguments();

// Server: tolerates those pings (by default more than one in 5 minutes without data ends the
// connection with too_many_pings), pings silent clients itself, and refuses a port that another
// process has (by default Linux would let both listen).
void ApplyServerArguments(grpc::ServerBuilder& builder);

}  // namespace voxbit::rpc
