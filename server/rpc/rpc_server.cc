#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>
#include <utility>

#include "proto/rpc/channel.h"
#include "server/rpc/services.h"

namespace voxbit::server {

Result<std::unique_ptr<RpcServer>> RpcServer::Start(const std::string& address,
                                                    const ServiceContext& context) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    return InvalidArgument("\"" + address + "\" is no HOST:PORT", "ADDRESS_INVALID");
  }
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();

  std::unique_ptr<RpcServer> server(new RpcServer());
  server->parked_ = std::make_unique<ParkedCalls>(context.store, context.dispatcher, context.clock,
                                                  context.changes);
  server->services_.push_back(MakeStudyService(context));
  server->services_.push_back(MakeTrialService(context));
  server->services_.push_back(MakeWorkerService(context, *server->parked_));
  server->services_.push_back(MakeArtifactService(context));

  grpc::ServerBuilder builder;
  rpc::ApplyServerArguments(builder);
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  for (const auto& service : server->services_) builder.RegisterService(service.get());
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr || port == 0) {
    return Unavailable("cannot listen on " + address +
                           ": the port is in use or the address is not of this machine; choose "
                           "another in /server/grpc (port 0 picks a free one)",
                       "ADDRESS_IN_USE");
  }
  server->address_ = address.substr(0, colon + 1) + std::to_string(port);
  return server;
}

RpcServer::~RpcServer() { Shutdown(); }

void RpcServer::Shutdown() {
  if (server_ == nullptr) return;
  server_->GetHealthCheckService()->SetServingStatus(false);
  parked_->Close();
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
  server_->Wait();
  server_.reset();
  parked_.reset();
}

}  // namespace voxbit::server
