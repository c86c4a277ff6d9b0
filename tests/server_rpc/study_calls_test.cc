// Calls about studies: made twice, they change the study once; what is refused, and what a study
// tells.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/server_rpc/server_rpc_fixture.h"

namespace voxbit::testing {
namespace {

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

}  // namespace
}  // namespace voxbit::testing
