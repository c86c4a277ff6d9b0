// Status over the wire: the code as a gRPC code, the stable reason in the trailer "voxbit-reason".
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "common/status.h"

namespace voxbit::rpc {

inline constexpr char kReasonKey[] = "voxbit-reason";

// Server: puts the reason into the trailers of `context`. INFEASIBLE, which gRPC does not have,
// travels as FAILED_PRECONDITION with a reason that ends in INFEASIBLE. Messages are cut to 4000
// bytes: trailers have a limit of 8 KiB. Call before the handler finishes.
grpc::Status ToGrpc(const Status& status, grpc::ServerContextBase& context);

// Client: reads the reason from the trailers of a call that has ended. Codes that Status does not
// have become the nearest one: UNAUTHENTICATED is PERMISSION_DENIED, OUT_OF_RANGE is
// INVALID_ARGUMENT, UNIMPLEMENTED is FAILED_PRECONDITION with the reason PROTOCOL_MISMATCH (the
// peer is no Voxbit server, or an older one), UNKNOWN is INTERNAL.
Status FromGrpc(const grpc::Status& status, const grpc::ClientContext& context);

}  // namespace voxbit::rpc
