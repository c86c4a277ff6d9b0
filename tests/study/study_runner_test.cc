// A study's life over the toy supernet, without processes, threads or time.
#include "server/study/study_runner.h"

#include <gtest/gtest.h>

#include "server/study/report.h"
#include "tests/support/temp_dir.h"
#include "tests/support/toy_study.h"

namespace voxbit::testing {
namespace {

using server::StudyRunner;

class StudyRunnerTest : public ::testing::Test {
 protected:
  StudyRunnerTest() { store_ = storage::Store::Open(dir_.path(), clock_).value(); }

  int64_t Create(const Json& config) {
    const auto plan = server::StudyPlan::Create(config, "", plugins_).value();
    return store_->CreateStudy(plan->config(), plan->config_json()).value().id;
  }

  std::unique_ptr<StudyRunner> Runner(int64_t id) {
    return StudyRunner::Create(id, *store_, plugins_).value();
  }

  // Steps and works until the study has ended; makes a new runner every `restart_every` tasks.
  void RunToEnd(int64_t id, int restart_every = 0) {
    auto runner = Runner(id);
    for (int done = 1; done < 10'000; ++done) {
      StudyRunner::Outcome outcome = StudyRunner::Outcome::kProgressed;
      while (outcome == StudyRunner::Outcome::kProgressed) outcome = runner->Step().value();
      if (outcome == StudyRunner::Outcome::kEnded) return;
      ASSERT_TRUE(WorkOnce(*store_)) << "the study waits, and there is no task";
      if (restart_every > 0 && done % restart_every == 0) runner = Runner(id);
    }
    FAIL() << "the study does not end";
  }

  std::vector<search::Candidate> Proposed(int64_t id) {
    std::vector<search::Candidate> candidates;
    for (const auto& trial : store_->ListTrials(id, {}).value()) {
      candidates.push_back(trial.candidate);
    }
    return candidates;
  }

