// Attempts that end without a result that counts: whose fault it is, and who tries again.
#include <gtest/gtest.h>

#include <set>

#include "tests/dispatch/dispatcher_fixture.h"

namespace voxbit::server {
namespace {

using search::Desired;
using search::FailureKind;
using search::StudyState;
using search::SyncReply;
using search::SyncRequest;
using search::TaskState;
using search::Verdict;
using testing::ResultOf;
using testing::Take;

TEST_F(DispatcherTest, BrokenDataEndsTheStudyAtItsFirstOccurrence) {
  const SyncReply run = Run();
  search::TaskFailure failure{FailureKind::kData, "evaluate: b.label: 2 labels for 3 points"};
  SyncRequest request = Failed(run, FailureKind::kData);
  request.finished->failure = failure;
  EXPECT_EQ(Take(dispatcher_->Sync(request))->verdict, Verdict::kRecorded);
  EXPECT_EQ(Get(run).state, TaskState::kFailed);
  EXPECT_EQ(Get(run).attempt, 1);
  const search::Study study = Take(store_->GetStudy(study_));
  EXPECT_EQ(study.state, StudyState::kFailed);
  EXPECT_EQ(study.message, failure.message);
  EXPECT_EQ(Take(store_->CountTrials(study_)).cancelled, 1);
  EXPECT_FALSE(Sync(Idle()).has_value());
  EXPECT_EQ(Take(dispatcher_->Sync(request))->verdict, Verdict::kDuplicate);
  EXPECT_EQ(Take(store_->CheckInvariants()), std::vector<std::string>{});
}

TEST_F(DispatcherTest, BrokenDataEndsAPausedStudyToo) {
  const SyncReply run = Run();
  ASSERT_TRUE(store_->MoveStudy(study_, StudyState::kPaused, "").ok());
  EXPECT_EQ(Take(dispatcher_->Sync(Failed(run, FailureKind::kData)))->verdict, Verdict::kRecorded);
  EXPECT_EQ(Take(store_->GetStudy(study_)).state, StudyState::kFailed);
}

TEST_F(DispatcherTest, ASmallWorkerHandsACandidateToOthersAndIsNotAskedAgain) {
  const std::string other = Register("w2");
  const SyncReply run = Run();
  const SyncReply next = Answer(Failed(run, FailureKind::kOutOfMemory));
  EXPECT_EQ(Get(run).state, TaskState::kQueued);
  EXPECT_NE(next.task_id, run.task_id);
  ASSERT_EQ(Take(dispatcher_->Sync({"w2", other, false, std::nullopt, std::nullopt}))->task_id,
            run.task_id);
}

TEST_F(DispatcherTest, ACandidateIsInfeasibleWhenNobodyElseIsHere) {
  const SyncReply alone = Run();
  Answer(Failed(alone, FailureKind::kOutOfMemory));
  EXPECT_EQ(Take(store_->GetTrial(study_, 1)).state, search::TrialState::kInfeasible);
  Register("w2");
  const SyncReply second = Run();
  EXPECT_EQ(Sync(Failed(second, FailureKind::kOutOfMemory))->verdict, Verdict::kRecorded);
  ASSERT_TRUE(dispatcher_->GiveUpRefused().ok());
  EXPECT_EQ(Get(second).state, TaskState::kQueued);
  clock_.Advance(settings_.lost_after + Milliseconds(1));
  ASSERT_TRUE(dispatcher_->GiveUpRefused().ok());
  EXPECT_EQ(Get(second).state, TaskState::kQueued) << "nobody is here at all";
  EXPECT_FALSE(Sync(Idle()).has_value());
  ASSERT_TRUE(dispatcher_->GiveUpRefused().ok());
  EXPECT_EQ(Take(store_->GetTrial(study_, 2)).state, search::TrialState::kInfeasible);
}

TEST_F(DispatcherTest, AWorkerThatAloneFailsAgainAndAgainIsQuarantined) {
  AddTrials(study_, 10, 4);
  const std::string other = Register("w2");
  const SyncRequest other_idle = {"w2", other, false, std::nullopt, std::nullopt};
  const auto state = [&] { return Take(dispatcher_->ListWorkers()).at(0).state; };
  for (int failures = 0; failures < 3; ++failures) {
    EXPECT_EQ(state(), "idle");
    const SyncReply run = Run();
    Sync(Failed(run, FailureKind::kTransient));
    // What else the answer gave it goes back, and the other worker does what it failed at.
    if (const auto held = Take(store_->LeasedBy("w1"))) {
      ASSERT_TRUE(
          store_
              ->FailTask(held->id, held->lease_token, {FailureKind::kReleased, ""}, settings_.lease)
              .ok());
    }
    clock_.Advance(settings_.lease.max_backoff - Milliseconds(1));
    SyncReply done = *Take(dispatcher_->Sync(other_idle));
    ASSERT_EQ(done.task_id, run.task_id);
    SyncRequest finished = other_idle;
    finished.finished = {done.task_id, done.lease_token, ResultOf("miou", 0.5), std::nullopt};
    ASSERT_EQ(Take(dispatcher_->Sync(finished))->verdict, Verdict::kRecorded);
    if (const auto held = Take(store_->LeasedBy("w2"))) {
      ASSERT_TRUE(
          store_
              ->FailTask(held->id, held->lease_token, {FailureKind::kReleased, ""}, settings_.lease)
              .ok());
    }
  }
  EXPECT_EQ(state(), "quarantined");
  EXPECT_EQ(dispatcher_->Quarantined(), std::set<std::string>{"w1"});
  EXPECT_EQ(Sync(Idle()), std::nullopt);
  session_ = Register("w1");
  EXPECT_EQ(state(), "idle");
  EXPECT_EQ(dispatcher_->Quarantined(), std::set<std::string>{});
  EXPECT_EQ(Run().desired, Desired::kRun);
}

// Somebody else has the task by then, and may have read it well.
TEST_F(DispatcherTest, BrokenDataOfAStaleLeaseEndsNothing) {
  const SyncReply run = Run();
  Expire();
  clock_.Advance(settings_.lease.max_backoff);
  const std::string other = Register("w2");
  ASSERT_EQ(Take(dispatcher_->Sync({"w2", other, false, std::nullopt, std::nullopt}))->task_id,
            run.task_id);
  EXPECT_EQ(Take(dispatcher_->Sync(Failed(run, FailureKind::kData)))->verdict,
            Verdict::kSuperseded);
  EXPECT_EQ(Take(store_->GetStudy(study_)).state, StudyState::kActive);
}

TEST_F(DispatcherTest, AnAttemptThatStandsStillGoesToAnotherWorker) {
  settings_.stall_limit = Milliseconds(60'000);
  Restart();
  const SyncReply run = Run();
  SyncRequest request = Running(run);
  ExpectProgress(request, 10);
  clock_.Advance(Milliseconds(59'999));
  EXPECT_EQ(Answer(request).desired, Desired::kKeep);
  clock_.Advance(Milliseconds(1));
  EXPECT_EQ(Answer(request).desired, Desired::kCancel);
  EXPECT_EQ(Get(run).state, TaskState::kQueued);
  EXPECT_EQ(Get(run).message, "its progress has stood still for 60 s");
  EXPECT_EQ(Take(store_->ListAttempts(run.task_id)).back().outcome, "transient");
}

TEST_F(DispatcherTest, AnAttemptHasALongestDuration) {
  settings_.attempt_limit = Milliseconds(100'000);
  Restart();
  const SyncReply run = Run();
  SyncRequest request = Running(run);
  ExpectProgress(request, 4);
  clock_.Advance(Milliseconds(10'000));
  EXPECT_EQ(Answer(request).desired, Desired::kCancel);
  EXPECT_EQ(Get(run).message, "it has run for 100 s, the longest that is allowed");
}

TEST_F(DispatcherTest, RecordsTheResultOfAWorkerThatItRefuses) {
  const SyncReply run = Run();
  SyncRequest request = Finished(run);
  session_ = Register("w1");
  EXPECT_EQ(dispatcher_->Sync(request).status().reason(), "WORKER_NAME_TAKEN");
  EXPECT_EQ(Get(run).state, TaskState::kDone);
  request.session = session_;
  EXPECT_EQ(Answer(request).verdict, Verdict::kDuplicate);
}

TEST_F(DispatcherTest, CountsARefusedResultAsAFailedAttempt) {
  const SyncReply run = Run();
  const SyncReply reply = Answer(Finished(run, std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(reply.verdict, Verdict::kRecorded);
  EXPECT_EQ(Take(store_->ListAttempts(run.task_id)).at(0).outcome, "failed");
  EXPECT_EQ(Get(run).state, TaskState::kQueued);
}

}  // namespace
}  // namespace voxbit::server
