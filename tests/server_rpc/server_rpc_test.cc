// The services over a loopback connection: every call that changes state, made twice, changes it
// once; stale leases change nothing; what the wire promises beyond single calls.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

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
namespace {

// The system's clock, set forward by the test.
class ShiftedClock final : public Clock {
 public:
  int64_t NowMs() const override { return clock_.NowMs() + shift_; }
  int64_t MonotonicMs() const override { return clock_.MonotonicMs(); }
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

TEST_F(ServerRpcTest, CreateStudyTwiceMakesOneStudy) {
  const auto request = CreateRequest("once");
  v1::Study first;
  v1::Study second;
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::CreateStudy, request, &first).ok());
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::CreateStudy, request, &second).ok());
  EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString());
  EXPECT_EQ(store_->ListStudies(0, 10).value().size(), 1U);
}

TEST_F(ServerRpcTest, SameRequestIdWithAnotherBodyIsRefused) {
  auto request = CreateRequest("one");
  v1::Study study;
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::CreateStudy, request, &study).ok());
  request.set_config_json(ToyStudy("other", 8).dump());
  const Status status = Call(*studies_, &v1::StudyService::Stub::CreateStudy, request, &study);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.reason(), "REQUEST_ID_REUSED");
}

TEST_F(ServerRpcTest, MutatingCallWithoutARequestIdIsRefused) {
  auto request = CreateRequest("anonymous");
  request.clear_request_id();
  v1::Study study;
  EXPECT_EQ(Call(*studies_, &v1::StudyService::Stub::CreateStudy, request, &study).code(),
            StatusCode::kInvalidArgument);
  EXPECT_TRUE(store_->ListStudies(0, 10).value().empty());
}

TEST_F(ServerRpcTest, ValidateOnlyCreatesNothing) {
  auto request = CreateRequest("checked");
  request.set_validate_only(true);
  v1::Study study;
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::CreateStudy, request, &study).ok());
  EXPECT_TRUE(store_->ListStudies(0, 10).value().empty());
}

TEST_F(ServerRpcTest, AMistypedPathIsRefusedBeforeTheStudyHasItsName) {
  auto request = CreateRequest("typo");
  Json config = ToyStudy("typo", 8);
  config["dataset"] = {{"kind", "semantic_kitti"}, {"root", "/nowhere/at/all"}};
  request.set_config_json(config.dump());
  const auto create = [&](bool validate_only, v1::Study* study) {
    request.set_request_id(NewUuid());
    request.set_validate_only(validate_only);
    return Call(*studies_, &v1::StudyService::Stub::CreateStudy, request, study);
  };
  rpc_->Shutdown();
  Start(/*has_local_workers=*/true);
  for (const bool validate_only : {true, false}) {
    v1::Study study;
    const Status status = create(validate_only, &study);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    EXPECT_NE(status.message().find("/dataset/root: no such folder: /nowhere/at/all"),
              std::string::npos)
        << status;
  }
  EXPECT_TRUE(store_->ListStudies(0, 10).value().empty());
  // Workers elsewhere may have it.
  rpc_->Shutdown();
  Start(/*has_local_workers=*/false);
  for (const bool validate_only : {true, false}) {
    v1::Study study;
    ASSERT_TRUE(create(validate_only, &study).ok());
    ASSERT_EQ(study.warnings_size(), 1);
    EXPECT_NE(study.warnings(0).find("/nowhere/at/all"), std::string::npos);
  }
  EXPECT_EQ(store_->ListStudies(0, 10).value().size(), 1U);
}

