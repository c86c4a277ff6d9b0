#include <gtest/gtest.h>

#include <limits>

#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using search::FailureKind;
using search::StudyState;
using search::Task;
using search::TaskKind;
using search::TaskState;
using search::Trial;
using search::TrialState;
using testing::ResultOf;
using testing::SpecOf;
using testing::StudyNamed;
using testing::Take;
using testing::TrialOf;

using StoreStudiesTest = testing::StoreTest;

TEST_F(StoreStudiesTest, GivesBackWhatWasCreated) {
  const search::StudyConfig config = StudyNamed("a");
  const std::string json = CanonicalJson(ToJson(config));
  const search::Study created = Take(store_->CreateStudy(config, json));
  Reopen();
  const search::Study study = Take(store_->GetStudy("a"));
  EXPECT_EQ(study.id, created.id);
  EXPECT_EQ(study.config_json, json);
  EXPECT_EQ(study.config.name, "a");
  EXPECT_EQ(study.state, StudyState::kActive);
  EXPECT_EQ(study.phase, search::StudyPhase::kProfile);
  EXPECT_EQ(study.created_ms, clock_.NowMs());
  EXPECT_EQ(study.finished_ms, 0);
  EXPECT_EQ(Take(store_->GetStudy(study.id)).config.name, "a");
}

TEST_F(StoreStudiesTest, RefusesATakenName) {
  NewStudy("a");
  EXPECT_EQ(store_->CreateStudy(StudyNamed("a"), "{}").status().code(), StatusCode::kAlreadyExists);
}

TEST_F(StoreStudiesTest, SaysThatAStudyIsUnknown) {
  EXPECT_EQ(store_->GetStudy("none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->GetStudy(7).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->SetPhase(7, search::StudyPhase::kTrain).code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->MoveStudy(7, StudyState::kPaused, "").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->AppendTrials(7, {}, {}).status().code(), StatusCode::kNotFound);
}

TEST_F(StoreStudiesTest, ListsPageByPage) {
  for (const char* name : {"a", "b", "c"}) NewStudy(name);
  const auto first = Take(store_->ListStudies(0, 2));
  ASSERT_EQ(first.size(), 2u);
  const auto second = Take(store_->ListStudies(first.back().id, 2));
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].config.name, "c");
}

TEST_F(StoreStudiesTest, MovesOnlyWhereTheTableAllows) {
  constexpr StudyState kStates[] = {StudyState::kActive, StudyState::kPaused, StudyState::kStopped,
                                    StudyState::kCompleted, StudyState::kFailed};
  int number = 0;
  for (const StudyState from : kStates) {
    for (const StudyState to : kStates) {
      const search::Study study = NewStudy("s" + std::to_string(++number));
      Take(store_->MoveStudy(study.id, from, "first"));
      const auto moved = store_->MoveStudy(study.id, to, "second");
      if (from == to || CanMove(from, to)) {
        EXPECT_TRUE(moved.ok()) << moved.status();
        EXPECT_EQ(moved->state, to);
      } else {
        EXPECT_EQ(moved.status().code(), StatusCode::kFailedPrecondition);
        EXPECT_EQ(moved.status().reason(), "STUDY_NOT_ACTIVE");
        EXPECT_EQ(Take(store_->GetStudy(study.id)).state, from);
      }
    }
  }
}

TEST_F(StoreStudiesTest, KeepsItsEndWhenAMoveIsRepeated) {
  const search::Study study = NewStudy();
  const search::Study stopped = Take(store_->MoveStudy(study.id, StudyState::kStopped, "enough"));
  clock_.Advance(Milliseconds(5));
  const search::Study again = Take(store_->MoveStudy(study.id, StudyState::kStopped, "again"));
  EXPECT_EQ(again.message, "enough");
  EXPECT_EQ(again.finished_ms, stopped.finished_ms);
  EXPECT_GT(again.finished_ms, 0);
}

