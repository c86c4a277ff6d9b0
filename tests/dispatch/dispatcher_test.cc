// Turns of the conversation, and the names of workers.
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

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
using testing::Take;
using testing::WorkerNamed;

TEST_F(DispatcherTest, RegistersWithSessionAndDurations) {
  const auto reply = Take(dispatcher_->Register(WorkerNamed("w2")));
  EXPECT_FALSE(reply.session.empty());
  EXPECT_NE(reply.session, session_);
  EXPECT_EQ(reply.sync_interval, settings_.sync_interval);
  EXPECT_EQ(reply.lease_duration, settings_.lease.lease_duration);
}

TEST_F(DispatcherTest, RefusesAnotherProtocol) {
  search::WorkerInfo worker = WorkerNamed("w2");
  worker.protocol = search::kProtocolVersion + 1;
  const Status status = dispatcher_->Register(worker).status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.reason(), "PROTOCOL_MISMATCH");
  EXPECT_EQ(store_->GetWorker("w2").status().code(), StatusCode::kNotFound);
}

TEST_F(DispatcherTest, RefusesAnIncompleteWorker) {
  search::WorkerInfo nameless = WorkerNamed("");
  search::WorkerInfo nowhere = WorkerNamed("w2");
  nowhere.device = "";
  search::WorkerInfo useless = WorkerNamed("w2");
  useless.task_kinds = {};
  for (const auto& worker : {nameless, nowhere, useless}) {
    EXPECT_EQ(dispatcher_->Register(worker).status().code(), StatusCode::kInvalidArgument);
  }
}

