// WorkerService: the conversation with workers, and what people ask about them.
#include "proto/convert/convert.h"
#include "server/rpc/answer.h"
#include "server/rpc/services.h"
#include "voxbit/v1/worker_service.grpc.pb.h"

namespace voxbit::server {
namespace {

class WorkerService final : public v1::WorkerService::CallbackService {
 public:
  WorkerService(const ServiceContext& context, ParkedCalls& parked)
      : context_(context), parked_(parked) {}

  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* call,
                                     const v1::RegisterRequest* request,
                                     v1::RegisterResponse* response) override {
    const auto work = [&]() -> Result<v1::RegisterResponse> {
      VOXBIT_ASSIGN_OR_RETURN(const auto worker, convert::FromProto(request->worker()));
      VOXBIT_ASSIGN_OR_RETURN(const auto reply,
                              context_.dispatcher.Register(worker, request->replaces()));
      return convert::ToProto(reply);
    };
    const auto after = [&] { context_.changes.Notify(); };
    if (request->request_id().empty()) {
      return Answer(call, [&]() -> Status {
        VOXBIT_ASSIGN_OR_RETURN(*response, work());
        after();
        return OkStatus();
      });
    }
    // With an id, two deliveries of one call are one session, whichever comes last.
    return AnswerMutation(call, context_.store, "WorkerService/Register", *request, response, work,
                          after);
  }

  grpc::ServerUnaryReactor* Sync(grpc::CallbackServerContext* call, const v1::SyncRequest* request,
                                 v1::SyncResponse* response) override {
    return parked_.Handle(call, request, response);
  }

  grpc::ServerUnaryReactor* ListWorkers(grpc::CallbackServerContext* call,
                                        const v1::ListWorkersRequest* /*request*/,
                                        v1::ListWorkersResponse* response) override {
    return Answer(call, [&]() -> Status {
      VOXBIT_ASSIGN_OR_RETURN(const auto workers, context_.dispatcher.ListWorkers());
      for (const auto& worker : workers) *response->add_workers() = convert::ToProto(worker);
      return OkStatus();
    });
  }

  grpc::ServerUnaryReactor* DrainWorker(grpc::CallbackServerContext* call,
                                        const v1::DrainWorkerRequest* request,
                                        v1::Worker* response) override {
    return AnswerMutation(
        call, context_.store, "WorkerService/DrainWorker", *request, response,
        [&]() -> Result<v1::Worker> {
          VOXBIT_RETURN_IF_ERROR(context_.dispatcher.Drain(request->name()));
          VOXBIT_ASSIGN_OR_RETURN(const auto workers, context_.dispatcher.ListWorkers());
          for (const auto& worker : workers) {
            if (worker.info.name == request->name()) return convert::ToProto(worker);
          }
          return NotFound("no worker is named \"" + request->name() + "\"");
        },
        [&] { context_.changes.Notify(); });
  }

 private:
  const ServiceContext context_;
  ParkedCalls& parked_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeWorkerService(const ServiceContext& context,
                                                 ParkedCalls& parked) {
  return std::make_unique<WorkerService>(context, parked);
}

}  // namespace voxbit::server
