#include <gtest/gtest.h>

#include <limits>

#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using search::FailureKind;
using search::Task;
using search::TaskKind;
using search::TaskState;
using search::TrialState;
using search::Verdict;
using testing::ResultOf;
using testing::SpecOf;
using testing::StoreTest;
using testing::Take;

class StoreLeasesTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    study_ = NewStudy().id;
    AddTrials(study_, 0, 1);
  }

  Task Get(const Task& task) { return Take(store_->GetTask(task.id)); }
  std::string Outcome(const Task& task) {
    const auto attempts = Take(store_->ListAttempts(task.id));
    return attempts.at(static_cast<size_t>(task.attempt) - 1).outcome;
  }
  Verdict Renew(const Task& task) {
    return Take(store_->RenewLease(task.id, task.lease_token, {{"step", 1}}, policy_));
  }
  // The lease of `task` runs out and is taken back.
  void Expire(const Task& task) {
    clock_.Advance(policy_.lease_duration);
    const auto expired = Take(store_->ExpireLeases(policy_));
    ASSERT_EQ(expired.size(), 1u);
    ASSERT_EQ(expired[0].id, task.id);
  }
  void WaitForBackoff() { clock_.Advance(policy_.max_backoff); }

  int64_t study_ = 0;
};

TEST_F(StoreLeasesTest, RecordsAResultOnce) {
  const Task task = Claim();
  EXPECT_EQ(Complete(task, 0.5), Verdict::kRecorded);
  EXPECT_EQ(Complete(task, 0.5), Verdict::kDuplicate);
  Reopen();
  EXPECT_EQ(Complete(task, 0.9), Verdict::kDuplicate);
  EXPECT_EQ(Take(store_->GetTrial(study_, 1)).measured.at({"miou", ""}).value, 0.5);
  EXPECT_EQ(Get(task).result->measurements.at(0).value, 0.5);
  EXPECT_EQ(Get(task).finished_ms, clock_.NowMs());
}

TEST_F(StoreLeasesTest, RefusesAResultThatIsNotFinite) {
  const Task task = Claim();
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const Status status =
        store_->CompleteTask(task.id, task.lease_token, ResultOf("miou", bad)).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(status.reason(), "RESULT_NON_FINITE");
  }
  EXPECT_EQ(Get(task).state, TaskState::kLeased);
  EXPECT_EQ(Complete(task), Verdict::kRecorded);
}

TEST_F(StoreLeasesTest, RefusesAResultThatItCouldNotReadAgain) {
  const Task task = Claim();
  EXPECT_EQ(store_->CompleteTask(task.id, task.lease_token, ResultOf("beauty", 1)).status().code(),
            StatusCode::kInvalidArgument);
  search::TaskResult twice = ResultOf("miou", 1);
  twice.measurements.push_back(twice.measurements[0]);
  EXPECT_EQ(store_->CompleteTask(task.id, task.lease_token, twice).status().code(),
            StatusCode::kInvalidArgument);
  search::TaskResult artifact = ResultOf("miou", 1);
  artifact.artifacts["checkpoint"] = "../../etc/passwd";
  EXPECT_EQ(store_->CompleteTask(task.id, task.lease_token, artifact).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Get(task).state, TaskState::kLeased);
}

TEST_F(StoreLeasesTest, RenewsALease) {
  const Task task = Claim();
  clock_.Advance(policy_.lease_duration - Milliseconds(1));
  EXPECT_EQ(Renew(task), Verdict::kNone);
  clock_.Advance(policy_.lease_duration - Milliseconds(1));
  EXPECT_TRUE(Take(store_->ExpireLeases(policy_)).empty());
  EXPECT_EQ(Get(task).progress, Json({{"step", 1}}));
}

TEST_F(StoreLeasesTest, QueuesATaskWhoseLeaseExpiredAgain) {
  const Task task = Claim("w1");
  Expire(task);
  EXPECT_EQ(Get(task).state, TaskState::kQueued);
  EXPECT_EQ(Outcome(task), "lost");
  EXPECT_FALSE(HasWork("w2"));
  clock_.Advance(policy_.first_backoff);
  const Task again = Claim("w2");
  EXPECT_EQ(again.id, task.id);
  EXPECT_EQ(again.attempt, 2);
  EXPECT_NE(again.lease_token, task.lease_token);
}

