// Calls about trials, fronts and exports.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/server_rpc/server_rpc_fixture.h"

namespace voxbit::testing {
namespace {

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

}  // namespace
}  // namespace voxbit::testing
