// What every handler does around its one line of work.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "common/status.h"
#include "proto/rpc/request_digest.h"
#include "proto/rpc/status.h"
#include "storage/store.h"

namespace voxbit::server {

// Runs `work` at most once for the request's id; see storage::Store::RunOnce. An empty answer is
// not kept.
template <class Response, class Request>
Result<std::optional<Response>> AnswerOnce(
    storage::Store& store, const std::string& method, const Request& request,
    const std::function<Result<std::optional<Response>>()>& work) {
  const storage::RequestKey key{
      .id = request.request_id(), .method = method, .body_sha256 = rpc::RequestDigest(request)};
  VOXBIT_ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                          store.RunOnce(key, [&]() -> Result<std::optional<std::string>> {
                            VOXBIT_ASSIGN_OR_RETURN(const std::optional<Response> response, work());
                            if (!response.has_value()) return std::optional<std::string>();
                            return std::optional<std::string>(response->SerializeAsString());
                          }));
  if (!bytes.has_value()) return std::optional<Response>();
  Response response;
  if (!response.ParseFromString(*bytes)) return DataLoss("a kept answer cannot be read");
  return std::optional<Response>(std::move(response));
}

// Finishes a unary call with the status of `work`, which fills the response.
template <class Work>
grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, Work&& work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const Status status = std::forward<Work>(work)();
  reactor->Finish(status.ok() ? grpc::Status::OK : rpc::ToGrpc(status, *context));
  return reactor;
}

// As Answer, for a call that changes state: `work` runs at most once for its request id,
// `after_commit` after every successful call.
template <class Request, class Response, class Work, class AfterCommit>
grpc::ServerUnaryReactor* AnswerMutation(grpc::CallbackServerContext* context,
                                         storage::Store& store, const std::string& method,
                                         const Request& request, Response* response, Work&& work,
                                         AfterCommit&& after_commit) {
  return Answer(context, [&]() -> Status {
    const std::function<Result<std::optional<Response>>()> once =
        [&]() -> Result<std::optional<Response>> {
      VOXBIT_ASSIGN_OR_RETURN(Response made, work());
      return std::optional<Response>(std::move(made));
    };
    VOXBIT_ASSIGN_OR_RETURN(std::optional<Response> answer,
                            AnswerOnce<Response>(store, method, request, once));
    *response = *std::move(answer);
    after_commit();
    return OkStatus();
  });
}

}  // namespace voxbit::server
