// The gRPC services: each handler converts, calls and converts back.
#pragma once

#include <grpcpp/impl/service_type.h>
#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "server/dispatch/dispatcher.h"
#include "server/rpc/parked_calls.h"
#include "server/study/change_signal.h"
#include "server/study/report.h"
#include "server/study/study_plan.h"
#include "server/study/study_supervisor.h"
#include "storage/artifact_store.h"
#include "storage/store.h"

namespace voxbit::server {

// What the handlers work on; everything outlives the services.
struct ServiceContext {
  storage::Store& store;
  storage::ArtifactStore& artifacts;
  Dispatcher& dispatcher;
  StudySupervisor& supervisor;
  Reporter& reporter;
  const Plugins& plugins;
  ChangeSignal& changes;
  const Clock& clock;
  // Whether the server starts workers itself: the data of a study must then be on this machine.
  bool has_local_workers = false;
};

std::unique_ptr<grpc::Service> MakeStudyService(const ServiceContext& context);
std::unique_ptr<grpc::Service> MakeTrialService(const ServiceContext& context);
std::unique_ptr<grpc::Service> MakeWorkerService(const ServiceContext& context,
                                                 ParkedCalls& parked);
std::unique_ptr<grpc::Service> MakeArtifactService(const ServiceContext& context);

// A running gRPC server with all services, health checking and reflection.
class RpcServer {
 public:
  // UNAVAILABLE, reason ADDRESS_IN_USE or ADDRESS_INVALID, naming the address, when it cannot
  // listen there. INVALID_ARGUMENT for something that is no HOST:PORT.
  static Result<std::unique_ptr<RpcServer>> Start(const std::string& address,
                                                  const ServiceContext& context);
  ~RpcServer();

  // HOST:PORT with the port in use.
  const std::string& address() const { return address_; }
  // Health says NOT_SERVING; held calls are answered; running ones get two seconds.
  void Shutdown();

 private:
  RpcServer() = default;

  std::string address_;
  std::unique_ptr<ParkedCalls> parked_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace voxbit::server
