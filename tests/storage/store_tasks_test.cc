#include <gtest/gtest.h>

#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using search::FailureKind;
using search::StudyState;
using search::Task;
using search::TaskKind;
using search::TaskSpec;
using search::TaskState;
using search::Verdict;
using search::WorkerInfo;
using testing::SpecOf;
using testing::Take;
using testing::WorkerNamed;

using StoreTasksTest = testing::StoreTest;

TEST_F(StoreTasksTest, GivesBackTheSpec) {
  const search::Study study = NewStudy();
  TaskSpec spec = SpecOf(TaskKind::kTrainSupernet);
  spec.settings = {{"steps", 300}};
  spec.space_digest = Sha256Hex("space");
  spec.checkpoint = Sha256Hex("weights");
  spec.seed = 0xFFFFFFFFFFFFFFFFU;
  spec.target = "cpu";
  const int64_t id = Take(store_->AppendTask(study.id, 0, spec));
  Reopen();
  const Task task = Take(store_->GetTask(id));
  EXPECT_EQ(TaskDigest(task.spec), TaskDigest(spec));
  EXPECT_EQ(task.spec.seed, spec.seed);
  EXPECT_EQ(task.trial_number, 0);
  EXPECT_EQ(task.state, TaskState::kQueued);
  EXPECT_EQ(task.attempt, 0);
  EXPECT_FALSE(task.result.has_value());
  EXPECT_EQ(store_->GetTask(id + 1).status().code(), StatusCode::kNotFound);
}

TEST_F(StoreTasksTest, KeepsEqualWorkOnce) {
  const search::Study study = NewStudy();
  const int64_t first = Take(store_->AppendTask(study.id, 0, SpecOf(TaskKind::kProfile)));
  EXPECT_EQ(Take(store_->AppendTask(study.id, 0, SpecOf(TaskKind::kProfile))), first);
  EXPECT_NE(Take(store_->AppendTask(study.id, 0, SpecOf(TaskKind::kProfile, 1))), first);
  AddTrials(study.id, 0, 2);
  const int64_t export1 = Take(store_->AppendTask(study.id, 1, SpecOf(TaskKind::kExport)));
  EXPECT_EQ(Take(store_->AppendTask(study.id, 1, SpecOf(TaskKind::kExport))), export1);
  EXPECT_NE(Take(store_->AppendTask(study.id, 2, SpecOf(TaskKind::kExport))), export1);
  EXPECT_EQ(store_->AppendTask(study.id, 9, SpecOf(TaskKind::kExport)).status().code(),
            StatusCode::kNotFound);
}

// Two studies that differ in their searches alone need one supernet.
TEST_F(StoreTasksTest, EqualTrainingsShareOneResult) {
  const TaskSpec spec = SpecOf(TaskKind::kTrainSupernet);
  const int64_t first = Take(store_->AppendTask(NewStudy("a").id, 0, spec));
  const int64_t waiting = Take(store_->AppendTask(NewStudy("b").id, 0, spec));
  const int64_t other =
      Take(store_->AppendTask(NewStudy("c").id, 0, SpecOf(TaskKind::kTrainSupernet, 1)));
  const Task claimed = Claim("w1");
  EXPECT_EQ(claimed.id, first);
  EXPECT_EQ(Claim("w2").id, other);
  EXPECT_FALSE(HasWork("w3"));  // the equal one is under way
  Complete(claimed, 0.25);
  const Task shared = Take(store_->GetTask(waiting));
  EXPECT_EQ(shared.state, TaskState::kDone);
  EXPECT_EQ(shared.result->measurements.at(0).value, 0.25);
  EXPECT_EQ(Take(store_->GetTask(other)).state, TaskState::kLeased);
  // Whoever comes later finds it done.
  const Task late = Take(store_->GetTask(Take(store_->AppendTask(NewStudy("d").id, 0, spec))));
  EXPECT_EQ(late.state, TaskState::kDone);
  EXPECT_EQ(late.result->measurements.at(0).value, 0.25);
  EXPECT_FALSE(HasWork("w3"));
}

TEST_F(StoreTasksTest, AnEqualTrainingTakesOverWhenOneFailsOrIsStopped) {
  const TaskSpec spec = SpecOf(TaskKind::kTrainSupernet);
  const search::Study stopped = NewStudy("a");
  Take(store_->AppendTask(stopped.id, 0, spec));
  const int64_t waiting = Take(store_->AppendTask(NewStudy("b").id, 0, spec));
  Claim("w1");
  Take(store_->MoveStudy(stopped.id, StudyState::kStopped, "enough"));
  EXPECT_EQ(Claim("w2").id, waiting);
}

// What a profile finds changes with the files that it looks at.
TEST_F(StoreTasksTest, ProfilesAreNotShared) {
  const TaskSpec spec = SpecOf(TaskKind::kProfile);
  Take(store_->AppendTask(NewStudy("a").id, 0, spec));
  Take(store_->AppendTask(NewStudy("b").id, 0, spec));
  Complete(Claim("w1"));
  EXPECT_TRUE(HasWork("w2"));
}