TEST_F(ServerRpcTest, PauseResumeAndStopTwiceMoveOnce) {
  Create("moved");
  using Method = grpc::Status (v1::StudyService::Stub::*)(
      grpc::ClientContext*, const v1::ChangeStudyRequest&, v1::Study*);
  const std::vector<std::pair<Method, v1::StudyState>> moves = {
      {&v1::StudyService::Stub::PauseStudy, v1::STUDY_STATE_PAUSED},
      {&v1::StudyService::Stub::ResumeStudy, v1::STUDY_STATE_ACTIVE},
      {&v1::StudyService::Stub::StopStudy, v1::STUDY_STATE_STOPPED}};
  std::vector<v1::ChangeStudyRequest> requests;
  for (const auto& [method, state] : moves) {
    v1::ChangeStudyRequest request;
    request.set_request_id(NewUuid());
    request.set_name("moved");
    requests.push_back(request);
    v1::Study study;
    ASSERT_TRUE(Call(*studies_, method, request, &study).ok());
    EXPECT_EQ(study.state(), state);
  }
  // Late repetitions of all three answer as before and move nothing.
  for (size_t i = 0; i < moves.size(); ++i) {
    v1::Study study;
    ASSERT_TRUE(Call(*studies_, moves[i].first, requests[i], &study).ok());
    EXPECT_EQ(study.state(), moves[i].second);
    EXPECT_EQ(store_->GetStudy("moved").value().state, search::StudyState::kStopped);
  }
}

TEST_F(ServerRpcTest, RetryTwiceTriesAgainOnce) {
  Create("again");
  Change(&v1::StudyService::Stub::StopStudy, "again");
  const auto request = ChangeRequest("again");
  v1::Study study;
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::RetryStudy, request, &study).ok());
  EXPECT_EQ(study.state(), v1::STUDY_STATE_ACTIVE);
  WorkToEnd("again");  // the runner works again
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::RetryStudy, request, &study).ok());
  EXPECT_EQ(study.state(), v1::STUDY_STATE_ACTIVE) << "the kept answer";
  EXPECT_EQ(store_->GetStudy("again").value().state, search::StudyState::kCompleted);
  const Status refused =
      Call(*studies_, &v1::StudyService::Stub::RetryStudy, ChangeRequest("again"), &study);
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused.reason(), "STUDY_NOT_ACTIVE");
}

TEST_F(ServerRpcTest, StudyThatFailedInItsMiddleEndsLikeAnUndisturbedOne) {
  Create("undisturbed", 24);
  WorkToEnd("undisturbed");
  Create("failed", 24);
  const std::string session = RegisterWorker("toy");
  v1::SyncResponse run = Sync(IdleRequest("toy", session, 5000));
  for (int i = 0; i < 12; ++i) {
    ASSERT_EQ(run.desired(), v1::DESIRED_RUN) << i;
    run = Sync(FinishedRequest("toy", session, run));
    if (run.desired() != v1::DESIRED_RUN) run = Sync(IdleRequest("toy", session, 5000));
  }
  const int64_t id = store_->GetStudy("failed").value().id;
  // One of the tasks was the profile; the training is that of the other study.
  ASSERT_EQ(GetStudy("failed").progress().trials_succeeded(), 11);
  ASSERT_TRUE(store_->MoveStudy(id, search::StudyState::kFailed, "broken").ok());
  changes_.Notify();
  Change(&v1::StudyService::Stub::RetryStudy, "failed");
  WorkToEnd("failed");
  const v1::Study ended = GetStudy("failed");
  EXPECT_EQ(ended.progress().trials_succeeded(), 24);
  EXPECT_EQ(ended.progress().trials_failed(), 0);
  const auto candidates = [&](const std::string& name) {
    std::vector<search::Candidate> all;
    for (const auto& trial : store_->ListTrials(store_->GetStudy(name).value().id, {}).value()) {
      all.push_back(trial.candidate);
    }
    return all;
  };
  EXPECT_EQ(candidates("failed"), candidates("undisturbed"));
  EXPECT_EQ(ended.progress().front_size(), GetStudy("undisturbed").progress().front_size());
  EXPECT_EQ(store_->CheckInvariants().value(), std::vector<std::string>());
}