TEST_F(StoreLeasesTest, AcceptsALateResultThatNobodyTookOver) {
  const Task task = Claim();
  Expire(task);
  EXPECT_EQ(Complete(task), Verdict::kRecorded);
  EXPECT_EQ(Outcome(task), "done");
  EXPECT_EQ(Take(store_->GetTrial(study_, 1)).state, TrialState::kSucceeded);
}

TEST_F(StoreLeasesTest, TakesALateLeaseUpAgain) {
  const Task task = Claim();
  Expire(task);
  EXPECT_EQ(Renew(task), Verdict::kNone);
  EXPECT_EQ(Get(task).state, TaskState::kLeased);
  EXPECT_EQ(Get(task).attempt, 1);
  EXPECT_EQ(Outcome(task), "running");
  WaitForBackoff();
  EXPECT_FALSE(HasWork("w2"));
  EXPECT_EQ(Complete(task), Verdict::kRecorded);
}

TEST_F(StoreLeasesTest, StaleTokenChangesNothing) {
  const Task old = Claim("w1");
  Expire(old);
  WaitForBackoff();
  const Task current = Claim("w2");
  const Json before = Get(current).progress;
  EXPECT_EQ(Renew(old), Verdict::kSuperseded);
  EXPECT_EQ(Complete(old, 0.1), Verdict::kSuperseded);
  EXPECT_EQ(Fail(old, FailureKind::kInfeasible), Verdict::kSuperseded);
  const Task task = Get(current);
  EXPECT_EQ(task.state, TaskState::kLeased);
  EXPECT_EQ(task.lease_token, current.lease_token);
  EXPECT_EQ(task.worker, "w2");
  EXPECT_EQ(task.progress, before);
  EXPECT_EQ(task.lease_expires_ms, current.lease_expires_ms);
  // But for the evidence with the attempt.
  EXPECT_EQ(Outcome(old), "superseded");
  EXPECT_EQ(Complete(current, 0.8), Verdict::kRecorded);
  EXPECT_EQ(Complete(old, 0.1), Verdict::kSuperseded);
  EXPECT_EQ(Take(store_->GetTrial(study_, 1)).measured.at({"miou", ""}).value, 0.8);
}

TEST_F(StoreLeasesTest, UnknownTokenOrTaskChangesNothing) {
  const Task task = Claim();
  Task other = task;
  other.lease_token = "made up";
  EXPECT_EQ(Renew(other), Verdict::kSuperseded);
  EXPECT_EQ(Complete(other), Verdict::kSuperseded);
  EXPECT_EQ(Fail(other, FailureKind::kFailed), Verdict::kSuperseded);
  EXPECT_EQ(Get(task).state, TaskState::kLeased);
  EXPECT_EQ(store_->CompleteTask(99, "t", ResultOf("miou", 1)).status().code(),
            StatusCode::kNotFound);
  EXPECT_EQ(store_->RenewLease(99, "t", {}, policy_).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->FailTask(99, "t", {}, policy_).status().code(), StatusCode::kNotFound);
}

TEST_F(StoreLeasesTest, TriesAFailedTaskOnceMore) {
  const Task first = Claim();
  EXPECT_EQ(Fail(first, FailureKind::kFailed), Verdict::kRecorded);
  EXPECT_EQ(Fail(first, FailureKind::kFailed), Verdict::kDuplicate);
  EXPECT_EQ(Renew(first), Verdict::kSuperseded);
  EXPECT_EQ(Complete(first), Verdict::kSuperseded);
  EXPECT_EQ(Get(first).state, TaskState::kQueued);
  EXPECT_EQ(Take(store_->GetTrial(study_, 1)).state, TrialState::kRunning);
  WaitForBackoff();
  const Task second = Claim();
  EXPECT_EQ(Fail(second, FailureKind::kFailed), Verdict::kRecorded);
  EXPECT_EQ(Get(second).state, TaskState::kFailed);
  const search::Trial trial = Take(store_->GetTrial(study_, 1));
  EXPECT_EQ(trial.state, TrialState::kFailed);
  EXPECT_EQ(trial.sequence, 1);
  EXPECT_NE(trial.message.find("because"), std::string::npos);
}