TEST_F(StoreTasksTest, ListsByKindAndState) {
  const search::Study study = NewStudy();
  Take(store_->AppendTask(study.id, 0, SpecOf(TaskKind::kProfile)));
  Take(store_->AppendTask(study.id, 0, SpecOf(TaskKind::kTrainSupernet)));
  Complete(Claim());
  EXPECT_EQ(Take(store_->ListTasks(study.id, std::nullopt, std::nullopt)).size(), 2u);
  EXPECT_EQ(Take(store_->ListTasks(study.id, TaskKind::kProfile, std::nullopt)).size(), 1u);
  EXPECT_EQ(Take(store_->ListTasks(study.id, std::nullopt, TaskState::kQueued)).size(), 1u);
  EXPECT_EQ(Take(store_->ListTasks(study.id, TaskKind::kProfile, TaskState::kQueued)).size(), 0u);
}

TEST_F(StoreTasksTest, HandsOutTheOldestFirst) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 3);
  for (int64_t number = 1; number <= 3; ++number) EXPECT_EQ(Claim().trial_number, number);
  EXPECT_FALSE(HasWork());
}

TEST_F(StoreTasksTest, HandsOutWithAnAttemptATokenAndALease) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 1);
  const Task task = Claim("w1");
  EXPECT_EQ(task.state, TaskState::kLeased);
  EXPECT_EQ(task.attempt, 1);
  EXPECT_EQ(task.worker, "w1");
  EXPECT_FALSE(task.lease_token.empty());
  EXPECT_EQ(task.lease_expires_ms, clock_.NowMs() + policy_.lease_duration.count());
  const auto attempts = Take(store_->ListAttempts(task.id));
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_EQ(attempts[0].worker, "w1");
  EXPECT_EQ(attempts[0].outcome, "running");
  EXPECT_EQ(attempts[0].started_ms, clock_.NowMs());
}

TEST_F(StoreTasksTest, HandsOutOnlyWhatAWorkerCanDo) {
  const search::Study study = NewStudy();
  Take(store_->AppendTask(study.id, 0, SpecOf(TaskKind::kEvaluate, 0, "gpu")));
  const auto claims = [&](const WorkerInfo& worker) {
    bool found = false;
    (void)store_->Write([&]() -> Status {
      found = Take(store_->ClaimTask(worker, policy_)).has_value();
      return Cancelled("only looking");
    });
    return found;
  };
  WorkerInfo fit = WorkerNamed("w1");
  fit.targets = {"cpu", "gpu"};
  EXPECT_TRUE(claims(fit));
  WorkerInfo other_target = fit;
  other_target.targets = {"cpu"};
  EXPECT_FALSE(claims(other_target));
  WorkerInfo other_kind = fit;
  other_kind.task_kinds = {TaskKind::kProfile, TaskKind::kMeasureLatency};
  EXPECT_FALSE(claims(other_kind));
  WorkerInfo other_supernet = fit;
  other_supernet.supernets = {"spvnas"};
  EXPECT_FALSE(claims(other_supernet));
  WorkerInfo other_dataset = fit;
  other_dataset.datasets = {};
  EXPECT_FALSE(claims(other_dataset));
}

TEST_F(StoreTasksTest, HandsOutNothingOfAPausedStudyButExports) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 1, {});
  AddTrials(study.id, 1, 1);
  Take(store_->MoveStudy(study.id, StudyState::kPaused, ""));
  EXPECT_FALSE(HasWork());
  const int64_t exported = Take(store_->AppendTask(study.id, 1, SpecOf(TaskKind::kExport)));
  EXPECT_EQ(Claim().id, exported);
  Take(store_->MoveStudy(study.id, StudyState::kActive, ""));
  EXPECT_TRUE(HasWork());
}

TEST_F(StoreTasksTest, PrefersATaskThatThisWorkerDidNotFailLast) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 2);
  const Task first = Claim("w1");
  Fail(first, search::FailureKind::kTransient);
  clock_.Advance(policy_.max_backoff);
  EXPECT_NE(Claim("w1").id, first.id);
  // With nothing else to do, it gets it after all.
  EXPECT_EQ(Claim("w1").id, first.id);
}

TEST_F(StoreTasksTest, GivesAnotherWorkerTheFailedTaskFirst) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 2);
  const Task first = Claim("w1");
  Fail(first, search::FailureKind::kTransient);
  clock_.Advance(policy_.max_backoff);
  EXPECT_EQ(Claim("w2").id, first.id);
}

TEST_F(StoreTasksTest, FindsTheTaskThatAWorkerHolds) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 1);
  EXPECT_FALSE(Take(store_->LeasedBy("w1")).has_value());
  const Task task = Claim("w1");
  EXPECT_EQ(Take(store_->LeasedBy("w1"))->id, task.id);
  EXPECT_FALSE(Take(store_->LeasedBy("w2")).has_value());
  clock_.Advance(policy_.lease_duration);
  EXPECT_FALSE(Take(store_->LeasedBy("w1")).has_value());
}

