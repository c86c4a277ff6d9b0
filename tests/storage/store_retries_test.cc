// Studies that are given again, tried again or deleted. The fixture checks the invariants after
// each test.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using search::FailureKind;
using search::StudyPhase;
using search::StudyState;
using search::Task;
using search::TaskKind;
using search::TaskState;
using search::Trial;
using search::TrialState;
using search::Verdict;
using testing::SpecOf;
using testing::StudyNamed;
using testing::Take;

class StoreRetriesTest : public testing::StoreTest {
 protected:
  // A task of the study as a whole.
  int64_t Own(int64_t study, TaskKind kind, int32_t choice = 0) {
    return Take(store_->AppendTask(study, 0, SpecOf(kind, choice)));
  }
  void FailForGood(int64_t study) { Take(store_->MoveStudy(study, StudyState::kFailed, "broken")); }
  std::vector<Task> Tasks(int64_t study) {
    return Take(store_->ListTasks(study, std::nullopt, std::nullopt));
  }
  std::vector<TrialState> States(int64_t study) {
    std::vector<TrialState> states;
    for (const Trial& trial : Take(store_->ListTrials(study, {}))) states.push_back(trial.state);
    return states;
  }
};

// ---- given again --------------------------------------------------------------------------------

TEST_F(StoreRetriesTest, NameOfAStudyThatFailedBeforeItsFirstTrialIsFree) {
  const search::Study failed = NewStudy("a");
  Own(failed.id, TaskKind::kProfile);
  Fail(Claim(), FailureKind::kInfeasible);
  FailForGood(failed.id);
  search::StudyConfig mended = StudyNamed("a");
  mended.seed = 9;
  const search::Study again = Take(store_->CreateStudy(mended, CanonicalJson(ToJson(mended))));
  EXPECT_EQ(again.config.name, "a");
  EXPECT_EQ(again.config.seed, 9U);
  EXPECT_EQ(again.state, StudyState::kActive);
  EXPECT_EQ(again.phase, StudyPhase::kProfile);
  EXPECT_EQ(again.message, "");
  EXPECT_EQ(Take(store_->GetStudy("a")).id, again.id);
  EXPECT_EQ(Take(store_->ListStudies(0, 10)).size(), 1U);
  EXPECT_TRUE(Tasks(again.id).empty());
  Own(again.id, TaskKind::kProfile);
  EXPECT_EQ(Claim().attempt, 1);
}

TEST_F(StoreRetriesTest, AnyOtherStudyKeepsItsName) {
  const search::Study tried = NewStudy("tried");
  AddTrials(tried.id, 0, 1);
  FailForGood(tried.id);
  Take(store_->MoveStudy(NewStudy("stopped").id, StudyState::kStopped, ""));
  NewStudy("active");
  for (const char* name : {"tried", "stopped", "active"}) {
    const Status taken = store_->CreateStudy(StudyNamed(name), "{}").status();
    EXPECT_EQ(taken.code(), StatusCode::kAlreadyExists) << name;
  }
  EXPECT_EQ(store_->CreateStudy(StudyNamed("tried"), "{}").status().message(),
            "there is a study \"tried\" already; it is failed and has 1 trials");
}

TEST_F(StoreRetriesTest, FinishedTrainingServesTheStudyThatIsGivenAgain) {
  const search::Study failed = NewStudy("a");
  const int64_t training = Own(failed.id, TaskKind::kTrainSupernet);
  Complete(Claim());
  FailForGood(failed.id);
  const search::Study again = NewStudy("a");
  EXPECT_EQ(Own(again.id, TaskKind::kTrainSupernet), training);
  EXPECT_EQ(Take(store_->GetTask(training)).state, TaskState::kDone);
  FailForGood(again.id);

  // One with other settings has a training of its own.
  const search::Study other = NewStudy("a");
  const int64_t own = Own(other.id, TaskKind::kTrainSupernet, 1);
  EXPECT_NE(own, training);
  EXPECT_EQ(Take(store_->GetTask(own)).state, TaskState::kQueued);
  ASSERT_TRUE(store_->RemoveRivals(own).ok());
  ASSERT_EQ(Tasks(other.id).size(), 1U);
  EXPECT_EQ(Tasks(other.id)[0].id, own);
}