TEST_F(ServerRpcTest, DeleteTwiceDeletesOnceAndEndsTheRunner) {
  Create("gone");
  const std::string session = RegisterWorker("w");
  const v1::SyncResponse run = Sync(IdleRequest("w", session, 5000));
  ASSERT_EQ(run.desired(), v1::DESIRED_RUN);
  const auto request = ChangeRequest("gone");
  v1::Study first;
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::DeleteStudy, request, &first).ok());
  EXPECT_EQ(first.name(), "gone");
  EXPECT_EQ(first.state(), v1::STUDY_STATE_ACTIVE);
  // The worker is told to drop what it runs.
  v1::SyncRequest running = IdleRequest("w", session, 0);
  running.mutable_running()->set_task_id(run.task_id());
  running.mutable_running()->set_lease_token(run.lease_token());
  running.mutable_running()->set_progress_json("{}");
  EXPECT_EQ(Sync(running).desired(), v1::DESIRED_CANCEL);
  while (supervisor_->num_running() > 0) std::this_thread::yield();
  // The name is free; a late repetition does not touch the new study of that name.
  Create("gone");
  v1::Study second;
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::DeleteStudy, request, &second).ok());
  EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString());
  EXPECT_EQ(store_->ListStudies(0, 10).value().size(), 1U);
  EXPECT_EQ(
      Call(*studies_, &v1::StudyService::Stub::DeleteStudy, ChangeRequest("none"), &second).code(),
      StatusCode::kNotFound);
  WorkToEnd("gone");
}

TEST_F(ServerRpcTest, CloneTwiceMakesOneStudy) {
  Create("original");
  v1::CloneStudyRequest request;
  request.set_request_id(NewUuid());
  request.set_name("original");
  request.set_new_name("copy");
  request.add_overrides("/search/trials=12");
  v1::Study first;
  v1::Study second;
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::CloneStudy, request, &first).ok());
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::CloneStudy, request, &second).ok());
  EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString());
  EXPECT_EQ(store_->ListStudies(0, 10).value().size(), 2U);
  Json expected = Json::parse(store_->GetStudy("original").value().config_json);
  expected["name"] = "copy";
  expected["search"]["trials"] = 12;
  EXPECT_EQ(Json::parse(first.config_json()), expected);
  WorkToEnd("copy");

  const auto refusal = [&](const std::string& name, const std::string& override_text) {
    request.set_request_id(NewUuid());
    request.set_new_name(name);
    request.clear_overrides();
    request.add_overrides(override_text);
    return Call(*studies_, &v1::StudyService::Stub::CloneStudy, request, &second);
  };
  EXPECT_EQ(refusal("copy", "/seed=5").code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(refusal("Bad Name", "/seed=5").message().find("/name: "), 0U);
  EXPECT_EQ(refusal("third", "/seeds=5").message().find("/seeds: "), 0U);
  EXPECT_EQ(refusal("third", "seed").code(), StatusCode::kInvalidArgument);
  request.set_name("none");
  EXPECT_EQ(refusal("third", "/seed=5").code(), StatusCode::kNotFound);
}

TEST_F(ServerRpcTest, RepeatedCreationIsAnsweredWhateverHasChangedSince) {
  auto request = CreateRequest("original");
  Json config = ToyStudy("original", 8);
  config["dataset"] = {{"kind", "semantic_kitti"}, {"root", "/nowhere/at/all"}};
  request.set_config_json(config.dump());
  v1::CloneStudyRequest clone;
  clone.set_request_id(NewUuid());
  clone.set_name("original");
  clone.set_new_name("copy");
  v1::Study first;
  v1::Study again;
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::CreateStudy, request, &first).ok());
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::CloneStudy, clone, &again).ok());
  Change(&v1::StudyService::Stub::DeleteStudy, "original");
  rpc_->Shutdown();
  Start(/*has_local_workers=*/true);  // which would refuse the folder
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::CloneStudy, clone, &again).ok());
  EXPECT_EQ(again.name(), "copy");
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::CreateStudy, request, &again).ok());
  EXPECT_EQ(first.SerializeAsString(), again.SerializeAsString());
  EXPECT_EQ(store_->ListStudies(0, 10).value().size(), 1U);
}