// ---- workers
// -------------------------------------------------------------------------------------

TEST_F(StoreTasksTest, RemembersWorkers) {
  WorkerInfo info = WorkerNamed("w1");
  info.device_model = "a model";
  info.memory_bytes = 1 << 30;
  info.targets = {"cpu"};
  ASSERT_TRUE(store_->RegisterWorker(info, "s1", policy_).ok());
  ASSERT_TRUE(store_->RegisterWorker(WorkerNamed("w0"), "s0", policy_).ok());
  Reopen();
  const Store::Worker worker = Take(store_->GetWorker("w1"));
  EXPECT_EQ(ToJson(worker.info), ToJson(info));
  EXPECT_EQ(worker.session, "s1");
  EXPECT_FALSE(worker.draining);
  EXPECT_EQ(worker.last_seen_ms, clock_.NowMs());
  const auto workers = Take(store_->ListWorkers());
  ASSERT_EQ(workers.size(), 2u);
  EXPECT_EQ(workers[0].info.name, "w0");
}

TEST_F(StoreTasksTest, SaysThatAWorkerIsUnknown) {
  EXPECT_EQ(store_->GetWorker("w1").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->DrainWorker("w1", true).code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->RegisterWorker(WorkerInfo{}, "s", policy_).code(),
            StatusCode::kInvalidArgument);
}

TEST_F(StoreTasksTest, DrainsUntilTheWorkerStartsAnew) {
  ASSERT_TRUE(store_->RegisterWorker(WorkerNamed("w1"), "s1", policy_).ok());
  ASSERT_TRUE(store_->DrainWorker("w1", true).ok());
  EXPECT_TRUE(Take(store_->GetWorker("w1")).draining);
  ASSERT_TRUE(store_->RegisterWorker(WorkerNamed("w1"), "s2", policy_).ok());
  EXPECT_FALSE(Take(store_->GetWorker("w1")).draining);
  EXPECT_EQ(Take(store_->GetWorker("w1")).session, "s2");
}

TEST_F(StoreTasksTest, NotesWhenWorkersWereSeen) {
  ASSERT_TRUE(store_->RegisterWorker(WorkerNamed("w1"), "s1", policy_).ok());
  ASSERT_TRUE(store_->NoteSeen({{"nobody", 1}, {"w1", 2}}).ok());
  EXPECT_EQ(Take(store_->GetWorker("w1")).last_seen_ms, 2);
}

TEST_F(StoreTasksTest, SeesWhetherThereIsATaskWithoutTakingIt) {
  const int64_t study = NewStudy().id;
  EXPECT_FALSE(Take(store_->HasTaskFor(WorkerNamed("w1"), policy_)));
  AddTrials(study, 0, 1);
  WorkerInfo other = WorkerNamed("w2");
  other.supernets = {"another"};
  EXPECT_FALSE(Take(store_->HasTaskFor(other, policy_)));
  EXPECT_TRUE(Take(store_->HasTaskFor(WorkerNamed("w1"), policy_)));
  ASSERT_EQ(Fail(Claim(), FailureKind::kTransient), Verdict::kRecorded);
  EXPECT_FALSE(Take(store_->HasTaskFor(WorkerNamed("w1"), policy_))) << "it backs off";
  clock_.Advance(policy_.first_backoff);
  EXPECT_TRUE(Take(store_->HasTaskFor(WorkerNamed("w1"), policy_)));
}

TEST_F(StoreTasksTest, ASetClockLeavesTheAgeOfWhatWasSeen) {
  ASSERT_TRUE(store_->RegisterWorker(WorkerNamed("w1"), "s1", policy_).ok());
  clock_.Advance(Milliseconds(5'000));
  for (const int64_t step : {-3'600'000, 86'400'000}) {
    clock_.Step(Milliseconds(step));
    ASSERT_TRUE(store_->MoveClock(Milliseconds(step)).ok());
    EXPECT_EQ(clock_.NowMs() - Take(store_->GetWorker("w1")).last_seen_ms, 5'000);
  }
}

TEST_F(StoreTasksTest, LosesTheLeaseOfAnEarlierSession) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 1);
  ASSERT_TRUE(store_->RegisterWorker(WorkerNamed("w1"), "s1", policy_).ok());
  const Task task = Claim("w1");
  ASSERT_TRUE(store_->RegisterWorker(WorkerNamed("w1"), "s2", policy_).ok());
  EXPECT_EQ(Take(store_->GetTask(task.id)).state, TaskState::kQueued);
  EXPECT_EQ(Take(store_->ListAttempts(task.id)).at(0).outcome, "lost");
  EXPECT_FALSE(Take(store_->LeasedBy("w1")).has_value());
}

}  // namespace
}  // namespace voxbit::storage