TEST_F(StoreStudiesTest, AnEmptyMessageLeavesTheOldOne) {
  const search::Study study = NewStudy("early");
  ASSERT_TRUE(store_->SetPhase(study.id, search::StudyPhase::kFinetune, "no more candidates").ok());
  Take(store_->MoveStudy(study.id, StudyState::kPaused, ""));
  Take(store_->MoveStudy(study.id, StudyState::kActive, ""));
  ASSERT_TRUE(store_->SetPhase(study.id, search::StudyPhase::kFinished).ok());
  EXPECT_EQ(Take(store_->GetStudy(study.id)).message, "no more candidates");
  EXPECT_EQ(Take(store_->MoveStudy(study.id, StudyState::kCompleted, "no front")).message,
            "no front");
}

TEST_F(StoreStudiesTest, CancelsWhatIsLeftWhenAStudyEnds) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 3);
  const Task done = Claim();
  Complete(done);
  const Task running = Claim();
  const int64_t exported = Take(store_->AppendTask(study.id, 1, SpecOf(TaskKind::kExport)));
  const int64_t tuned = Take(store_->AppendTask(study.id, 1, SpecOf(TaskKind::kFinetune)));
  Take(store_->MoveStudy(study.id, StudyState::kStopped, "enough"));

  const auto trials = Take(store_->TrialsAfter(study.id, 0));
  ASSERT_EQ(trials.size(), 3u);
  EXPECT_EQ(trials[0].state, TrialState::kSucceeded);
  EXPECT_EQ(trials[1].state, TrialState::kCancelled);
  EXPECT_EQ(trials[2].state, TrialState::kCancelled);
  EXPECT_EQ(Take(store_->GetTask(running.id)).state, TaskState::kCancelled);
  EXPECT_EQ(Take(store_->GetTask(tuned)).state, TaskState::kCancelled);
  EXPECT_EQ(Take(store_->ListAttempts(running.id)).at(0).outcome, "cancelled");
  EXPECT_EQ(Complete(running), search::Verdict::kSuperseded);
  EXPECT_EQ(Claim().id, exported);
  EXPECT_EQ(Take(store_->CountTrials(study.id)).cancelled, 2);
}

TEST_F(StoreStudiesTest, TakesNoWorkAfterItsEndButExports) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 1);
  Complete(Claim());
  Take(store_->MoveStudy(study.id, StudyState::kCompleted, ""));
  EXPECT_EQ(store_->AppendTrials(study.id, {TrialOf(5, {})}, {}).status().reason(),
            "STUDY_NOT_ACTIVE");
  EXPECT_EQ(store_->AppendTask(study.id, 1, SpecOf(TaskKind::kFinetune)).status().reason(),
            "STUDY_NOT_ACTIVE");
  EXPECT_TRUE(store_->AppendTask(study.id, 1, SpecOf(TaskKind::kExport)).ok());
}

// ---- trials
// --------------------------------------------------------------------------------------

TEST_F(StoreStudiesTest, NumbersTrialsFromOneInEachStudy) {
  const search::Study a = NewStudy("a");
  const search::Study b = NewStudy("b");
  EXPECT_EQ(Take(store_->AppendTrials(a.id, {TrialOf(1, {}), TrialOf(2, {})}, {})),
            (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(Take(store_->AppendTrials(b.id, {TrialOf(1, {})}, {})), (std::vector<int64_t>{1}));
  EXPECT_EQ(Take(store_->AppendTrials(a.id, {TrialOf(3, {})}, {})), (std::vector<int64_t>{3}));
}

TEST_F(StoreStudiesTest, GivesBackTheTrial) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 7, 1, {TaskKind::kEvaluate});
  const Trial trial = Take(store_->GetTrial(study.id, 1));
  EXPECT_EQ(trial.candidate.choices, (std::vector<int32_t>{7}));
  EXPECT_EQ(trial.origin, "random");
  EXPECT_EQ(trial.state, TrialState::kPending);
  EXPECT_EQ(trial.sequence, 0);
  EXPECT_EQ(trial.measured.at({"macs", ""}).value, 1007.0);
  const Status unknown = store_->GetTrial(study.id, 2).status();
  EXPECT_EQ(unknown.code(), StatusCode::kNotFound);
  EXPECT_EQ(unknown.message(), "there is no trial 2 of study \"toy\"");
}