TEST_F(StoreLeasesTest, NeverTriesAnInfeasibleTaskAgain) {
  const Task task = Claim();
  EXPECT_EQ(Fail(task, FailureKind::kInfeasible), Verdict::kRecorded);
  EXPECT_EQ(Fail(task, FailureKind::kInfeasible), Verdict::kDuplicate);
  EXPECT_EQ(Get(task).state, TaskState::kFailed);
  EXPECT_EQ(Take(store_->GetTrial(study_, 1)).state, TrialState::kInfeasible);
}

TEST_F(StoreLeasesTest, TooLittleMemoryOfOneWorkerIsNotTheEndOfACandidate) {
  const auto fail = [this](const Task& task, bool has_other) {
    return Take(store_->FailTask(task.id, task.lease_token, {FailureKind::kOutOfMemory, "small"},
                                 policy_, has_other));
  };
  const Task task = Claim("w1");
  EXPECT_EQ(fail(task, true), Verdict::kRecorded);
  EXPECT_EQ(Outcome(task), "out_of_memory");
  EXPECT_FALSE(HasWork("w1"));
  EXPECT_EQ(Take(store_->ListRefused(policy_)).size(), 1U);
  EXPECT_EQ(fail(Claim("w2"), true), Verdict::kRecorded);
  EXPECT_FALSE(HasWork("w2"));
  EXPECT_EQ(Complete(Claim("w3")), Verdict::kRecorded);
  EXPECT_EQ(Take(store_->GetTrial(study_, 1)).state, TrialState::kSucceeded);
}

TEST_F(StoreLeasesTest, ACandidateIsInfeasibleWhenThreeWorkersOrAllHaveTooLittleMemory) {
  const auto fail = [this](const Task& task, bool has_other) {
    return Take(store_->FailTask(task.id, task.lease_token, {FailureKind::kOutOfMemory, "small"},
                                 policy_, has_other));
  };
  AddTrials(study_, 10, 1);
  for (const char* worker : {"w1", "w2", "w3"}) fail(Claim(worker), true);
  const search::Trial first = Take(store_->GetTrial(study_, 1));
  EXPECT_EQ(first.state, TrialState::kInfeasible);
  EXPECT_EQ(first.message, "out of memory on 3 workers; the last: small");
  fail(Claim("w1"), false);
  const search::Trial second = Take(store_->GetTrial(study_, 2));
  EXPECT_EQ(second.state, TrialState::kInfeasible);
  EXPECT_EQ(second.message, "out of memory on 1 worker; the last: small");
}

TEST_F(StoreLeasesTest, FailuresOfOneWorkerDoNotUseUpATask) {
  const auto fail = [this](const Task& task) {
    return Take(store_->FailTask(task.id, task.lease_token, {FailureKind::kFailed, "broken"},
                                 policy_, /*has_other=*/true));
  };
  for (int64_t i = 0; i < policy_.max_failed_attempts; ++i) {
    WaitForBackoff();
    fail(Claim("w1"));
  }
  WaitForBackoff();
  EXPECT_FALSE(HasWork("w1"));
  EXPECT_EQ(Complete(Claim("w2")), Verdict::kRecorded);
  EXPECT_EQ(Take(store_->GetTrial(study_, 1)).state, TrialState::kSucceeded);
}

TEST_F(StoreLeasesTest, GivesAReleasedTaskOutAgainAtOnceAndWithoutPenalty) {
  for (int64_t i = 0; i < 2 * policy_.max_lost_attempts; ++i) {
    const Task task = Claim("w1");
    EXPECT_EQ(Fail(task, FailureKind::kReleased), Verdict::kRecorded);
    EXPECT_EQ(Outcome(task), "released");
  }
  EXPECT_TRUE(HasWork("w1"));
}

TEST_F(StoreLeasesTest, GivesUpAfterTooManyLostAttempts) {
  Task task;
  for (int64_t i = 0; i < policy_.max_lost_attempts; ++i) {
    WaitForBackoff();
    task = Claim();
    Expire(task);
  }
  EXPECT_EQ(Get(task).state, TaskState::kFailed);
  EXPECT_EQ(Take(store_->GetTrial(study_, 1)).state, TrialState::kFailed);
  // Its result comes after the algorithm was told: too late.
  EXPECT_EQ(Complete(task), Verdict::kSuperseded);
}