// ---- tried again --------------------------------------------------------------------------------

TEST_F(StoreRetriesTest, StoppedStudyGoesOnWhereItStood) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 4);
  Complete(Claim(), 0.5);
  const Task running = Claim();
  ASSERT_TRUE(store_->SaveAlgorithmState(study.id, {"state", 1}).ok());
  ASSERT_TRUE(store_->SetPhase(study.id, StudyPhase::kSearch).ok());
  Take(store_->MoveStudy(study.id, StudyState::kStopped, "enough"));
  const search::Study again = Take(store_->RetryStudy(study.id));
  EXPECT_EQ(again.state, StudyState::kActive);
  EXPECT_EQ(again.phase, StudyPhase::kSearch);
  EXPECT_EQ(again.message, "");
  EXPECT_EQ(again.finished_ms, 0);
  EXPECT_EQ(States(study.id),
            (std::vector<TrialState>{TrialState::kSucceeded, TrialState::kPending,
                                     TrialState::kPending, TrialState::kPending}));
  EXPECT_EQ(Take(store_->LoadAlgorithmState(study.id))->told_sequence, 1);
  // What the old attempt hands in came too late.
  EXPECT_EQ(Complete(running), Verdict::kSuperseded);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Complete(Claim(), 0.1), Verdict::kRecorded);
  EXPECT_FALSE(HasWork());
  const auto told = Take(store_->TrialsAfter(study.id, 1));
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[0].sequence, 2);
}

TEST_F(StoreRetriesTest, FailedTrialsAreMeasuredAgainWithFreshBudgets) {
  policy_.max_failed_attempts = 1;
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 4, {TaskKind::kEvaluate, TaskKind::kMeasureLatency});
  // The first succeeds, the second fails after its evaluation, the third is infeasible.
  Complete(Claim(), 0.5);
  const Task latency = Claim();
  Take(store_->CompleteTask(latency.id, latency.lease_token, testing::ResultOf("params", 1)));
  Complete(Claim(), 0.25);
  Fail(Claim(), FailureKind::kFailed);
  Fail(Claim(), FailureKind::kInfeasible);
  ASSERT_TRUE(store_->SaveAlgorithmState(study.id, {"state", 3}).ok());
  ASSERT_EQ(States(study.id),
            (std::vector<TrialState>{TrialState::kSucceeded, TrialState::kFailed,
                                     TrialState::kInfeasible, TrialState::kPending}));
  FailForGood(study.id);
  Take(store_->RetryStudy(study.id));
  EXPECT_EQ(States(study.id),
            (std::vector<TrialState>{TrialState::kSucceeded, TrialState::kPending,
                                     TrialState::kInfeasible, TrialState::kPending}));
  // Those that stay move together; the algorithm was told of both.
  const auto kept = Take(store_->TrialsAfter(study.id, 0));
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[1].number, 3);
  EXPECT_EQ(kept[1].sequence, 2);
  EXPECT_EQ(Take(store_->LoadAlgorithmState(study.id))->told_sequence, 2);
  // What the second trial has measured stays; only its latency is asked for, by a fresh budget.
  const Task again = Claim();
  EXPECT_EQ(again.trial_number, 2);
  EXPECT_EQ(again.spec.kind, TaskKind::kMeasureLatency);
  EXPECT_EQ(again.attempt, 2);
  const auto attempts = Take(store_->ListAttempts(again.id));
  EXPECT_EQ(attempts.at(0).outcome, "released");
  EXPECT_EQ(attempts.at(0).message, "forgiven when the study was tried again; was failed: because");
  policy_.max_failed_attempts = 2;
  Fail(again, FailureKind::kFailed);
  EXPECT_EQ(Take(store_->GetTask(again.id)).state, TaskState::kQueued);
  clock_.Advance(Milliseconds(10'000));
  const Task third = Claim("w2");
  Take(store_->CompleteTask(third.id, third.lease_token, testing::ResultOf("params", 2)));
  const Trial trial = Take(store_->GetTrial(study.id, 2));
  EXPECT_EQ(trial.state, TrialState::kSucceeded);
  EXPECT_EQ(trial.sequence, 3);
  EXPECT_EQ(trial.measured.at({"miou", ""}).value, 0.25);
}

TEST_F(StoreRetriesTest, FailedTrainingIsTriedAgainAndExportsStay) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 1);
  Complete(Claim());
  const int64_t exported = Take(store_->AppendTask(study.id, 1, SpecOf(TaskKind::kExport)));
  Fail(Claim(), FailureKind::kInfeasible);
  const int64_t tuned = Take(store_->AppendTask(study.id, 1, SpecOf(TaskKind::kFinetune)));
  const int64_t training = Own(study.id, TaskKind::kTrainSupernet);
  FailForGood(study.id);
  Take(store_->RetryStudy(study.id));
  EXPECT_EQ(Take(store_->GetTask(exported)).state, TaskState::kFailed);
  EXPECT_EQ(Take(store_->GetTask(tuned)).state, TaskState::kQueued);
  EXPECT_EQ(Take(store_->GetTask(training)).state, TaskState::kQueued);
}

