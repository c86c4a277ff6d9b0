// A server over loopback in front of a store of its own, and the calls that its tests make.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "common/uuid.h"
#include "proto/convert/convert.h"
#include "proto/rpc/status.h"
#include "server/rpc/services.h"
#include "tests/support/temp_dir.h"
#include "tests/support/toy_study.h"
#include "voxbit/v1/artifact_service.grpc.pb.h"
#include "voxbit/v1/study_service.grpc.pb.h"
#include "voxbit/v1/trial_service.grpc.pb.h"
#include "voxbit/v1/worker_service.grpc.pb.h"

namespace voxbit::testing {

// The system's clock, set forward by the test.
class ShiftedClock final : public Clock {
 public:
  int64_t NowMs() const override { return clock_.NowMs() + shift_; }
  int64_t MonotonicMs() const override { return clock_.MonotonicMs(); }
  int64_t SteadyMs() const override { return clock_.SteadyMs(); }
  void Shift(Milliseconds span) { shift_ += span.count(); }

 private:
  SystemClock clock_;
  std::atomic<int64_t> shift_ = 0;
};

class ServerRpcTest : public ::testing::Test {
 protected:
  ServerRpcTest() {
    store_ = storage::Store::Open(dir_.path(), clock_).value();
    artifacts_ = storage::ArtifactStore::Open(dir_.File("artifacts")).value();
    server::DispatchSettings settings;
    settings.sync_interval = Milliseconds(50);
    dispatcher_ = std::make_unique<server::Dispatcher>(*store_, clock_, settings);
    supervisor_ = std::make_unique<server::StudySupervisor>(*store_, plugins_, changes_);
    reporter_ = std::make_unique<server::Reporter>(*store_, clock_);
    Start(/*has_local_workers=*/false);
  }
  void Start(bool has_local_workers) {
    rpc_ = server::RpcServer::Start("127.0.0.1:0",
                                    {*store_, *artifacts_, *dispatcher_, *supervisor_, *reporter_,
                                     plugins_, changes_, clock_, has_local_workers})
               .value();
    const auto channel = grpc::CreateChannel(rpc_->address(), grpc::InsecureChannelCredentials());
    studies_ = v1::StudyService::NewStub(channel);
    trials_ = v1::TrialService::NewStub(channel);
    workers_ = v1::WorkerService::NewStub(channel);
    blobs_ = v1::ArtifactService::NewStub(channel);
  }
  ~ServerRpcTest() override {
    rpc_->Shutdown();
    supervisor_.reset();
  }

  // Calls a method and returns its status with the stable reason.
  template <class Stub, class Request, class Response>
  static Status Call(Stub& stub,
                     grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                     const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(40));
    const grpc::Status status = (stub.*method)(&context, request, response);
    return status.ok() ? OkStatus() : rpc::FromGrpc(status, context);
  }

  v1::CreateStudyRequest CreateRequest(const std::string& name, int64_t trials = 8) {
    v1::CreateStudyRequest request;
    request.set_request_id(NewUuid());
    request.set_config_json(ToyStudy(name, trials).dump());
    return request;
  }

  v1::Study Create(const std::string& name, int64_t trials = 8) {
    v1::Study study;
    const Status status =
        Call(*studies_, &v1::StudyService::Stub::CreateStudy, CreateRequest(name, trials), &study);
    EXPECT_TRUE(status.ok()) << status;
    return study;
  }

  v1::Study GetStudy(const std::string& name) {
    v1::GetStudyRequest request;
    request.set_name(name);
    v1::Study study;
    const Status status = Call(*studies_, &v1::StudyService::Stub::GetStudy, request, &study);
    EXPECT_TRUE(status.ok()) << status;
    return study;
  }

  static v1::ChangeStudyRequest ChangeRequest(const std::string& name) {
    v1::ChangeStudyRequest request;
    request.set_request_id(NewUuid());
    request.set_name(name);
    return request;
  }

  using StudyMethod = grpc::Status (v1::StudyService::Stub::*)(grpc::ClientContext*,
                                                               const v1::ChangeStudyRequest&,
                                                               v1::Study*);
  void Change(StudyMethod method, const std::string& name) {
    v1::Study study;
    const Status status = Call(*studies_, method, ChangeRequest(name), &study);
    EXPECT_TRUE(status.ok()) << status;
  }

  std::string RegisterWorker(const std::string& name) {
    v1::RegisterRequest request;
    request.set_request_id(NewUuid());
    *request.mutable_worker() = convert::ToProto(ToyWorker(name));
    v1::RegisterResponse response;
    const Status status = Call(*workers_, &v1::WorkerService::Stub::Register, request, &response);
    EXPECT_TRUE(status.ok()) << status;
    return response.session();
  }

  v1::SyncRequest IdleRequest(const std::string& worker, const std::string& session,
                              int64_t wait_ms) {
    v1::SyncRequest request;
    request.set_request_id(NewUuid());
    request.set_worker(worker);
    request.set_session(session);
    request.set_wait_ms(wait_ms);
    return request;
  }

  v1::SyncResponse Sync(const v1::SyncRequest& request) {
    v1::SyncResponse response;
    const Status status = Call(*workers_, &v1::WorkerService::Stub::Sync, request, &response);
    EXPECT_TRUE(status.ok()) << status;
    return response;
  }

  v1::SyncRequest FinishedRequest(const std::string& worker, const std::string& session,
                                  const v1::SyncResponse& run) {
    v1::SyncRequest request = IdleRequest(worker, session, 0);
    request.mutable_finished()->set_task_id(run.task_id());
    request.mutable_finished()->set_lease_token(run.lease_token());
    *request.mutable_finished()->mutable_result() =
        convert::ToProto(ToyResult(convert::FromProto(run.spec()).value()));
    return request;
  }

  // Works as one worker until the study is at its end.
  void WorkToEnd(const std::string& study) {
    const std::string session = RegisterWorker("toy");
    for (int turn = 0; turn < 500; ++turn) {
      v1::GetStudyRequest get;
      get.set_name(study);
      v1::Study state;
      ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::GetStudy, get, &state).ok());
      if (state.state() == v1::STUDY_STATE_COMPLETED) return;
      // The answer to a finished task may carry the next one.
      v1::SyncResponse answer = Sync(IdleRequest("toy", session, 2000));
      while (answer.desired() == v1::DESIRED_RUN) {
        answer = Sync(FinishedRequest("toy", session, answer));
        EXPECT_EQ(answer.verdict(), v1::VERDICT_RECORDED);
      }
    }
    FAIL() << "the study does not end";
  }

  TempDir dir_;
  ShiftedClock clock_;
  const server::Plugins plugins_ = ToyPlugins();
  server::ChangeSignal changes_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<storage::ArtifactStore> artifacts_;
  std::unique_ptr<server::Dispatcher> dispatcher_;
  std::unique_ptr<server::StudySupervisor> supervisor_;
  std::unique_ptr<server::Reporter> reporter_;
  std::unique_ptr<server::RpcServer> rpc_;
  std::unique_ptr<v1::StudyService::Stub> studies_;
  std::unique_ptr<v1::TrialService::Stub> trials_;
  std::unique_ptr<v1::WorkerService::Stub> workers_;
  std::unique_ptr<v1::ArtifactService::Stub> blobs_;
};

}  // namespace voxbit::testing