TEST_F(ServerRpcTest, StudyThatFailedBeforeItsFirstTrialIsGivenAgain) {
  Create("again");
  const int64_t id = store_->GetStudy("again").value().id;
  ASSERT_TRUE(store_->MoveStudy(id, search::StudyState::kFailed, "no such folder").ok());
  changes_.Notify();
  const v1::Study given = Create("again", 12);
  EXPECT_EQ(given.state(), v1::STUDY_STATE_ACTIVE);
  WorkToEnd("again");
  EXPECT_EQ(GetStudy("again").progress().trials_succeeded(), 12);
  v1::Study study;
  EXPECT_EQ(
      Call(*studies_, &v1::StudyService::Stub::CreateStudy, CreateRequest("again"), &study).code(),
      StatusCode::kAlreadyExists);
}

TEST_F(ServerRpcTest, StudySaysWhichWorkersItLeavesIdle) {
  Create("narrow", 64);  // generations of 8
  std::vector<std::string> sessions;
  for (int i = 0; i < 12; ++i) sessions.push_back(RegisterWorker("w" + std::to_string(i)));
  for (int step = 0; step < 2; ++step) {  // profile and training
    Sync(FinishedRequest("w0", sessions[0], Sync(IdleRequest("w0", sessions[0], 5000))));
  }
  EXPECT_EQ(GetStudy("narrow").progress().idle(), "");
  for (size_t i = 0; i < 8; ++i) {
    const std::string name = "w" + std::to_string(i);
    ASSERT_EQ(Sync(IdleRequest(name, sessions[i], 5000)).desired(), v1::DESIRED_RUN) << i;
  }
  EXPECT_EQ(GetStudy("narrow").progress().idle(),
            "4 of 12 workers idle: in_flight 0 (a generation of 8 is complete before the next "
            "begins)");
}

TEST_F(ServerRpcTest, MoveThatTheTableForbidsIsRefused) {
  Create("ended");
  v1::ChangeStudyRequest request;
  request.set_request_id(NewUuid());
  request.set_name("ended");
  v1::Study study;
  ASSERT_TRUE(Call(*studies_, &v1::StudyService::Stub::StopStudy, request, &study).ok());
  request.set_request_id(NewUuid());
  const Status status = Call(*studies_, &v1::StudyService::Stub::ResumeStudy, request, &study);
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.reason(), "STUDY_NOT_ACTIVE");
}

TEST_F(ServerRpcTest, RegisterTwiceIsOneSession) {
  v1::RegisterRequest request;
  request.set_request_id(NewUuid());
  *request.mutable_worker() = convert::ToProto(ToyWorker("w"));
  v1::RegisterResponse first;
  v1::RegisterResponse second;
  ASSERT_TRUE(Call(*workers_, &v1::WorkerService::Stub::Register, request, &first).ok());
  ASSERT_TRUE(Call(*workers_, &v1::WorkerService::Stub::Register, request, &second).ok());
  EXPECT_EQ(first.session(), second.session());
  EXPECT_EQ(store_->ListWorkers().value().size(), 1U);
}

TEST_F(ServerRpcTest, RegisterAndSyncNeedNoRequestId) {
  Create("anonymous");
  v1::RegisterRequest request;
  *request.mutable_worker() = convert::ToProto(ToyWorker("w"));
  v1::RegisterResponse response;
  const Status status = Call(*workers_, &v1::WorkerService::Stub::Register, request, &response);
  ASSERT_TRUE(status.ok()) << status;
  v1::SyncRequest idle = IdleRequest("w", response.session(), 5000);
  idle.clear_request_id();
  EXPECT_EQ(Sync(idle).desired(), v1::DESIRED_RUN);
}