TEST_F(StoreRetriesTest, AFineTuningThatIsTriedAgainHasNotFailed) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 1);
  Complete(Claim());
  const int64_t tuned = Take(store_->AppendTask(study.id, 1, SpecOf(TaskKind::kFinetune)));
  Fail(Claim(), FailureKind::kInfeasible);
  ASSERT_EQ(Take(store_->GetTrial(study.id, 1)).message, "fine-tuning failed: because");
  FailForGood(study.id);
  Take(store_->RetryStudy(study.id));
  EXPECT_EQ(Take(store_->GetTask(tuned)).state, TaskState::kQueued);
  EXPECT_EQ(Take(store_->GetTrial(study.id, 1)).message, "");
  EXPECT_EQ(Take(store_->GetTrial(study.id, 1)).state, TrialState::kSucceeded);
}

TEST_F(StoreRetriesTest, TrainingThatAnotherStudyFinishedMeanwhileIsNotRepeated) {
  const search::Study study = NewStudy("a");
  AddTrials(study.id, 0, 1);
  const int64_t training = Own(study.id, TaskKind::kTrainSupernet);
  FailForGood(study.id);
  Own(NewStudy("b").id, TaskKind::kTrainSupernet);
  Complete(Claim());
  Take(store_->RetryStudy(study.id));
  EXPECT_EQ(Take(store_->GetTask(training)).state, TaskState::kDone);
}

TEST_F(StoreRetriesTest, StudyWithoutTrialsBeginsAnewButForItsTraining) {
  const search::Study study = NewStudy();
  const int64_t profile = Own(study.id, TaskKind::kProfile);
  Complete(Claim());
  const int64_t training = Own(study.id, TaskKind::kTrainSupernet);
  Complete(Claim());
  ASSERT_TRUE(store_->SetPhase(study.id, StudyPhase::kSearch).ok());
  FailForGood(study.id);
  const search::Study again = Take(store_->RetryStudy(study.id));
  EXPECT_EQ(again.phase, StudyPhase::kProfile);
  EXPECT_EQ(store_->GetTask(profile).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Own(study.id, TaskKind::kTrainSupernet), training);
}

TEST_F(StoreRetriesTest, OnlyWhatFailedOrWasStoppedIsTriedAgain) {
  const search::Study study = NewStudy();
  for (const StudyState state :
       {StudyState::kActive, StudyState::kPaused, StudyState::kActive, StudyState::kCompleted}) {
    Take(store_->MoveStudy(study.id, state, ""));
    const Status refused = store_->RetryStudy(study.id).status();
    EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
    EXPECT_EQ(refused.reason(), "STUDY_NOT_ACTIVE");
  }
  EXPECT_EQ(store_->RetryStudy(99).status().code(), StatusCode::kNotFound);
}