TEST_F(DispatcherTest, RefusesARequestThatContradictsItself) {
  const SyncReply run = Run();
  SyncRequest both = Running(run);
  both.finished = Finished(run).finished;
  SyncRequest neither = Finished(run);
  neither.finished->result.reset();
  SyncRequest result_and_failure = Finished(run);
  result_and_failure.finished->failure = search::TaskFailure{};
  for (const auto& request : {both, neither, result_and_failure, SyncRequest{}}) {
    EXPECT_EQ(dispatcher_->Sync(request).status().code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(Get(run).state, TaskState::kLeased);
}

TEST_F(DispatcherTest, HandsATaskToAnIdleWorker) {
  const SyncReply run = Run();
  EXPECT_EQ(run.attempt, 1);
  EXPECT_EQ(run.spec.kind, search::TaskKind::kEvaluate);
  EXPECT_EQ(run.spec.candidate.choices, (std::vector<int32_t>{0}));
  EXPECT_EQ(run.lease_duration, settings_.lease.lease_duration);
  EXPECT_EQ(run.next_sync, settings_.heartbeat);
  EXPECT_EQ(run.verdict, Verdict::kNone);
  EXPECT_EQ(Get(run).worker, "w1");
}

TEST_F(DispatcherTest, HandsTheSameTaskAgainWhenItsAnswerWasLost) {
  const SyncReply first = Run();
  clock_.Advance(Milliseconds(30'000));
  const SyncReply second = Run();
  EXPECT_EQ(second.task_id, first.task_id);
  EXPECT_EQ(second.lease_token, first.lease_token);
  EXPECT_EQ(second.attempt, 1);
  // The lease counts from the second answer.
  EXPECT_EQ(Get(second).lease_expires_ms, clock_.NowMs() + 60'000);
}

TEST_F(DispatcherTest, HoldsAnIdleWorkerThatHasNothingToDo) {
  Take(store_->MoveStudy(study_, StudyState::kPaused, ""));
  EXPECT_FALSE(Sync(Idle()).has_value());
  EXPECT_EQ(dispatcher_->IdleReply().desired, Desired::kIdle);
  EXPECT_EQ(dispatcher_->IdleReply().next_sync, Milliseconds(0));
}

TEST_F(DispatcherTest, AnIdleWorkerWritesNothing) {
  for (int i = 0; i < 2; ++i) Answer(Failed(Run(), FailureKind::kInfeasible));
  const auto log_bytes = [this] {
    return std::filesystem::file_size(folder_.File("store") + "/voxbit.db-wal");
  };
  const auto before = log_bytes();
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(Milliseconds(30'000));
    EXPECT_EQ(Sync(Idle()), std::nullopt);
  }
  EXPECT_EQ(log_bytes(), before);
  EXPECT_EQ(Take(dispatcher_->ListWorkers()).at(0).last_seen_ms, clock_.NowMs());
  ASSERT_TRUE(dispatcher_->WriteSeen().ok());
  EXPECT_EQ(Take(store_->GetWorker("w1")).last_seen_ms, clock_.NowMs());
}

TEST_F(DispatcherTest, AClockThatIsSetMakesNobodyLost) {
  const SyncReply run = Run();
  for (const int64_t step : {-3'600'000, 86'400'000}) {
    clock_.Step(Milliseconds(step));
    EXPECT_EQ(Take(dispatcher_->ListWorkers()).at(0).state, "busy");
    EXPECT_EQ(Answer(Running(run)).desired, Desired::kKeep);
  }
  clock_.Step(Milliseconds(-3'600'000));
  clock_.Advance(settings_.lost_after + Milliseconds(1));
  EXPECT_EQ(Take(dispatcher_->ListWorkers()).at(0).state, "lost");
  EXPECT_EQ(Take(dispatcher_->Sweep()), 1);
}

TEST_F(DispatcherTest, LetsARunningWorkerGoOn) {
  const SyncReply run = Run();
  for (int i = 0; i < 10; ++i) {
    clock_.Advance(settings_.lease.lease_duration - Milliseconds(1));
    EXPECT_EQ(Take(dispatcher_->Sweep()), 0);
    const SyncReply reply = Answer(Running(run));
    EXPECT_EQ(reply.desired, Desired::kKeep);
    EXPECT_EQ(reply.next_sync, settings_.heartbeat);
  }
  EXPECT_EQ(Get(run).progress, Json({{"step", 3}}));
}

TEST_F(DispatcherTest, WritesTheLeaseOfARunningWorkerOncePerSyncInterval) {
  const SyncReply run = Run();
  const int64_t expires_ms = Get(run).lease_expires_ms;
  clock_.Advance(settings_.sync_interval - Milliseconds(1));
  const SyncReply unwritten = Answer(Running(run));
  EXPECT_EQ(unwritten.desired, Desired::kKeep);
  EXPECT_EQ(unwritten.lease_token, run.lease_token);
  EXPECT_EQ(unwritten.next_sync, settings_.heartbeat);
  EXPECT_EQ(Get(run).lease_expires_ms, expires_ms);
  EXPECT_EQ(Get(run).progress, Json::object());
  clock_.Advance(Milliseconds(1));
  EXPECT_EQ(Answer(Running(run)).desired, Desired::kKeep);
  EXPECT_EQ(Get(run).lease_expires_ms, expires_ms + settings_.sync_interval.count());
  EXPECT_EQ(Get(run).progress, Json({{"step", 3}}));
}

TEST_F(DispatcherTest, TellsARunningWorkerOfACancellationAtItsNextHeartbeat) {
  const SyncReply run = Run();
  clock_.Advance(run.next_sync);
  ASSERT_EQ(Answer(Running(run)).desired, Desired::kKeep);
  Take(store_->MoveStudy(study_, StudyState::kStopped, "enough"));
  clock_.Advance(run.next_sync);
  EXPECT_LE(run.next_sync, Milliseconds(1'000));
  EXPECT_EQ(Answer(Running(run)).desired, Desired::kCancel);
}

TEST_F(DispatcherTest, RecordsAResultAndHandsOutTheNextTaskAtOnce) {
  const SyncReply first = Run();
  const SyncReply second = Answer(Finished(first));
  EXPECT_EQ(second.verdict, Verdict::kRecorded);
  EXPECT_EQ(second.desired, Desired::kRun);
  EXPECT_NE(second.task_id, first.task_id);
  const SyncReply last = Answer(Finished(second));
  EXPECT_EQ(last.verdict, Verdict::kRecorded);
  EXPECT_EQ(last.desired, Desired::kIdle);
  EXPECT_EQ(Take(store_->CountTrials(study_)).succeeded, 2);
}

TEST_F(DispatcherTest, AnswersARepeatedResultWithTheSameNextTask) {
  const SyncReply first = Run();
  const SyncReply second = Answer(Finished(first));
  const SyncReply repeated = Answer(Finished(first));
  EXPECT_EQ(repeated.verdict, Verdict::kDuplicate);
  EXPECT_EQ(repeated.desired, Desired::kRun);
  EXPECT_EQ(repeated.lease_token, second.lease_token);
}

TEST_F(DispatcherTest, CancelsAWorkerWhoseTaskWasTakenOver) {
  const SyncReply run = Run();
  Expire();
  clock_.Advance(settings_.lease.max_backoff);
  const std::string other = Register("w2");
  SyncRequest request = Idle();
  request.worker = "w2";
  request.session = other;
  const SyncReply taken = Answer(request);
  EXPECT_EQ(taken.task_id, run.task_id);
  EXPECT_EQ(taken.attempt, 2);
  const SyncReply reply = Answer(Running(run));
  EXPECT_EQ(reply.desired, Desired::kCancel);
  EXPECT_EQ(reply.task_id, run.task_id);
  EXPECT_NE(reply.reason.find("w2"), std::string::npos) << reply.reason;
  EXPECT_EQ(Get(taken).worker, "w2");
}

TEST_F(DispatcherTest, TellsThatAResultCameTooLateAndGivesNewWork) {
  const SyncReply run = Run();
  Expire();
  clock_.Advance(settings_.lease.max_backoff);
  SyncRequest request = Idle();
  request.worker = "w2";
  request.session = Register("w2");
  ASSERT_EQ(Answer(request).task_id, run.task_id);
  const SyncReply reply = Answer(Finished(run));
  EXPECT_EQ(reply.verdict, Verdict::kSuperseded);
  EXPECT_EQ(reply.desired, Desired::kRun);
  EXPECT_NE(reply.task_id, run.task_id);
}

TEST_F(DispatcherTest, AcceptsALateResultThatNobodyTookOver) {
  const SyncReply run = Run();
  Expire();
  EXPECT_EQ(Answer(Finished(run)).verdict, Verdict::kRecorded);
}

TEST_F(DispatcherTest, LetsALateWorkerGoOnIfNobodyTookOver) {
  const SyncReply run = Run();
  Expire();
  EXPECT_EQ(Answer(Running(run)).desired, Desired::kKeep);
  EXPECT_EQ(Get(run).attempt, 1);
}

TEST_F(DispatcherTest, CancelsWhenTheStudyStops) {
  const SyncReply run = Run();
  Take(store_->MoveStudy(study_, StudyState::kStopped, "enough"));
  const SyncReply reply = Answer(Running(run));
  EXPECT_EQ(reply.desired, Desired::kCancel);
  EXPECT_NE(reply.reason.find("stopped"), std::string::npos) << reply.reason;
  const SyncReply end = Answer(Failed(run, FailureKind::kCancelled));
  EXPECT_EQ(end.verdict, Verdict::kSuperseded);
  EXPECT_EQ(end.desired, Desired::kIdle);
}

TEST_F(DispatcherTest, LetsARunningTaskGoOnWhenTheStudyPauses) {
  const SyncReply run = Run();
  Take(store_->MoveStudy(study_, StudyState::kPaused, ""));
  EXPECT_EQ(Answer(Running(run)).desired, Desired::kKeep);
  const SyncReply end = Answer(Finished(run));
  EXPECT_EQ(end.verdict, Verdict::kRecorded);
  EXPECT_EQ(end.desired, Desired::kIdle);
  Take(store_->MoveStudy(study_, StudyState::kActive, ""));
  Run();
}

TEST_F(DispatcherTest, GivesADrainingWorkerNothing) {
  ASSERT_TRUE(dispatcher_->Drain("w1").ok());
  const SyncReply reply = Answer(Idle());
  EXPECT_EQ(reply.desired, Desired::kIdle);
  EXPECT_EQ(reply.next_sync, settings_.sync_interval);
  EXPECT_TRUE(HasWork("w2"));
  EXPECT_EQ(dispatcher_->Drain("nobody").code(), StatusCode::kNotFound);
}

TEST_F(DispatcherTest, LetsADrainingWorkerFinishItsTask) {
  const SyncReply run = Run();
  ASSERT_TRUE(dispatcher_->Drain("w1").ok());
  EXPECT_EQ(Answer(Running(run)).desired, Desired::kKeep);
  const SyncReply end = Answer(Finished(run));
  EXPECT_EQ(end.verdict, Verdict::kRecorded);
  EXPECT_EQ(end.desired, Desired::kIdle);
}

TEST_F(DispatcherTest, GivesALeavingWorkersTaskToOthersAtOnce) {
  const SyncReply run = Run();
  SyncRequest leaving = Failed(run, FailureKind::kReleased);
  leaving.draining = true;
  const SyncReply reply = Answer(leaving);
  EXPECT_EQ(reply.verdict, Verdict::kRecorded);
  EXPECT_EQ(reply.desired, Desired::kIdle);
  EXPECT_EQ(Claim("w2").id, run.task_id);
}

TEST_F(DispatcherTest, TakesBackATaskThatALeavingWorkerNeverSaw) {
  const SyncReply lost = Run();
  SyncRequest leaving = Idle();
  leaving.draining = true;
  EXPECT_EQ(Answer(leaving).desired, Desired::kIdle);
  EXPECT_EQ(Claim("w2").id, lost.task_id);
}

TEST_F(DispatcherTest, SendsAnUnknownWorkerToRegister) {
  SyncRequest stranger = Idle();
  stranger.worker = "stranger";
  EXPECT_EQ(Answer(stranger).desired, Desired::kRegister);
  EXPECT_EQ(Take(store_->ListTasks(study_, std::nullopt, TaskState::kLeased)).size(), 0u);
}

TEST_F(DispatcherTest, RefusesAWorkerWhoseNameAnotherHasTaken) {
  const SyncRequest first = Idle();
  session_ = Register("w1");
  const SyncReply run = Run();
  const Status refused = dispatcher_->Sync(first).status();
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused.reason(), "WORKER_NAME_TAKEN");
  EXPECT_NE(refused.message().find("--name"), std::string::npos) << refused;
  // The other one goes on.
  EXPECT_EQ(Answer(Running(run)).desired, Desired::kKeep);
  Restart();
  EXPECT_EQ(Answer(Running(run)).desired, Desired::kKeep);
}

// A process that says which one it is.
search::WorkerInfo ProcessNamed(const std::string& name, const std::string& instance) {
  search::WorkerInfo worker = WorkerNamed(name);
  worker.instance = instance;
  return worker;
}

TEST_F(DispatcherTest, ALivingWorkerKeepsItsName) {
  SyncRequest request{"p", Take(dispatcher_->Register(ProcessNamed("p", "one"))).session, false,
                      std::nullopt, std::nullopt};
  const SyncReply run = *Take(dispatcher_->Sync(request));
  const search::RegisterReply refused = Take(dispatcher_->Register(ProcessNamed("p", "two")));
  EXPECT_EQ(refused.taken_by, "one");
  EXPECT_EQ(refused.session, "");
  // Heartbeats, which write nothing, are signs of life.
  request.running = {run.task_id, run.lease_token, {{"step", 3}}};
  for (int i = 0; i < 20; ++i) {
    clock_.Advance(Milliseconds(1'000));
    EXPECT_EQ(Take(dispatcher_->Sync(request))->desired, Desired::kKeep);
  }
  EXPECT_EQ(Take(dispatcher_->Register(ProcessNamed("p", "two"))).taken_by, "one");
  EXPECT_EQ(Take(store_->GetTask(run.task_id)).state, TaskState::kLeased);
  EXPECT_EQ(Take(store_->GetWorker("p")).info.instance, "one");
}

TEST_F(DispatcherTest, TheNameOfADeadWorkerIsFree) {
  const auto takes = [&](const std::string& instance, const std::string& replaces) {
    return !Take(dispatcher_->Register(ProcessNamed("p", instance), replaces)).session.empty();
  };
  ASSERT_TRUE(takes("one", ""));
  EXPECT_FALSE(takes("two", ""));
  EXPECT_FALSE(takes("two", "another"));
  EXPECT_TRUE(takes("two", "one"));  // known to have ended
  EXPECT_TRUE(takes("two", ""));     // the same process again
  clock_.Advance(settings_.alive_for + Milliseconds(1));
  EXPECT_TRUE(takes("three", ""));  // silent for too long
  const SyncRequest leaving{"p", Take(dispatcher_->Register(ProcessNamed("p", "three"))).session,
                            true, std::nullopt, std::nullopt};
  Take(dispatcher_->Sync(leaving));
  EXPECT_TRUE(takes("four", ""));
  EXPECT_TRUE(takes("", ""));  // says no instance, as earlier versions
}

TEST_F(DispatcherTest, AfterARestartWorkersHaveTimeToComeBackToTheirNames) {
  ASSERT_FALSE(Take(dispatcher_->Register(ProcessNamed("p", "one"))).session.empty());
  clock_.Advance(Milliseconds(3'000));
  Restart();
  EXPECT_EQ(Take(dispatcher_->Register(ProcessNamed("p", "two"))).taken_by, "one");
  clock_.Advance(settings_.settle);
  EXPECT_FALSE(Take(dispatcher_->Register(ProcessNamed("p", "two"))).session.empty());
}

TEST_F(DispatcherTest, RefusesNamesThatAreNoNames) {
  search::WorkerInfo worker = WorkerNamed("w\n2026-01-01 error FORGED\x1b[31m ");
  const Status status = dispatcher_->Register(worker).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("\"w\\n2026-01-01 error FORGED\\x1b[31m \""), std::string::npos)
      << status;
  EXPECT_FALSE(dispatcher_->Register(WorkerNamed(std::string(101, 'w'))).ok());
  EXPECT_FALSE(dispatcher_->Register(WorkerNamed("w\xff")).ok());
  worker = WorkerNamed("w2");
  worker.targets = {" a"};
  EXPECT_EQ(dispatcher_->Register(worker).status().code(), StatusCode::kInvalidArgument);
  worker.targets = {"Jetson Orin", "gerät", "a\n=1"};
  EXPECT_TRUE(dispatcher_->Register(worker).ok());
}

TEST_F(DispatcherTest, GivesTheTaskOfADeadWorkerAwayWhenItStartsAnew) {
  const SyncReply run = Run();
  session_ = Register("w1");
  EXPECT_EQ(Get(run).state, TaskState::kQueued);
  clock_.Advance(settings_.lease.first_backoff);
  // The other trial's task first: this one was lost on this worker.
  EXPECT_NE(Run().task_id, run.task_id);
  EXPECT_EQ(Claim("w2").id, run.task_id);
}

TEST_F(DispatcherTest, DropsATaskThatTheStoreDoesNotKnow) {
  SyncReply made_up;
  made_up.task_id = 999;
  made_up.lease_token = "made up";
  EXPECT_EQ(Answer(Running(made_up)).desired, Desired::kCancel);
  EXPECT_EQ(Answer(Finished(made_up)).verdict, Verdict::kSuperseded);
}

TEST_F(DispatcherTest, ChangesNothingWithARestart) {
  const SyncReply run = Run();
  clock_.Advance(10 * settings_.lease.lease_duration);
  Restart();
  EXPECT_EQ(Take(dispatcher_->Sweep()), 0);
  EXPECT_EQ(Answer(Running(run)).desired, Desired::kKeep);
  EXPECT_EQ(Answer(Finished(run)).verdict, Verdict::kRecorded);
}

TEST_F(DispatcherTest, ListsWorkersWithWhatTheyDo) {
  const auto row = [&](size_t i) { return Take(dispatcher_->ListWorkers()).at(i); };
  EXPECT_EQ(row(0).state, "idle");
  const SyncReply run = Run();
  EXPECT_EQ(row(0).state, "busy");
  EXPECT_EQ(row(0).task_id, run.task_id);
  EXPECT_EQ(row(0).task_label, "evaluate toy/1");
  EXPECT_EQ(row(0).last_seen_ms, clock_.NowMs());
  ASSERT_TRUE(dispatcher_->Drain("w1").ok());
  EXPECT_EQ(row(0).state, "draining");
  clock_.Advance(settings_.lost_after + Milliseconds(1));
  EXPECT_EQ(row(0).state, "lost");
  Answer(Idle());
  EXPECT_EQ(row(0).state, "draining");
  Register("w2");
  EXPECT_EQ(row(1).info.name, "w2");
}

}  // namespace
}  // namespace voxbit::server