  TempDir dir_;
  ManualClock clock_;
  const server::Plugins plugins_ = ToyPlugins();
  std::unique_ptr<storage::Store> store_;
};

TEST_F(StudyRunnerTest, RunsThroughItsWholeLife) {
  Json config = ToyStudy("life", 24);
  config["finetune"] = {{"top", 2}, {"steps", 1}};
  const int64_t id = Create(config);
  RunToEnd(id);
  const auto study = store_->GetStudy(id).value();
  EXPECT_EQ(study.state, search::StudyState::kCompleted);
  EXPECT_EQ(study.phase, search::StudyPhase::kFinished);
  EXPECT_EQ(study.message, "");
  const auto counts = store_->CountTrials(id).value();
  EXPECT_EQ(counts.proposed, 24);
  EXPECT_EQ(counts.succeeded, 24);
  int64_t finetuned = 0;
  for (const auto& trial : store_->ListTrials(id, {}).value()) {
    EXPECT_EQ(trial.measured.count({"macs", ""}), 1U);
    EXPECT_EQ(trial.measured.count({"miou", ""}), 1U);
    finetuned += trial.finetuned.empty() ? 0 : 1;
  }
  EXPECT_EQ(finetuned, 2);
  EXPECT_EQ(store_->CheckInvariants().value(), std::vector<std::string>{});
}

TEST_F(StudyRunnerTest, TheSecondBestIsFinetunedTooWhereTheFrontIsOneTrial) {
  Json config = ToyStudy("one", 24);
  config["objectives"] = Json::array({{{"metric", "miou"}}});
  config["finetune"] = {{"top", 3}, {"steps", 1}};
  const int64_t id = Create(config);
  RunToEnd(id);
  std::vector<double> tuned;
  std::vector<double> others;
  for (const auto& trial : store_->ListTrials(id, {}).value()) {
    (trial.finetuned.empty() ? others : tuned).push_back(trial.measured.at({"miou", ""}).value);
  }
  ASSERT_EQ(tuned.size(), 3U);
  EXPECT_GE(*std::min_element(tuned.begin(), tuned.end()),
            *std::max_element(others.begin(), others.end()));
}

TEST_F(StudyRunnerTest, ProposesTheSameHoweverOftenItIsRestarted) {
  const int64_t undisturbed = Create(ToyStudy("undisturbed", 40));
  RunToEnd(undisturbed);
  for (const int every : {1, 3, 7}) {
    const int64_t restarted = Create(ToyStudy("restarted-" + std::to_string(every), 40));
    RunToEnd(restarted, every);
    EXPECT_EQ(Proposed(restarted), Proposed(undisturbed)) << "restart every " << every;
  }
}

TEST_F(StudyRunnerTest, AnotherSeedProposesOtherCandidates) {
  const int64_t first = Create(ToyStudy("first", 16));
  Json other = ToyStudy("second", 16);
  other["seed"] = 4;
  const int64_t second = Create(other);
  RunToEnd(first);
  RunToEnd(second);
  EXPECT_NE(Proposed(first), Proposed(second));
}

TEST_F(StudyRunnerTest, ConstraintHoldsForEveryProposal) {
  const ToySpec toy;
  Json config = ToyStudy("constrained", 32);
  config["constraints"] = {{{"metric", "macs"}, {"max", 3e6}}};
  const int64_t id = Create(config);
  RunToEnd(id);
  for (const auto& trial : store_->ListTrials(id, {}).value()) {
    EXPECT_LE(trial.measured.at({"macs", ""}).value, 3e6) << trial.number;
  }
}

TEST_F(StudyRunnerTest, BudgetOnALatencyTableHoldsForEveryProposal) {
  Json config = ToyStudy("table", 32);
  config["latency_table"] = ToyLatencyTable();
  config["objectives"] = {{{"metric", "miou"}}, {{"metric", "latency_lut_ms"}}};
  config["constraints"] = {{{"metric", "latency_lut_ms"}, {"max", 9}}};
  const int64_t id = Create(config);
  RunToEnd(id, 5);
  EXPECT_EQ(store_->GetStudy(id).value().state, search::StudyState::kCompleted);
  for (const auto& trial : store_->ListTrials(id, {}).value()) {
    EXPECT_LE(trial.measured.at({"latency_lut_ms", ""}).value, 9) << trial.number;
  }
}

TEST_F(StudyRunnerTest, LatencyTableForOtherClassesFailsTheStudyBeforeTraining) {
  Json config = ToyStudy("classes", 8);
  config["latency_table"] = ToyLatencyTable();
  Json& layers = config["latency_table"]["layers"];
  layers.erase("classifier");
  for (int64_t width = 8; width <= 64; width += 8) {
    layers["classifier@" + std::to_string(width) + "x19"] = {{32, 32, 1}};
  }
  const int64_t id = Create(config);
  RunToEnd(id);
  const auto study = store_->GetStudy(id).value();
  EXPECT_EQ(study.state, search::StudyState::kFailed);
  EXPECT_NE(study.message.find("no entry of layer classifier"), std::string::npos) << study.message;
  EXPECT_TRUE(store_->ListTasks(id, search::TaskKind::kTrainSupernet, {}).value().empty());
}

TEST_F(StudyRunnerTest, ConstraintThatNothingMeetsFailsWithTheBoundBeforeTraining) {
  Json config = ToyStudy("infeasible", 8);
  config["constraints"] = {{{"metric", "macs"}, {"max", 1}}};
  const int64_t id = Create(config);
  RunToEnd(id);
  const auto study = store_->GetStudy(id).value();
  EXPECT_EQ(study.state, search::StudyState::kFailed);
  EXPECT_NE(study.message.find("macs"), std::string::npos) << study.message;
  EXPECT_TRUE(store_->ListTasks(id, search::TaskKind::kTrainSupernet, {}).value().empty());
}

TEST_F(StudyRunnerTest, PausedStudyProposesNothingUntilItIsResumed) {
  const int64_t id = Create(ToyStudy("paused", 8));
  auto runner = Runner(id);
  ASSERT_EQ(runner->Step().value(), StudyRunner::Outcome::kWaiting);  // the profile is queued
  ASSERT_TRUE(store_->MoveStudy(id, search::StudyState::kPaused, "").ok());
  EXPECT_FALSE(WorkOnce(*store_));
  EXPECT_EQ(runner->Step().value(), StudyRunner::Outcome::kWaiting);
  ASSERT_TRUE(store_->MoveStudy(id, search::StudyState::kActive, "").ok());
  RunToEnd(id);
  EXPECT_EQ(store_->GetStudy(id).value().state, search::StudyState::kCompleted);
}

TEST_F(StudyRunnerTest, StoppedStudyEnds) {
  const int64_t id = Create(ToyStudy("stopped", 8));
  auto runner = Runner(id);
  ASSERT_TRUE(runner->Step().ok());
  ASSERT_TRUE(store_->MoveStudy(id, search::StudyState::kStopped, "").ok());
  EXPECT_EQ(runner->Step().value(), StudyRunner::Outcome::kEnded);
  EXPECT_FALSE(WorkOnce(*store_));
}

// Between two steps of one runner, which does not see the stop.
TEST_F(StudyRunnerTest, AStudyTriedAgainUnseenGoesOnAsWithANewRunner) {
  const auto proposed = [this](const std::string& name, bool with_new_runner) {
    const int64_t id = Create(ToyStudy(name, 24));
    auto runner = Runner(id);
    // Two trials of the first generation fail; the second is proposed.
    for (int turn = 0; turn < 100 && Proposed(id).size() < 16; ++turn) {
      if (runner->Step().value() == StudyRunner::Outcome::kProgressed) continue;
      const auto task = store_->ClaimTask(ToyWorker(), {}).value();
      if (!task.has_value()) break;
      const bool fails = task->trial_number == 1 || task->trial_number == 2;
      const auto verdict =
          fails ? store_->FailTask(task->id, task->lease_token,
                                   {.kind = search::FailureKind::kFailed, .message = "broken"},
                                   {.max_failed_attempts = 1})
                : store_->CompleteTask(task->id, task->lease_token, ToyResult(task->spec));
      EXPECT_EQ(verdict.value(), search::Verdict::kRecorded);
    }
    EXPECT_EQ(Proposed(id).size(), 16U);
    EXPECT_EQ(store_->CountTrials(id)->failed, 2);
    EXPECT_TRUE(store_->MoveStudy(id, search::StudyState::kStopped, "").ok());
    EXPECT_TRUE(store_->RetryStudy(id).ok());
    if (with_new_runner) runner = Runner(id);
    for (int turn = 0; turn < 1000; ++turn) {
      const StudyRunner::Outcome outcome = runner->Step().value();
      if (outcome == StudyRunner::Outcome::kEnded) break;
      const bool has_worked = outcome != StudyRunner::Outcome::kWaiting || WorkOnce(*store_);
      EXPECT_TRUE(has_worked);
    }
    EXPECT_EQ(store_->GetStudy(id)->state, search::StudyState::kCompleted);
    EXPECT_EQ(store_->LoadAlgorithmState(id).value()->told_sequence, 16);
    return Proposed(id);
  };
  EXPECT_EQ(proposed("seen", true), proposed("unseen", false));
}

TEST_F(StudyRunnerTest, MeasuredConstraintThatNoTrialMeetsIsTold) {
  Json config = ToyStudy("too-slow", 8);
  config["constraints"] = {{{"metric", "latency_ms"}, {"target", "local"}, {"max", 0.5}}};
  const int64_t id = Create(config);
  RunToEnd(id);
  const auto study = store_->GetStudy(id).value();
  EXPECT_EQ(study.state, search::StudyState::kCompleted);
  EXPECT_EQ(study.message, "no trial meets latency_ms[local] <= 0.5; the best has 1");
}

TEST_F(StudyRunnerTest, FailedTrainingFailsTheStudyAndSaysWhy) {
  const int64_t id = Create(ToyStudy("untrainable", 8));
  auto runner = Runner(id);
  ASSERT_TRUE(runner->Step().ok());
  ASSERT_TRUE(WorkOnce(*store_));  // profile
  while (runner->Step().value() == StudyRunner::Outcome::kProgressed) {
  }
  const auto task = store_->ClaimTask(ToyWorker(), {}).value().value();
  ASSERT_EQ(task.spec.kind, search::TaskKind::kTrainSupernet);
  ASSERT_EQ(store_
                ->FailTask(task.id, task.lease_token,
                           {.kind = search::FailureKind::kInfeasible, .message = "loss is NaN"}, {})
                .value(),
            search::Verdict::kRecorded);
  EXPECT_EQ(runner->Step().value(), StudyRunner::Outcome::kEnded);
  const auto study = store_->GetStudy(id).value();
  EXPECT_EQ(study.state, search::StudyState::kFailed);
  EXPECT_NE(study.message.find("loss is NaN"), std::string::npos) << study.message;
}

TEST_F(StudyRunnerTest, AFailedFineTuningIsSaidWhenTheStudyEnds) {
  Json config = ToyStudy("untuned", 8);
  config["objectives"] = Json::array({{{"metric", "miou"}}});
  config["finetune"] = {{"top", 3}, {"steps", 1}};
  const int64_t id = Create(config);
  auto runner = Runner(id);
  std::vector<int64_t> failed;
  for (int i = 0; i < 100; ++i) {
    const StudyRunner::Outcome outcome = runner->Step().value();
    if (outcome == StudyRunner::Outcome::kEnded) break;
    const auto task = store_->ClaimTask(ToyWorker(), {}).value();
    if (!task.has_value()) continue;
    const bool fails = task->spec.kind == search::TaskKind::kFinetune && failed.size() < 2;
    if (!fails) {
      ASSERT_TRUE(store_->CompleteTask(task->id, task->lease_token, ToyResult(task->spec)).ok());
      continue;
    }
    failed.push_back(task->trial_number);
    ASSERT_TRUE(store_
                    ->FailTask(task->id, task->lease_token,
                               {.kind = search::FailureKind::kInfeasible,
                                .message = "/data/o9.txt:2: expected 7 numbers, found 2"},
                               {})
                    .ok());
  }
  const auto study = store_->GetStudy(id).value();
  EXPECT_EQ(study.state, search::StudyState::kCompleted);
  ASSERT_EQ(failed.size(), 2U);
  EXPECT_EQ(study.message, "fine-tuning failed for 2 of 3 trials; the first, trial " +
                               std::to_string(failed[0]) +
                               ": /data/o9.txt:2: expected 7 numbers, found 2");
  for (const int64_t number : failed) {
    const auto trial = store_->GetTrial(id, number).value();
    EXPECT_EQ(trial.state, search::TrialState::kSucceeded);
    EXPECT_EQ(trial.message, "fine-tuning failed: /data/o9.txt:2: expected 7 numbers, found 2");
  }
  EXPECT_EQ(store_->CheckInvariants().value(), std::vector<std::string>{});
}

TEST_F(StudyRunnerTest, LaterTasksNameTheDatasetThatTheProfileFound) {
  Json config = ToyStudy("digest", 8);
  config["finetune"] = {{"top", 1}, {"steps", 1}};
  const int64_t id = Create(config);
  auto runner = Runner(id);
  ASSERT_TRUE(runner->Step().ok());
  const auto profile = store_->ClaimTask(ToyWorker(), {}).value().value();
  EXPECT_EQ(profile.spec.dataset_digest, "");
  search::TaskResult result = ToyResult(profile.spec);
  result.detail["dataset_digest"] = std::string(64, 'd');
  ASSERT_TRUE(store_->CompleteTask(profile.id, profile.lease_token, result).ok());
  RunToEnd(id);
  const auto tasks = store_->ListTasks(id, {}, {}).value();
  ASSERT_EQ(tasks.size(), 11U);  // profile, training, 8 evaluations, fine-tuning
  for (const auto& task : tasks) {
    if (task.id == profile.id) continue;
    EXPECT_EQ(task.spec.dataset_digest, std::string(64, 'd')) << search::Name(task.spec.kind);
  }
  const auto plan = server::StudyPlan::Create(config, "", plugins_).value();
  const auto inputs = server::StudyInputs(*store_, id).value();
  const auto trial = store_->GetTrial(id, 1).value();
  const auto workload = server::StudyWorkload(*store_, id).value();
  const auto exported = plan->ExportTask(trial, workload, inputs, 0);
  EXPECT_EQ(exported.dataset_digest, std::string(64, 'd'));
  EXPECT_EQ(exported.checkpoint, std::string(64, 'a'));
  for (const Json& layer : exported.settings.at("manifest").at("layers")) {
    EXPECT_TRUE(layer.at("tensors").is_array()) << layer;
  }
}

// What the profile of another study has found in the same data goes with the task, so that its
// worker need not read everything again.
TEST_F(StudyRunnerTest, AProfileKnowsTheChecksOfEqualData) {
  const auto profile_of = [this](int64_t id) {
    auto runner = Runner(id);
    EXPECT_TRUE(runner->Step().ok());
    return store_->ListTasks(id, search::TaskKind::kProfile, {}).value();
  };
  const int64_t first = Create(ToyStudy("first", 8));
  ASSERT_EQ(profile_of(first).size(), 1U);
  EXPECT_FALSE(profile_of(first)[0].spec.settings.contains("checks"));
  const search::Task profile = *store_->ClaimTask(ToyWorker(), {}).value();
  search::TaskResult result = ToyResult(profile.spec);
  const Json overview = {{"digest", std::string(64, 'd')}, {"warnings", {"beware"}}};
  result.detail["check"] = overview;
  EXPECT_TRUE(server::StudyDataOverview(*store_, first).value().is_null());
  ASSERT_TRUE(store_->CompleteTask(profile.id, profile.lease_token, result).ok());
  EXPECT_EQ(server::StudyDataOverview(*store_, first).value(), overview);

  const int64_t second = Create(ToyStudy("second", 8));
  Json other = ToyStudy("other", 8);
  other["dataset"]["beams"] = 8;
  const int64_t third = Create(other);
  EXPECT_EQ(profile_of(second)[0].spec.settings.at("checks"), Json::array({overview}));
  EXPECT_FALSE(profile_of(third)[0].spec.settings.contains("checks"));
  // It stays as it is, whatever becomes known later and however often the server is started.
  RunToEnd(first);
  EXPECT_EQ(profile_of(second).size(), 1U);
  RunToEnd(second, 1);
  EXPECT_EQ(store_->GetStudy(second)->state, search::StudyState::kCompleted);
}

TEST_F(StudyRunnerTest, AProfileIsToldOfTheLatestChecksOnly) {
  constexpr int kStudies = 20;
  const auto profile_of = [this](const std::string& name) {
    const int64_t id = Create(ToyStudy(name, 8));
    EXPECT_TRUE(Runner(id)->Step().ok());
    return store_->ListTasks(id, search::TaskKind::kProfile, {}).value().at(0);
  };
  for (int i = 0; i < kStudies; ++i) {
    profile_of("study" + std::to_string(i));
    const search::Task profile = *store_->ClaimTask(ToyWorker(), {}).value();
    search::TaskResult result = ToyResult(profile.spec);
    result.detail["check"] = {{"digest", std::to_string(100 + i)}};
    ASSERT_TRUE(store_->CompleteTask(profile.id, profile.lease_token, result).ok());
  }
  const Json checks = profile_of("last").spec.settings.at("checks");
  ASSERT_EQ(checks.size(), 16U);
  EXPECT_EQ(checks.front().at("digest"), "104");
  EXPECT_EQ(checks.back().at("digest"), "119");
}

TEST_F(StudyRunnerTest, ExhaustedSpaceEndsTheSearchBeforeTheBudget) {
  Json config = ToyStudy("tiny", 100'000);
  config["search"]["algorithm"] = "random";
  config["search"]["population"] = 64;
  // Only a handful of candidates is this small.
  const ToySpec toy;
  const auto filter = search::CostFilter::Create(toy, plugins_.costs, nullptr, {}).value();
  const double smallest = filter->Costs(toy.space().Smallest()).at({"params", ""}).value;
  config["constraints"] = {{{"metric", "params"}, {"max", smallest * 1.6}}};
  const int64_t id = Create(config);
  RunToEnd(id);
  const auto counts = store_->CountTrials(id).value();
  EXPECT_EQ(store_->GetStudy(id).value().state, search::StudyState::kCompleted);
  EXPECT_GE(counts.succeeded, 1);
  EXPECT_LT(counts.succeeded, 1000);
}

TEST_F(StudyRunnerTest, WhyTheSearchEndedEarlyIsTheStudysMessageAlsoAfterAPauseAndARestart) {
  Json config = ToyStudy("tiny", 100'000);
  config["search"]["algorithm"] = "random";
  const ToySpec toy;
  const auto filter = search::CostFilter::Create(toy, plugins_.costs, nullptr, {}).value();
  const double smallest = filter->Costs(toy.space().Smallest()).at({"params", ""}).value;
  config["constraints"] = {{{"metric", "params"}, {"max", smallest * 1.6}}};
  config["finetune"] = {{"top", 1}};
  const int64_t id = Create(config);
  while (store_->GetStudy(id).value().phase != search::StudyPhase::kFinetune) {
    if (Runner(id)->Step().value() == StudyRunner::Outcome::kWaiting) {
      ASSERT_TRUE(WorkOnce(*store_));
    }
  }
  ASSERT_TRUE(store_->MoveStudy(id, search::StudyState::kPaused, "").ok());
  ASSERT_TRUE(store_->MoveStudy(id, search::StudyState::kActive, "").ok());
  RunToEnd(id);
  const search::Study study = store_->GetStudy(id).value();
  EXPECT_EQ(study.state, search::StudyState::kCompleted);
  EXPECT_EQ(study.message, "the search ended after " +
                               std::to_string(store_->CountTrials(id).value().proposed) +
                               " of 100000 trials: " + search::kSpaceExhausted);
}

TEST_F(StudyRunnerTest, AStudyWithItsWholeBudgetHasNoMessage) {
  const int64_t id = Create(ToyStudy("whole", 8));
  RunToEnd(id);
  EXPECT_EQ(store_->GetStudy(id).value().message, "");
}

TEST_F(StudyRunnerTest, EverySeedOf64BitsIsKept) {
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1} << 63, ~uint64_t{0}}) {
    Json config = ToyStudy("seed-" + std::to_string(seed), 8);
    config["seed"] = seed;
    const int64_t id = Create(config);
    RunToEnd(id);
    const search::Study study = store_->GetStudy(id).value();
    EXPECT_EQ(study.state, search::StudyState::kCompleted) << study.message;
    EXPECT_EQ(study.config.seed, seed);
    EXPECT_NE(study.config_json.find("\"seed\":" + std::to_string(seed)), std::string::npos);
    for (const auto& task :
         store_->ListTasks(id, search::TaskKind::kEvaluate, std::nullopt).value()) {
      EXPECT_EQ(task.spec.seed, seed);
    }
  }
}

TEST_F(StudyRunnerTest, BaselinesOfBitWidthsEndTheirStudies) {
  for (const auto& [name, entry] : plugins_.algorithms.entries()) {
    if (!entry.factory.is_baseline || name == "given") continue;
    Json config = ToyStudy(name, 24);
    config["supernet"]["weight_bits"] = {2, 4, 8};
    config["search"]["algorithm"] = name;
    const int64_t id = Create(config);
    RunToEnd(id, 3);
    EXPECT_EQ(store_->GetStudy(id)->state, search::StudyState::kCompleted) << name;
    const auto counts = store_->CountTrials(id).value();
    EXPECT_GE(counts.succeeded, 1) << name;
    EXPECT_LT(counts.succeeded, 24) << name;
  }
}

TEST_F(StudyRunnerTest, SearchForBitWidthsOfASupernetWithoutThemIsRefused) {
  Json config = ToyStudy("no-bits", 8);
  config["search"]["algorithm"] = "greedy_bits";
  const Status status = server::StudyPlan::Create(config, "/studies/0", plugins_).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message().find("/studies/0/search/algorithm: greedy_bits chooses bit-widths"),
            0U)
      << status;
}

TEST_F(StudyRunnerTest, SettingsThatTheAlgorithmDoesNotHaveAreRefused) {
  Json config = ToyStudy("agent", 8);
  config["search"]["agent"] = {{"tau", 0.1}};
  EXPECT_EQ(server::StudyPlan::Create(config, "", plugins_).status().message(),
            "/search/agent/tau: unknown key; evolution has no settings of its own");
  config["search"]["agent"] = 7;
  EXPECT_EQ(server::StudyPlan::Create(config, "", plugins_).status().message(),
            "/search/agent: expected an object, found 7");
}

}  // namespace
}  // namespace voxbit::testing
