// Worker loop, dispatcher and store together: what a lost message, a restart, a pause and a
// departure do to the results.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/support/direct_coordinator.h"
#include "tests/support/fake_executor.h"
#include "tests/support/temp_dir.h"
#include "worker/loop/worker_loop.h"

namespace voxbit::worker {
namespace {

using search::TaskResult;
using search::TaskSpec;
using testing::DirectCoordinator;
using testing::DirectServer;
using testing::FakeExecutor;
using testing::Gate;
using testing::ResultWithMiou;
using testing::Stores;
using testing::TempDir;

constexpr Milliseconds kPatience{60'000};
constexpr Milliseconds kLease{60'000};

server::DispatchSettings Settings() {
  server::DispatchSettings settings;
  settings.lease.lease_duration = kLease;
  settings.lease.first_backoff = Milliseconds(1'000);
  return settings;
}

// The seed of the task is its miou in thousandths, so that a mix-up shows.
double MiouOf(const TaskSpec& spec) { return static_cast<double>(spec.seed) / 1000; }

FakeExecutor::Work Evaluates() {
  return [](const TaskSpec& spec, ArtifactAccess&, const ProgressSink&, const std::stop_token&) {
    return ResultWithMiou(MiouOf(spec));
  };
}

FakeExecutor::Work EvaluatesAfter(Gate& gate, Gate& started) {
  return [&](const TaskSpec& spec, ArtifactAccess&, const ProgressSink&,
             const std::stop_token& stop) -> Result<TaskResult> {
    started.Open();
    if (!gate.Wait(stop)) return Cancelled("stopped");
    return ResultWithMiou(MiouOf(spec));
  };
}

class WorkerDispatchTest : public ::testing::Test {
 protected:
  // One worker process.
  struct Worker {
    Worker(WorkerDispatchTest& test, const std::string& name, FakeExecutor::Work work,
           uint64_t seed = 1, const DirectCoordinator::Faults& faults = {})
        : coordinator(test.server_, test.server_mutex_, seed, faults), executor(std::move(work)) {
      search::WorkerInfo info;
      info.name = name;
      info.device = "cpu";
      info.task_kinds = search::AllTaskKinds();
      info.supernets = {"toy"};
      info.datasets = {"toy"};
      Result<std::unique_ptr<ArtifactCache>> opened =
          ArtifactCache::Open({.folder = test.folder_.path() + "/cache-" + name,
                               .backoff = {Milliseconds(1), Milliseconds(2)}},
                              coordinator, test.clock_);
      VOXBIT_CHECK(opened.ok(), opened.status().ToString());
      cache = *std::move(opened);
      WorkerLoop::Settings settings;
      settings.backoff = {Milliseconds(1), Milliseconds(2)};
      settings.finish_grace = Milliseconds(0);
      settings.leave_budget = kPatience;
      loop =
          std::make_unique<WorkerLoop>(coordinator, executor, test.clock_, info, *cache, settings);
    }
    void Step() { loop->Step({}); }

    DirectCoordinator coordinator;
    FakeExecutor executor;
    std::unique_ptr<ArtifactCache> cache;
    std::unique_ptr<WorkerLoop> loop;
  };

  void SetUp() override {
    const Result<Json> json = ParseJson(R"({"name": "demo", "supernet": {"kind": "toy"},
        "dataset": {"kind": "toy"}, "objectives": [{"metric": "miou"}]})");
    ASSERT_TRUE(json.ok()) << json.status();
    const Result<search::StudyConfig> config = search::ParseStudyConfig(*json, "");
    ASSERT_TRUE(config.ok()) << config.status();
    const Result<search::Study> study = server_.store().CreateStudy(*config, CanonicalJson(*json));
    ASSERT_TRUE(study.ok()) << study.status();
    study_ = study->id;
  }

  void AddTrials(int count) {
    std::vector<storage::NewTrial> trials;
    for (int i = 0; i < count; ++i) {
      storage::NewTrial trial;
      trial.candidate.choices = {i};
      trial.digest = Sha256Hex(std::to_string(i));
      trial.origin = "random";
      TaskSpec spec;
      spec.kind = search::TaskKind::kEvaluate;
      spec.supernet = {{"kind", "toy"}};
      spec.dataset = {{"kind", "toy"}};
      spec.candidate = trial.candidate;
      spec.seed = static_cast<uint64_t>(i);
      trial.tasks.push_back({spec});
      trials.push_back(trial);
    }
    const auto numbers = server_.store().AppendTrials(study_, trials, {});
    ASSERT_TRUE(numbers.ok()) << numbers.status();
  }

  std::vector<search::Trial> Trials() { return *server_.store().ListTrials(study_, {}); }
  bool AllFinal() {
    for (const search::Trial& trial : Trials()) {
      if (!search::IsFinal(trial.state)) return false;
    }
    return true;
  }
  // Every trial succeeded once, with the value of its own candidate.
  void ExpectAllMeasuredOnce() {
    std::set<int64_t> sequences;
    for (const search::Trial& trial : Trials()) {
      SCOPED_TRACE(trial.number);
      EXPECT_EQ(trial.state, search::TrialState::kSucceeded);
      ASSERT_EQ(trial.measured.count({"miou", ""}), 1U);
      EXPECT_EQ(trial.measured.at({"miou", ""}).value, trial.candidate.choices.at(0) / 1000.0);
      EXPECT_TRUE(sequences.insert(trial.sequence).second);
    }
    const auto violations = server_.store().CheckInvariants();
    ASSERT_TRUE(violations.ok()) << violations.status();
    EXPECT_THAT(*violations, ::testing::IsEmpty());
  }
  search::Task FirstTask() {
    return server_.store().ListTasks(study_, std::nullopt, std::nullopt)->at(0);
  }
  static void RegisterAndClaim(Worker& worker) {
    worker.Step();
    worker.Step();
  }

  TempDir folder_;
  ManualClock clock_;
  Mutex server_mutex_;
  DirectServer server_{folder_.path() + "/store", clock_, Settings()};
  int64_t study_ = 0;
  Gate gate_;
  Gate started_;
};

TEST_F(WorkerDispatchTest, EveryTrialIsMeasuredOnce) {
  AddTrials(8);
  Worker worker(*this, "w", Evaluates());
  for (int turn = 0; turn < 1'000 && !AllFinal(); ++turn) {
    worker.Step();
    ASSERT_TRUE(worker.loop->WaitForTask(kPatience));
  }
  ExpectAllMeasuredOnce();
  EXPECT_EQ(worker.executor.executions(), 8);
}

TEST_F(WorkerDispatchTest, LostMessagesAndRestartsChangeNothing) {
  AddTrials(12);
  constexpr DirectCoordinator::Faults kFaults{.lose_call = 0.2, .lose_answer = 0.3, .restart = 0.1};
  const uint64_t seed = 20240517;
  SCOPED_TRACE("seed " + std::to_string(seed));
  Worker one(*this, "one", Evaluates(), seed, kFaults);
  Worker two(*this, "two", Evaluates(), seed + 1, kFaults);
  for (int turn = 0; turn < 10'000 && !AllFinal(); ++turn) {
    for (Worker* worker : {&one, &two}) {
      worker->Step();
      ASSERT_TRUE(worker->loop->WaitForTask(kPatience));
    }
    clock_.Advance(Milliseconds(100));
  }
  ExpectAllMeasuredOnce();
  // An answer that was lost is given again; nothing is computed twice for it.
  EXPECT_EQ(one.executor.executions() + two.executor.executions(), 12);
}

TEST_F(WorkerDispatchTest, APausedWorkerLosesItsTaskToAnother) {
  AddTrials(1);
  Worker paused(*this, "paused", EvaluatesAfter(gate_, started_));
  Worker other(*this, "other", Evaluates());
  RegisterAndClaim(paused);
  started_.Wait();
  clock_.Advance(kLease + Milliseconds(1));
  ASSERT_EQ(*server_.dispatcher().Sweep(), 1);
  clock_.Advance(Milliseconds(5'000));  // the back-off
  RegisterAndClaim(other);
  ASSERT_TRUE(other.loop->WaitForTask(kPatience));
  // Both now have a result, or could have one; the paused worker hears first that it is too late.
  paused.Step();
  ASSERT_TRUE(paused.loop->WaitForTask(kPatience));
  paused.Step();
  other.Step();
  ExpectAllMeasuredOnce();
  EXPECT_EQ(FirstTask().worker, "other");
  EXPECT_EQ(FirstTask().attempt, 2);
}

TEST_F(WorkerDispatchTest, ALateResultThatNobodyTookOverCounts) {
  AddTrials(1);
  Worker worker(*this, "w", EvaluatesAfter(gate_, started_));
  RegisterAndClaim(worker);
  started_.Wait();
  clock_.Advance(kLease * 3);
  gate_.Open();
  ASSERT_TRUE(worker.loop->WaitForTask(kPatience));
  worker.Step();
  ExpectAllMeasuredOnce();
  EXPECT_EQ(FirstTask().attempt, 1);
}

TEST_F(WorkerDispatchTest, AResultThatCameTooLateIsNotCounted) {
  AddTrials(1);
  Worker late(*this, "late", EvaluatesAfter(gate_, started_));
  Worker other(*this, "other", Evaluates());
  RegisterAndClaim(late);
  started_.Wait();
  clock_.Advance(kLease + Milliseconds(1));
  ASSERT_EQ(*server_.dispatcher().Sweep(), 1);
  clock_.Advance(Milliseconds(5'000));
  RegisterAndClaim(other);
  ASSERT_TRUE(other.loop->WaitForTask(kPatience));
  gate_.Open();
  ASSERT_TRUE(late.loop->WaitForTask(kPatience));
  late.Step();
  other.Step();
  ExpectAllMeasuredOnce();
  EXPECT_EQ(FirstTask().worker, "other");
}

TEST_F(WorkerDispatchTest, ALeavingWorkerHandsItsTaskOverAtOnce) {
  AddTrials(1);
  Worker leaving(*this, "leaving", EvaluatesAfter(gate_, started_));
  Worker other(*this, "other", Evaluates());
  RegisterAndClaim(leaving);
  started_.Wait();
  leaving.loop->Leave();
  RegisterAndClaim(other);
  ASSERT_TRUE(other.loop->WaitForTask(kPatience));
  other.Step();
  ExpectAllMeasuredOnce();
}

TEST_F(WorkerDispatchTest, ATaskWhoseAnswerWasLostIsHandedBackByALeavingWorker) {
  AddTrials(1);
  Worker leaving(*this, "leaving", Evaluates());
  Worker other(*this, "other", Evaluates());
  leaving.Step();
  leaving.coordinator.SetFaults({.lose_answer = 1});
  leaving.Step();
  leaving.coordinator.SetFaults({});
  ASSERT_EQ(FirstTask().state, search::TaskState::kLeased);
  leaving.loop->Leave();
  EXPECT_EQ(leaving.executor.executions(), 0);
  RegisterAndClaim(other);
  ASSERT_TRUE(other.loop->WaitForTask(kPatience));
  other.Step();
  ExpectAllMeasuredOnce();
}

TEST_F(WorkerDispatchTest, AStoppedStudyCancelsTheRunningTask) {
  AddTrials(1);
  Worker worker(*this, "w", EvaluatesAfter(gate_, started_));
  RegisterAndClaim(worker);
  started_.Wait();
  ASSERT_TRUE(server_.store().MoveStudy(study_, search::StudyState::kStopped, "enough").ok());
  worker.Step();
  ASSERT_TRUE(worker.loop->WaitForTask(kPatience));
  worker.Step();
  EXPECT_EQ(Trials().at(0).state, search::TrialState::kCancelled);
  EXPECT_TRUE(server_.store().CheckInvariants()->empty());
}

TEST_F(WorkerDispatchTest, AResultSurvivesARestartAndAForgottenRegistration) {
  AddTrials(1);
  Worker worker(*this, "w", EvaluatesAfter(gate_, started_));
  RegisterAndClaim(worker);
  started_.Wait();
  worker.coordinator.SetFaults({.lose_call = 1});
  worker.Step();
  gate_.Open();
  ASSERT_TRUE(worker.loop->WaitForTask(kPatience));
  worker.Step();
  server_.Restart();
  worker.coordinator.SetFaults({});
  for (int i = 0; i < 3; ++i) worker.Step();
  ExpectAllMeasuredOnce();
}

TEST_F(WorkerDispatchTest, ArtifactsArriveBeforeTheResult) {
  AddTrials(1);
  Worker worker(*this, "w", Stores("finetuned_weights", Evaluates()), 7,
                {.lose_call = 0.3, .lose_answer = 0.3});
  for (int turn = 0; turn < 1'000 && !AllFinal(); ++turn) {
    worker.Step();
    ASSERT_TRUE(worker.loop->WaitForTask(kPatience));
  }
  ExpectAllMeasuredOnce();
  const search::Trial trial = Trials().at(0);
  EXPECT_TRUE(server_.artifacts().Has(trial.artifacts.at("finetuned_weights")));
}

}  // namespace
}  // namespace voxbit::worker