TEST_F(StoreStudiesTest, AddsAllTrialsOrNone) {
  const search::Study study = NewStudy();
  ASSERT_TRUE(store_->AppendTrials(study.id, {TrialOf(1, {TaskKind::kEvaluate})}, {"old", 0}).ok());
  const auto again = store_->AppendTrials(
      study.id, {TrialOf(2, {TaskKind::kEvaluate}), TrialOf(1, {TaskKind::kEvaluate})}, {"new", 0});
  EXPECT_EQ(again.status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(again.status().reason(), "CANDIDATE_DUPLICATE");
  EXPECT_EQ(again.status().message(), "the candidate 1 is trial 1 of study \"toy\" already");
  EXPECT_EQ(Take(store_->CountTrials(study.id)).proposed, 1);
  EXPECT_EQ(Take(store_->ListTasks(study.id, std::nullopt, std::nullopt)).size(), 1u);
  EXPECT_EQ(Take(store_->LoadAlgorithmState(study.id))->blob, "old");
}

TEST_F(StoreStudiesTest, RefusesCostsThatAreNotFinite) {
  const search::Study study = NewStudy();
  NewTrial trial = TrialOf(1, {});
  trial.costs.begin()->second.value = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(store_->AppendTrials(study.id, {trial}, {}).status().reason(), "RESULT_NON_FINITE");
}

TEST_F(StoreStudiesTest, EndsATrialWithoutTasksAtOnce) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 1, 1, {});
  const Trial trial = Take(store_->GetTrial(study.id, 1));
  EXPECT_EQ(trial.state, TrialState::kSucceeded);
  EXPECT_EQ(trial.sequence, 1);
}

TEST_F(StoreStudiesTest, EndsATrialWithItsLastTask) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 1, 1, {TaskKind::kEvaluate, TaskKind::kMeasureLatency});
  const Task evaluate = Claim("w1");
  EXPECT_EQ(Take(store_->GetTrial(study.id, 1)).state, TrialState::kRunning);
  const Task latency = Claim("w2");
  ASSERT_EQ(Complete(evaluate, 0.6), search::Verdict::kRecorded);
  EXPECT_EQ(Take(store_->GetTrial(study.id, 1)).state, TrialState::kRunning);
  search::TaskResult result = ResultOf("latency_ms", 3.5);
  result.measurements[0].target = "cpu";
  result.artifacts["log"] = Sha256Hex("log");
  ASSERT_EQ(Take(store_->CompleteTask(latency.id, latency.lease_token, result)),
            search::Verdict::kRecorded);

  const Trial trial = Take(store_->GetTrial(study.id, 1));
  EXPECT_EQ(trial.state, TrialState::kSucceeded);
  EXPECT_EQ(trial.sequence, 1);
  EXPECT_EQ(trial.measured.size(), 3u);
  EXPECT_EQ(trial.measured.at({"miou", ""}).value, 0.6);
  EXPECT_EQ(trial.measured.at({"latency_ms", "cpu"}).value, 3.5);
  EXPECT_EQ(trial.artifacts.at("log"), Sha256Hex("log"));
}

TEST_F(StoreStudiesTest, TellsInTheOrderOfRecording) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 3);
  std::vector<Task> tasks = {Claim("a"), Claim("b"), Claim("c")};
  Complete(tasks[2]);
  Complete(tasks[0]);
  Complete(tasks[1]);
  std::vector<int64_t> numbers;
  for (const Trial& trial : Take(store_->TrialsAfter(study.id, 0))) numbers.push_back(trial.number);
  EXPECT_EQ(numbers, (std::vector<int64_t>{3, 1, 2}));
  EXPECT_EQ(Take(store_->TrialsAfter(study.id, 2)).size(), 1u);
  EXPECT_TRUE(Take(store_->TrialsAfter(study.id, 3)).empty());
}

