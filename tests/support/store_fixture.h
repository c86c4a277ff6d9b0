// A store in a folder of its own, with a clock in the test's hand and short words for the domain
// objects that storage and dispatch tests are made of.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/digest.h"
#include "storage/store.h"
#include "tests/support/temp_dir.h"

namespace voxbit::testing {

inline search::StudyConfig StudyNamed(const std::string& name) {
  search::StudyConfig config;
  config.name = name;
  config.supernet = {{"kind", "toy"}};
  config.dataset = {{"kind", "toy"}};
  config.objectives = {{"miou", ""}};
  return config;
}

inline search::TaskSpec SpecOf(search::TaskKind kind, int32_t choice = 0,
                               const std::string& target = "") {
  search::TaskSpec spec;
  spec.kind = kind;
  spec.supernet = {{"kind", "toy"}};
  spec.dataset = {{"kind", "toy"}};
  spec.candidate.choices = {choice};
  spec.target = target;
  return spec;
}

// A trial whose candidate is {choice}, measured by `kinds`.
inline storage::NewTrial TrialOf(int32_t choice, const std::vector<search::TaskKind>& kinds) {
  storage::NewTrial trial;
  trial.candidate.choices = {choice};
  trial.digest = CandidateDigest("toy space", trial.candidate);
  trial.origin = "random";
  trial.costs[{"macs", ""}] = {"macs", "", 1000.0 + choice};
  for (const search::TaskKind kind : kinds) trial.tasks.push_back({SpecOf(kind, choice)});
  return trial;
}

inline search::TaskResult ResultOf(const std::string& metric, double value) {
  search::TaskResult result;
  result.measurements = {{metric, "", value}};
  return result;
}

inline search::WorkerInfo WorkerNamed(const std::string& name) {
  search::WorkerInfo worker;
  worker.name = name;
  worker.device = "cpu";
  worker.task_kinds = search::AllTaskKinds();
  worker.supernets = {"toy"};
  worker.datasets = {"toy"};
  return worker;
}

// The value, or a failure of the test that shows the status.
template <class T>
T Take(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  ADD_FAILURE() << result.status();
  return T();
}

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void TearDown() override { ExpectSound(); }

  // Closes the store and opens it again, as a restart of the server does.
  void Reopen() { Reopen(clock_); }
  void Reopen(const Clock& clock) {
    store_.reset();
    auto store = storage::Store::Open(folder_.File("store"), clock);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = std::move(store).value();
  }

  void ExpectSound() {
    if (store_ == nullptr) return;
    EXPECT_EQ(Take(store_->CheckInvariants()), std::vector<std::string>());
  }

  search::Study NewStudy(const std::string& name = "toy") {
    const search::StudyConfig config = StudyNamed(name);
    return Take(store_->CreateStudy(config, CanonicalJson(ToJson(config))));
  }

  // Trials with candidates first, first + 1, ...
  void AddTrials(int64_t study, int32_t first, int32_t count,
                 const std::vector<search::TaskKind>& kinds = {search::TaskKind::kEvaluate}) {
    std::vector<storage::NewTrial> trials;
    trials.reserve(static_cast<size_t>(count));
    for (int32_t i = 0; i < count; ++i) trials.push_back(TrialOf(first + i, kinds));
    const auto added = store_->AppendTrials(study, trials, {"state", 0});
    ASSERT_TRUE(added.ok()) << added.status();
  }

  // The task that `worker` is given; the test fails if there is none.
  search::Task Claim(const std::string& worker = "w1") {
    const auto task = Take(store_->ClaimTask(WorkerNamed(worker), policy_));
    if (!task.has_value()) {
      ADD_FAILURE() << "nothing to claim for " << worker;
      return {};
    }
    return *task;
  }
  bool HasWork(const std::string& worker = "w1") {
    bool found = false;
    // Looks without taking.
    const Status looked = store_->Write([&]() -> Status {
      VOXBIT_ASSIGN_OR_RETURN(const auto task, store_->ClaimTask(WorkerNamed(worker), policy_));
      found = task.has_value();
      return Cancelled("only looking");
    });
    EXPECT_EQ(looked.code(), StatusCode::kCancelled) << looked;
    return found;
  }

  search::Verdict Complete(const search::Task& task, double miou = 0.5) {
    return Take(store_->CompleteTask(task.id, task.lease_token, ResultOf("miou", miou)));
  }
  search::Verdict Fail(const search::Task& task, search::FailureKind kind) {
    return Take(store_->FailTask(task.id, task.lease_token, {kind, "because"}, policy_));
  }

  TempDir folder_;
  ManualClock clock_;
  storage::LeasePolicy policy_;
  std::unique_ptr<storage::Store> store_;
};

}  // namespace voxbit::testing