TEST_F(StoreLeasesTest, CountsLostAndFailedAttemptsApart) {
  for (int64_t i = 0; i + 1 < policy_.max_lost_attempts; ++i) {
    WaitForBackoff();
    Fail(Claim(), FailureKind::kTransient);
  }
  WaitForBackoff();
  Fail(Claim(), FailureKind::kFailed);
  WaitForBackoff();
  const Task last = Claim();
  EXPECT_EQ(last.attempt, policy_.max_lost_attempts + 1);
  EXPECT_EQ(Complete(last), Verdict::kRecorded);
}

TEST_F(StoreLeasesTest, WaitsLongerAfterEachLostAttempt) {
  policy_.max_lost_attempts = 100;
  int64_t expected = policy_.first_backoff.count();
  for (int i = 0; i < 9; ++i) {
    Fail(Claim(), FailureKind::kTransient);
    EXPECT_EQ(Take(store_->NextDeadlineMs()), clock_.NowMs() + expected);
    clock_.Advance(Milliseconds(expected - 1));
    EXPECT_FALSE(HasWork());
    clock_.Advance(Milliseconds(1));
    EXPECT_TRUE(HasWork());
    expected = std::min(2 * expected, policy_.max_backoff.count());
  }
  EXPECT_EQ(expected, policy_.max_backoff.count());
}

TEST_F(StoreLeasesTest, LeavesALiveLeaseAlone) {
  const Task task = Claim();
  clock_.Advance(policy_.lease_duration - Milliseconds(1));
  EXPECT_TRUE(Take(store_->ExpireLeases(policy_)).empty());
  EXPECT_EQ(Get(task).state, TaskState::kLeased);
}

TEST_F(StoreLeasesTest, GivesEveryLeaseAFullDurationAfterARestart) {
  const Task task = Claim();
  clock_.Advance(10 * policy_.lease_duration);
  Reopen();
  ASSERT_TRUE(store_->RefreshLeases(policy_).ok());
  EXPECT_TRUE(Take(store_->ExpireLeases(policy_)).empty());
  EXPECT_EQ(Get(task).lease_expires_ms, clock_.NowMs() + policy_.lease_duration.count());
}

TEST_F(StoreLeasesTest, AClockThatIsSetNeitherEndsNorLengthensALease) {
  for (const int64_t hours : {-1, 1, 24 * 400}) {
    SCOPED_TRACE(hours);
    const Task task = Claim();
    clock_.Step(hours * Milliseconds(3'600'000));
    clock_.Advance(policy_.lease_duration - Milliseconds(1));
    EXPECT_TRUE(Take(store_->ExpireLeases(policy_)).empty());
    clock_.Advance(Milliseconds(1));
    EXPECT_EQ(Take(store_->ExpireLeases(policy_)).size(), 1U);
    EXPECT_FALSE(HasWork());
    clock_.Advance(policy_.max_backoff);
    EXPECT_TRUE(HasWork());
  }
}

TEST_F(StoreLeasesTest, ARestartUnderAnEarlierClockKeepsNobodyWaiting) {
  ASSERT_TRUE(store_->RegisterWorker(testing::WorkerNamed("w1"), "session", policy_).ok());
  ASSERT_EQ(Fail(Claim("w1"), FailureKind::kTransient), Verdict::kRecorded);
  ManualClock earlier(clock_.NowMs() - 86'400'000);
  Reopen(earlier);
  ASSERT_TRUE(store_->RefreshLeases(policy_).ok());
  EXPECT_LE(Take(store_->GetWorker("w1")).last_seen_ms, earlier.NowMs());
  earlier.Advance(policy_.max_backoff);
  EXPECT_TRUE(HasWork());
  Reopen();
}

TEST_F(StoreLeasesTest, DoesNotChargeAWorkerThatDiedWithItsServer) {
  Task task;
  for (int64_t i = 0; i < 2 * policy_.max_lost_attempts; ++i) {
    task = Claim("w1");
    Reopen();
    ASSERT_TRUE(store_->RegisterWorker(testing::WorkerNamed("w1"), "session", policy_).ok());
    const auto attempt = Take(store_->ListAttempts(task.id)).back();
    EXPECT_EQ(attempt.outcome, "released");
    EXPECT_EQ(attempt.message, "the server was restarted");
  }
  EXPECT_EQ(Complete(Claim("w1")), Verdict::kRecorded);
  EXPECT_EQ(Complete(task), Verdict::kSuperseded);
}