TEST_F(StoreStudiesTest, FiltersTrialsPageByPage) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 5);
  Complete(Claim());
  Fail(Claim(), FailureKind::kInfeasible);
  const TrialFilter pending{{TrialState::kPending}, 0, 2};
  const auto first = Take(store_->ListTrials(study.id, pending));
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].number, 3);
  const auto second =
      Take(store_->ListTrials(study.id, {{TrialState::kPending}, first[1].number, 2}));
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].number, 5);
  const auto ended = Take(
      store_->ListTrials(study.id, {{TrialState::kSucceeded, TrialState::kInfeasible}, 0, 10}));
  EXPECT_EQ(ended.size(), 2u);
  EXPECT_EQ(Take(store_->ListTrials(study.id, {})).size(), 5u);
  const TrialCounts counts = Take(store_->CountTrials(study.id));
  EXPECT_EQ(counts.proposed, 5);
  EXPECT_EQ(counts.succeeded, 1);
  EXPECT_EQ(counts.infeasible, 1);
}

TEST_F(StoreStudiesTest, EndsATrialWithTheFailureOfOneTask) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 1, 1, {TaskKind::kEvaluate, TaskKind::kMeasureLatency});
  const Task evaluate = Claim("w1");
  const Task latency = Claim("w2");
  ASSERT_EQ(Fail(evaluate, FailureKind::kInfeasible), search::Verdict::kRecorded);
  const Trial trial = Take(store_->GetTrial(study.id, 1));
  EXPECT_EQ(trial.state, TrialState::kInfeasible);
  EXPECT_EQ(trial.sequence, 1);
  EXPECT_EQ(trial.message, "because");
  EXPECT_EQ(Take(store_->GetTask(latency.id)).state, TaskState::kCancelled);
  EXPECT_EQ(Complete(latency), search::Verdict::kSuperseded);
  EXPECT_EQ(Take(store_->GetTrial(study.id, 1)).measured.count({"miou", ""}), 0u);
}

TEST_F(StoreStudiesTest, KeepsFineTunedMeasurementsApart) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 1, 1);
  Complete(Claim(), 0.4);
  Take(store_->AppendTask(study.id, 1, SpecOf(TaskKind::kFinetune)));
  const Task task = Claim();
  search::TaskResult result = ResultOf("miou", 0.7);
  result.artifacts["finetuned_weights"] = Sha256Hex("weights");
  EXPECT_EQ(Take(store_->CompleteTask(task.id, task.lease_token, result)),
            search::Verdict::kRecorded);
  const Trial trial = Take(store_->GetTrial(study.id, 1));
  EXPECT_EQ(trial.measured.at({"miou", ""}).value, 0.4);
  EXPECT_EQ(trial.finetuned.at({"miou", ""}).value, 0.7);
  EXPECT_EQ(trial.artifacts.at("finetuned_weights"), Sha256Hex("weights"));
  EXPECT_EQ(trial.sequence, 1);
}

TEST_F(StoreStudiesTest, KeepsATrialWhoseFineTuningOrExportFails) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 1, 1);
  Complete(Claim());
  for (const TaskKind kind : {TaskKind::kExport, TaskKind::kFinetune}) {
    EXPECT_EQ(Take(store_->GetTrial(study.id, 1)).message, "");
    Take(store_->AppendTask(study.id, 1, SpecOf(kind)));
    const Task task = Claim();
    EXPECT_EQ(Fail(task, FailureKind::kInfeasible), search::Verdict::kRecorded);
    EXPECT_EQ(Take(store_->GetTask(task.id)).state, TaskState::kFailed);
  }
  EXPECT_EQ(Take(store_->GetTrial(study.id, 1)).state, TrialState::kSucceeded);
  EXPECT_EQ(Take(store_->GetTrial(study.id, 1)).message, "fine-tuning failed: because");
}

TEST_F(StoreStudiesTest, MeasuresAFinalTrialNoMore) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 1, 1);
  Complete(Claim());
  EXPECT_EQ(store_->AppendTask(study.id, 1, SpecOf(TaskKind::kMeasureLatency)).status().reason(),
            "TRIAL_FINAL");
}

}  // namespace
}  // namespace voxbit::storage