// ---- deleted ------------------------------------------------------------------------------------

TEST_F(StoreRetriesTest, DeletedStudyLeavesNothingAndOthersStay) {
  const search::Study study = NewStudy("a");
  AddTrials(study.id, 0, 3);
  Complete(Claim());
  const Task running = Claim();
  const std::string large(kLargeStateBytes + 1, 'x');
  ASSERT_TRUE(store_->SaveAlgorithmState(study.id, {large, 1}).ok());
  const std::string states = folder_.File("store/states/" + std::to_string(study.id));
  ASSERT_TRUE(std::filesystem::exists(states));
  const search::Study other = NewStudy("b");
  AddTrials(other.id, 0, 1);

  EXPECT_EQ(Take(store_->DeleteStudy(study.id)).config.name, "a");
  EXPECT_EQ(store_->GetStudy("a").status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(Take(store_->ListTrials(study.id, {})).empty());
  EXPECT_TRUE(Tasks(study.id).empty());
  EXPECT_FALSE(Take(store_->LoadAlgorithmState(study.id)).has_value());
  EXPECT_EQ(store_->GetTask(running.id).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->CompleteTask(running.id, running.lease_token, {}).status().code(),
            StatusCode::kNotFound);
  EXPECT_EQ(Claim().study_id, other.id);
  ASSERT_TRUE(store_->DropStates(study.id).ok());
  EXPECT_FALSE(std::filesystem::exists(states));
  EXPECT_EQ(store_->DeleteStudy(study.id).status().code(), StatusCode::kNotFound);
  // The name is free, and the id is never given twice.
  EXPECT_GT(NewStudy("a").id, other.id);
}

TEST_F(StoreRetriesTest, FilesOfADeletedStudyGoAtTheNextStart) {
  const search::Study study = NewStudy("a");
  const std::string large(kLargeStateBytes + 1, 'x');
  ASSERT_TRUE(store_->SaveAlgorithmState(study.id, {large, 0}).ok());
  Take(store_->DeleteStudy(study.id));
  Reopen();
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder_.File("store/states"))) {
    EXPECT_FALSE(entry.is_regular_file()) << entry.path();
  }
}

TEST_F(StoreRetriesTest, TrainingThatOthersShareStaysWithThem) {
  const int64_t trained = NewStudy("trained").id;
  Own(trained, TaskKind::kTrainSupernet);
  const int64_t waiting = NewStudy("waiting").id;
  Own(waiting, TaskKind::kTrainSupernet);
  Complete(Claim());
  const int64_t late = NewStudy("late").id;
  Own(late, TaskKind::kTrainSupernet);
  Take(store_->DeleteStudy(trained));
  ExpectSound();
  for (const int64_t study : {waiting, late}) {
    ASSERT_EQ(Tasks(study).size(), 1U);
    EXPECT_EQ(Tasks(study)[0].state, TaskState::kDone);
  }
  Take(store_->DeleteStudy(waiting));
  ExpectSound();
  ASSERT_EQ(Tasks(late).size(), 1U);
  Take(store_->DeleteStudy(late));
}

TEST_F(StoreRetriesTest, QueuedTrainingOfAnotherStudyIsDoneByItself) {
  const int64_t leaving = NewStudy("leaving").id;
  Own(leaving, TaskKind::kTrainSupernet);
  const Task running = Claim();
  const int64_t staying = NewStudy("staying").id;
  const int64_t training = Own(staying, TaskKind::kTrainSupernet);
  EXPECT_FALSE(HasWork("w2"));
  Take(store_->DeleteStudy(leaving));
  EXPECT_EQ(Claim("w2").id, training);
  EXPECT_EQ(
      store_->RenewLease(running.id, running.lease_token, Json::object(), policy_).status().code(),
      StatusCode::kNotFound);
}

}  // namespace
}  // namespace voxbit::storage
