// Calls of workers: made twice, they claim and record once; stale leases change nothing; held
// calls.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/server_rpc/server_rpc_fixture.h"

namespace voxbit::testing {
namespace {

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

TEST_F(ServerRpcTest, AHeldWorkerStaysKnownWhenTheClockIsSetBack) {
  const std::string session = RegisterWorker("w");
  v1::SyncResponse answer;
  std::jthread held([&] { answer = Sync(IdleRequest("w", session, 20'000)); });
  clock_.Shift(Milliseconds(-3'600'000));
  const auto seen_ms = [this] { return store_->GetWorker("w").value().last_seen_ms; };
  for (int i = 0; i < 500 && seen_ms() > clock_.NowMs(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_LE(seen_ms(), clock_.NowMs());
  EXPECT_EQ(dispatcher_->ListWorkers().value().at(0).state, "idle");
  Create("arriving");
  held.join();
  EXPECT_EQ(answer.desired(), v1::DESIRED_RUN);
}

TEST_F(ServerRpcTest, JsonThatIsNestedTooDeeplyIsRefused) {
  v1::CreateStudyRequest request = CreateRequest("deep");
  request.set_config_json(std::string(100'000, '[') + std::string(100'000, ']'));
  v1::Study study;
  const Status status = Call(*studies_, &v1::StudyService::Stub::CreateStudy, request, &study);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
  Create("deep");
  const std::string session = RegisterWorker("w");
  const v1::SyncResponse run = Sync(IdleRequest("w", session, 5000));
  auto finished = FinishedRequest("w", session, run);
  finished.mutable_finished()->mutable_result()->set_detail_json(request.config_json());
  v1::SyncResponse response;
  EXPECT_EQ(Call(*workers_, &v1::WorkerService::Stub::Sync, finished, &response).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(GetStudy("deep").state(), v1::STUDY_STATE_ACTIVE);
}

}  // namespace
}  // namespace voxbit::testing