TEST_F(StoreLeasesTest, DoesNotChargeALeaseThatNobodyRenewedAfterARestart) {
  const Task task = Claim("w1");
  Reopen();
  ASSERT_TRUE(store_->RefreshLeases(policy_).ok());
  Expire(task);
  EXPECT_EQ(Outcome(task), "released");
  // At once, and its late result still counts while nobody has taken the task.
  EXPECT_TRUE(HasWork("w2"));
  EXPECT_EQ(Renew(task), Verdict::kNone);
  EXPECT_EQ(Outcome(task), "running");
  EXPECT_EQ(Complete(task), Verdict::kRecorded);
}

TEST_F(StoreLeasesTest, ChargesALeaseThatWasRenewedSinceTheRestart) {
  const Task task = Claim("w1");
  Reopen();
  EXPECT_EQ(Renew(task), Verdict::kNone);
  Expire(task);
  EXPECT_EQ(Outcome(task), "lost");
  EXPECT_FALSE(HasWork("w2"));
}

TEST_F(StoreLeasesTest, KeepsTheLateResultOfAnAttemptThatARestartEnded) {
  const Task old = Claim("w1");
  Reopen();
  Expire(old);
  const Task current = Claim("w2");
  EXPECT_EQ(Complete(old, 0.1), Verdict::kSuperseded);
  EXPECT_EQ(Outcome(old), "released");
  EXPECT_EQ(Complete(current, 0.8), Verdict::kRecorded);
  EXPECT_EQ(Take(store_->GetTrial(study_, 1)).measured.at({"miou", ""}).value, 0.8);
}

TEST_F(StoreLeasesTest, KnowsWhenSomethingIsDue) {
  EXPECT_EQ(Take(store_->NextDeadlineMs()), std::nullopt);
  const Task task = Claim();
  EXPECT_EQ(Take(store_->NextDeadlineMs()), task.lease_expires_ms);
  Complete(task);
  EXPECT_EQ(Take(store_->NextDeadlineMs()), std::nullopt);
}

TEST_F(StoreLeasesTest, FailsAStudysOwnTaskWithoutATrial) {
  const int64_t id = Take(store_->AppendTask(study_, 0, SpecOf(TaskKind::kProfile)));
  Complete(Claim());
  const Task task = Claim();
  ASSERT_EQ(task.id, id);
  Fail(task, FailureKind::kInfeasible);
  EXPECT_EQ(Get(task).state, TaskState::kFailed);
  EXPECT_EQ(Get(task).message, "because");
}

TEST_F(StoreLeasesTest, KeepsWhatAStudysOwnTaskFound) {
  Complete(Claim());
  Take(store_->AppendTask(study_, 0, SpecOf(TaskKind::kProfile)));
  const Task task = Claim();
  search::TaskResult result;
  result.detail = {{"points", {1, 2, 3}}};
  result.artifacts["profile"] = Sha256Hex("profile");
  EXPECT_EQ(Take(store_->CompleteTask(task.id, task.lease_token, result)), Verdict::kRecorded);
  Reopen();
  EXPECT_EQ(Get(task).result->detail, result.detail);
  EXPECT_EQ(Get(task).result->artifacts, result.artifacts);
}

TEST_F(StoreLeasesTest, KeepsAnyBytesInAMessage) {
  const Task task = Claim();
  const std::string bytes = "bad \xff\xfe bytes";
  EXPECT_EQ(
      Take(store_->FailTask(task.id, task.lease_token, {FailureKind::kInfeasible, bytes}, policy_)),
      Verdict::kRecorded);
  EXPECT_EQ(Take(store_->GetTrial(study_, 1)).message, bytes);
}

TEST_F(StoreLeasesTest, LetsALateLeaseGoOnInAPausedStudy) {
  const Task task = Claim();
  Take(store_->MoveStudy(study_, search::StudyState::kPaused, ""));
  EXPECT_EQ(Renew(task), Verdict::kNone);
  Expire(task);
  EXPECT_EQ(Renew(task), Verdict::kNone);
  EXPECT_EQ(Complete(task), Verdict::kRecorded);
}

}  // namespace
}  // namespace voxbit::storage