TEST_F(ServerRpcTest, AWorkerWhoseIdleCallIsHeldKeepsItsName) {
  const auto register_as = [&](const std::string& instance, const std::string& replaces) {
    v1::RegisterRequest request;
    *request.mutable_worker() = convert::ToProto(ToyWorker("w"));
    request.mutable_worker()->set_instance(instance);
    request.set_replaces(replaces);
    v1::RegisterResponse response;
    EXPECT_TRUE(Call(*workers_, &v1::WorkerService::Stub::Register, request, &response).ok());
    return response;
  };
  const v1::RegisterResponse first = register_as("one", "");
  EXPECT_FALSE(first.has_taken_by());
  const v1::RegisterResponse second = register_as("two", "");
  EXPECT_EQ(second.taken_by(), "one");
  EXPECT_EQ(second.session(), "");
  EXPECT_EQ(Sync(IdleRequest("w", first.session(), 0)).desired(), v1::DESIRED_IDLE);
  EXPECT_FALSE(register_as("two", "one").has_taken_by());
}

TEST_F(ServerRpcTest, SecondWorkerOfANameRefusesTheFirst) {
  const std::string first = RegisterWorker("w");
  RegisterWorker("w");
  v1::SyncResponse response;
  const Status status =
      Call(*workers_, &v1::WorkerService::Stub::Sync, IdleRequest("w", first, 20'000), &response);
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.reason(), "WORKER_NAME_TAKEN");
}

TEST_F(ServerRpcTest, StudyShowsWhatItWaitsFor) {
  Create("waiting");
  const auto waits = [&] {
    v1::GetStudyRequest get;
    get.set_name("waiting");
    v1::Study study;
    EXPECT_TRUE(Call(*studies_, &v1::StudyService::Stub::GetStudy, get, &study).ok());
    return study.progress().waits_size() == 0 ? "" : study.progress().waits(0);
  };
  while (store_->ListTasks(1, {}, {}).value().empty()) std::this_thread::yield();
  EXPECT_EQ(waits(), "");
  clock_.Shift(Milliseconds(10'000));
  EXPECT_EQ(waits(), "no worker serves profile: none is connected, or all are draining");
  RegisterWorker("w");
  EXPECT_EQ(waits(), "");
}

TEST_F(ServerRpcTest, DrainTwiceDrainsAndTheWorkerGetsNothing) {
  const std::string session = RegisterWorker("w");
  v1::DrainWorkerRequest request;
  request.set_request_id(NewUuid());
  request.set_name("w");
  v1::Worker first;
  v1::Worker second;
  ASSERT_TRUE(Call(*workers_, &v1::WorkerService::Stub::DrainWorker, request, &first).ok());
  ASSERT_TRUE(Call(*workers_, &v1::WorkerService::Stub::DrainWorker, request, &second).ok());
  EXPECT_EQ(first.state(), "draining");
  EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString());
  Create("unserved");
  EXPECT_EQ(Sync(IdleRequest("w", session, 300)).desired(), v1::DESIRED_IDLE);
}

TEST_F(ServerRpcTest, SyncTwiceClaimsOneTaskAndRecordsOneResult) {
  Create("synced");
  const std::string session = RegisterWorker("w");
  const auto idle = IdleRequest("w", session, 5000);
  const v1::SyncResponse run = Sync(idle);
  ASSERT_EQ(run.desired(), v1::DESIRED_RUN);
  EXPECT_EQ(Sync(idle).SerializeAsString(), run.SerializeAsString());
  EXPECT_EQ(store_->ListAttempts(run.task_id()).value().size(), 1U);

  const auto finished = FinishedRequest("w", session, run);
  EXPECT_EQ(Sync(finished).verdict(), v1::VERDICT_RECORDED);
  EXPECT_EQ(Sync(finished).verdict(), v1::VERDICT_DUPLICATE);  // no answer is kept
  int64_t recorded = 0;
  for (const auto& attempt : store_->ListAttempts(run.task_id()).value()) {
    recorded += attempt.outcome == "done" ? 1 : 0;
  }
  EXPECT_EQ(recorded, 1);
}

TEST_F(ServerRpcTest, StaleLeaseTokenChangesNothing) {
  Create("stale");
  const std::string session = RegisterWorker("w");
  const v1::SyncResponse run = Sync(IdleRequest("w", session, 5000));
  ASSERT_EQ(run.desired(), v1::DESIRED_RUN);
  auto stale = FinishedRequest("w", session, run);
  stale.mutable_finished()->set_lease_token("0-not-the-current-one");
  EXPECT_EQ(Sync(stale).verdict(), v1::VERDICT_SUPERSEDED);
  EXPECT_EQ(store_->GetTask(run.task_id()).value().state, search::TaskState::kLeased);

  v1::SyncRequest running = IdleRequest("w", session, 0);
  running.mutable_running()->set_task_id(run.task_id());
  running.mutable_running()->set_lease_token("0-not-the-current-one");
  EXPECT_EQ(Sync(running).desired(), v1::DESIRED_CANCEL);
  EXPECT_EQ(store_->GetTask(run.task_id()).value().lease_token, run.lease_token());
}

TEST_F(ServerRpcTest, IdleCallIsHeldUntilAStudyArrives) {
  const std::string session = RegisterWorker("w");
  std::jthread later([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    Create("arriving");
  });
  EXPECT_EQ(Sync(IdleRequest("w", session, 20'000)).desired(), v1::DESIRED_RUN);
}

TEST_F(ServerRpcTest, NewerCallOfAWorkerReplacesTheHeldOne) {
  const std::string session = RegisterWorker("w");
  v1::SyncResponse old;
  std::jthread held([&] { old = Sync(IdleRequest("w", session, 20'000)); });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(Sync(IdleRequest("w", session, 50)).desired(), v1::DESIRED_IDLE);
  held.join();  // at once, not after 20 s
  EXPECT_EQ(old.desired(), v1::DESIRED_IDLE);
}

TEST_F(ServerRpcTest, CreateExportTwiceQueuesOneExport) {
  Create("exported");
  WorkToEnd("exported");
  v1::CreateExportRequest request;
  request.set_request_id(NewUuid());
  request.set_study("exported");
  request.set_trial_number(1);
  v1::Export first;
  v1::Export second;
  ASSERT_TRUE(Call(*trials_, &v1::TrialService::Stub::CreateExport, request, &first).ok());
  ASSERT_TRUE(Call(*trials_, &v1::TrialService::Stub::CreateExport, request, &second).ok());
  EXPECT_EQ(first.export_id(), second.export_id());
  request.set_request_id(NewUuid());
  ASSERT_TRUE(Call(*trials_, &v1::TrialService::Stub::CreateExport, request, &second).ok());
  EXPECT_EQ(first.export_id(), second.export_id());  // the same work is the same task
  const int64_t study = store_->GetStudy("exported").value().id;
  EXPECT_EQ(store_->ListTasks(study, search::TaskKind::kExport, {}).value().size(), 1U);
}

TEST_F(ServerRpcTest, AnExportThatFailedCanBeTriedAgain) {
  Create("again");
  WorkToEnd("again");
  v1::CreateExportRequest request;
  request.set_study("again");
  request.set_trial_number(1);
  const auto create = [&] {
    request.set_request_id(NewUuid());
    v1::Export made;
    EXPECT_TRUE(Call(*trials_, &v1::TrialService::Stub::CreateExport, request, &made).ok());
    return made;
  };
  const v1::Export first = create();
  const auto task = store_->ClaimTask(ToyWorker(), {}).value().value();
  ASSERT_EQ(task.id, first.export_id());
  ASSERT_TRUE(store_
                  ->FailTask(task.id, task.lease_token,
                             {.kind = search::FailureKind::kInfeasible, .message = "no"}, {})
                  .ok());
  const v1::Export second = create();
  EXPECT_NE(second.export_id(), first.export_id());
  EXPECT_EQ(second.state(), v1::TASK_STATE_QUEUED);
  EXPECT_EQ(create().export_id(), second.export_id());
  // What failed stays as it was.
  EXPECT_EQ(store_->GetTask(first.export_id()).value().state, search::TaskState::kFailed);
  EXPECT_EQ(store_->CheckInvariants().value(), std::vector<std::string>{});
}

TEST_F(ServerRpcTest, ARelativeDatasetRootIsRefused) {
  v1::CreateStudyRequest request = CreateRequest("relative");
  Json config = Json::parse(request.config_json());
  config["dataset"] = {{"kind", "semantic_kitti"}, {"root", "data/lidar"}};
  request.set_config_json(config.dump());
  v1::Study study;
  const Status status = Call(*studies_, &v1::StudyService::Stub::CreateStudy, request, &study);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(status.message().rfind("/dataset/root: expected an absolute path", 0), 0U) << status;
}

TEST_F(ServerRpcTest, FrontAndTrialsAreServedAndPaged) {
  Create("paged", 24);
  WorkToEnd("paged");
  v1::ListTrialsRequest list;
  list.set_study("paged");
  list.set_page_size(10);
  std::vector<int64_t> numbers;
  for (int page = 0; page < 3; ++page) {
    v1::ListTrialsResponse response;
    ASSERT_TRUE(Call(*trials_, &v1::TrialService::Stub::ListTrials, list, &response).ok());
    for (const auto& trial : response.trials()) numbers.push_back(trial.number());
    list.set_page_token(response.next_page_token());
  }
  EXPECT_TRUE(list.page_token().empty());
  ASSERT_EQ(numbers.size(), 24U);
  EXPECT_EQ(numbers.back(), 24);

  v1::GetFrontRequest front;
  front.set_study("paged");
  v1::GetFrontResponse answer;
  ASSERT_TRUE(Call(*trials_, &v1::TrialService::Stub::GetFront, front, &answer).ok());
  EXPECT_GE(answer.trials_size(), 2);
  EXPECT_EQ(answer.trials_size() + answer.dominated_size(), 24);
  EXPECT_EQ(answer.num_dominated(), answer.dominated_size());
  EXPECT_GT(answer.trials(0).candidate().choices_size(), 0);

  v1::GetTrialRequest get;
  get.set_study("paged");
  get.set_number(3);
  v1::GetTrialResponse trial;
  ASSERT_TRUE(Call(*trials_, &v1::TrialService::Stub::GetTrial, get, &trial).ok());
  EXPECT_FALSE(Json::parse(trial.layers_json()).empty());
  get.set_number(99);
  EXPECT_EQ(Call(*trials_, &v1::TrialService::Stub::GetTrial, get, &trial).code(),
            StatusCode::kNotFound);
}

TEST_F(ServerRpcTest, FrontOfManyTrialsFitsIntoAMessage) {
  constexpr int32_t kTrials = 12'000;
  const auto plan = server::StudyPlan::Create(ToyStudy("large", 100'000), "", plugins_).value();
  const auto study = store_->CreateStudy(plan->config(), plan->config_json()).value();
  std::vector<storage::NewTrial> trials;
  for (int32_t i = 0; i < kTrials; ++i) {
    storage::NewTrial trial;
    trial.candidate.choices = {i};
    trial.digest = std::to_string(i);
    // Every fourth trial is on the front: 3000 of them with 1 kB of detail each.
    const double miou = i % 4 == 0 ? i : -1.0 - i;
    trial.costs[{"miou", ""}] = {"miou", "", miou / kTrials,
                                 0,      1,  {{"per_class", std::string(1000, 'x')}}};
    trial.costs[{"macs", ""}] = {"macs", "", 1.0 + i};
    trials.push_back(std::move(trial));
  }
  ASSERT_TRUE(store_->AppendTrials(study.id, trials, {}).ok());
  v1::GetFrontRequest request;
  request.set_study("large");
  v1::GetFrontResponse answer;
  const Status status = Call(*trials_, &v1::TrialService::Stub::GetFront, request, &answer);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_LT(answer.ByteSizeLong(), size_t{4} << 20);
  EXPECT_EQ(answer.trials_size(), kTrials / 4);
  EXPECT_EQ(answer.num_dominated(), kTrials / 4 * 3);
  ASSERT_EQ(answer.dominated_size(), 5000);
  EXPECT_LT(answer.dominated(0).number(), 10);
  EXPECT_GT(answer.dominated(4999).number(), kTrials - 10);
  EXPECT_EQ(answer.dominated(0).measured_size(), 2);
}

TEST_F(ServerRpcTest, UnknownThingsAreNamedAsTheUserKnowsThem) {
  Create("known");
  v1::GetTrialRequest trial;
  trial.set_study("known");
  trial.set_number(99);
  v1::GetTrialResponse no_trial;
  EXPECT_EQ(Call(*trials_, &v1::TrialService::Stub::GetTrial, trial, &no_trial).message(),
            "there is no trial 99 of study \"known\"");
  v1::GetExportRequest exported;
  exported.set_export_id(77);
  v1::Export no_export;
  const Status status = Call(*trials_, &v1::TrialService::Stub::GetExport, exported, &no_export);
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "no export has the id 77");
}

TEST_F(ServerRpcTest, ArtifactsTravelInChunksAndAreChecked) {
  std::string bytes(3'000'000, 'x');
  for (size_t i = 0; i < bytes.size(); i += 997) bytes[i] = static_cast<char>(i % 251);
  const std::string digest = Sha256Hex(bytes);
  for (int time = 0; time < 2; ++time) {  // the second write finds it there
    grpc::ClientContext context;
    v1::WriteArtifactResponse response;
    const auto writer = blobs_->WriteArtifact(&context, &response);
    v1::WriteArtifactRequest chunk;
    chunk.set_sha256(digest);
    for (size_t at = 0; at < bytes.size(); at += 1 << 20) {
      chunk.set_data(bytes.substr(at, 1 << 20));
      if (!writer->Write(chunk)) break;
    }
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.size_bytes(), static_cast<int64_t>(bytes.size()));
  }

  grpc::ClientContext context;
  v1::ReadArtifactRequest request;
  request.set_sha256(digest);
  request.set_offset(1'500'000);
  const auto reader = blobs_->ReadArtifact(&context, request);
  std::string got;
  v1::ReadArtifactResponse piece;
  while (reader->Read(&piece)) got += piece.data();
  ASSERT_TRUE(reader->Finish().ok());
  EXPECT_EQ(got, bytes.substr(1'500'000));
}

TEST_F(ServerRpcTest, ArtifactWithAnotherDigestIsRefusedAndNotKept) {
  const std::string digest = Sha256Hex("expected");
  grpc::ClientContext context;
  v1::WriteArtifactResponse response;
  const auto writer = blobs_->WriteArtifact(&context, &response);
  v1::WriteArtifactRequest chunk;
  chunk.set_sha256(digest);
  chunk.set_data("something else");
  writer->Write(chunk);
  writer->WritesDone();
  const Status status = rpc::FromGrpc(writer->Finish(), context);
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_EQ(status.reason(), "ARTIFACT_HASH_MISMATCH");
  EXPECT_FALSE(artifacts_->Has(digest));
}

TEST_F(ServerRpcTest, SecondServerOnThePortIsRefused) {
  const auto second = server::RpcServer::Start(
      rpc_->address(),
      {*store_, *artifacts_, *dispatcher_, *supervisor_, *reporter_, plugins_, changes_, clock_});
  EXPECT_EQ(second.status().reason(), "ADDRESS_IN_USE");
  EXPECT_NE(second.status().message().find(rpc_->address()), std::string::npos);
}

}  // namespace
}  // namespace voxbit::testing
