#include "worker/rpc/coordinator_client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <functional>
#include <utility>

#include "common/uuid.h"
#include "proto/convert/convert.h"
#include "proto/rpc/channel.h"
#include "proto/rpc/status.h"
#include "voxbit/v1/artifact_service.grpc.pb.h"
#include "voxbit/v1/worker_service.grpc.pb.h"
#include "worker/rpc/artifact_transfer.h"

namespace voxbit::worker {
namespace {

bool MayRepeat(const Status& status) {
  return status.code() == StatusCode::kUnavailable ||
         status.code() == StatusCode::kDeadlineExceeded;
}

// One attempt at a unary call, cancelled when `stop` is raised.
Status CallOnce(Milliseconds deadline, const std::stop_token& stop,
                const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  grpc::ClientContext context;
  rpc::SetDeadline(context, deadline);
  const std::stop_callback on_stop(stop, [&context] { context.TryCancel(); });
  const grpc::Status status = call(&context);
  return rpc::FromGrpc(status, context);
}

Status CallTwice(grpc::Channel& channel, Milliseconds deadline, const std::stop_token& stop,
                 const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  Status status = CallOnce(deadline, stop, call);
  if (!MayRepeat(status)) return status;
  rpc::WaitForConnection(channel, rpc::kReconnectWait, stop);
  if (stop.stop_requested()) return status;
  return CallOnce(deadline, stop, call);
}

}  // namespace

struct CoordinatorClient::Impl {
  explicit Impl(const Settings& settings)
      : channel(grpc::CreateCustomChannel(settings.address, grpc::InsecureChannelCredentials(),
                                          rpc::ClientArguments())),
        workers(channel),
        artifacts(channel),
        control_deadline(settings.control_deadline.count() > 0 ? settings.control_deadline
                                                               : rpc::kControlDeadline),
        idle_wait(settings.idle_wait.count() >= 0 ? settings.idle_wait : rpc::kIdleWait) {}

  const std::shared_ptr<grpc::Channel> channel;
  v1::WorkerService::Stub workers;
  v1::ArtifactService::Stub artifacts;
  const Milliseconds control_deadline;
  const Milliseconds idle_wait;
};

CoordinatorClient::CoordinatorClient(const Settings& settings)
    : impl_(std::make_unique<Impl>(settings)) {}

CoordinatorClient::~CoordinatorClient() = default;

Result<search::RegisterReply> CoordinatorClient::Register(const search::WorkerInfo& worker,
                                                          const std::string& replaces) {
  v1::RegisterRequest request;
  request.set_request_id(NewUuid());
  *request.mutable_worker() = convert::ToProto(worker);
  request.set_replaces(replaces);
  v1::RegisterResponse response;
  VOXBIT_RETURN_IF_ERROR(
      CallTwice(*impl_->channel, impl_->control_deadline, {}, [&](grpc::ClientContext* context) {
        return impl_->workers.Register(context, request, &response);
      }));
  return convert::FromProto(response);
}

Result<search::SyncReply> CoordinatorClient::Sync(const search::SyncRequest& request,
                                                  std::stop_token stop) {
  v1::SyncRequest message = convert::ToProto(request);
  message.set_request_id(NewUuid());
  // Only a worker with nothing to tell and nothing to do may be kept waiting.
  const bool idle = !request.running && !request.finished && !request.draining;
  const Milliseconds wait = idle ? impl_->idle_wait : Milliseconds(0);
  message.set_wait_ms(wait.count());
  const Milliseconds deadline = idle ? wait + rpc::kIdleMargin : impl_->control_deadline;
  v1::SyncResponse response;
  VOXBIT_RETURN_IF_ERROR(
      CallTwice(*impl_->channel, deadline, stop, [&](grpc::ClientContext* context) {
        return impl_->workers.Sync(context, message, &response);
      }));
  return convert::FromProto(response);
}

Status CoordinatorClient::Upload(const std::string& path, const std::string& sha256,
                                 std::stop_token stop) {
  return UploadArtifact(impl_->artifacts, path, sha256, stop);
}

Status CoordinatorClient::Download(const std::string& sha256, const std::string& path,
                                   std::stop_token stop) {
  return DownloadArtifact(impl_->artifacts, sha256, path, stop);
}

}  // namespace voxbit::worker
