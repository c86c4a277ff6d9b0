#include "worker/loop/worker_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <thread>

#include "tests/support/fake_coordinator.h"
#include "tests/support/fake_executor.h"
#include "tests/support/temp_dir.h"

namespace voxbit::worker {
namespace {

using search::Desired;
using search::FailureKind;
using search::SyncReply;
using search::SyncRequest;
using search::TaskResult;
using search::TaskSpec;
using search::Verdict;
using testing::FakeCoordinator;
using testing::FakeExecutor;
using testing::Gate;
using testing::ResultWithMiou;
using testing::TempDir;

constexpr Milliseconds kLong{60'000};

search::WorkerInfo Info() {
  search::WorkerInfo info;
  info.name = "w";
  info.device = "cpu";
  return info;
}

SyncReply RunTask(int64_t id, const std::string& token) {
  SyncReply reply;
  reply.desired = Desired::kRun;
  reply.task_id = id;
  reply.lease_token = token;
  reply.attempt = 1;
  reply.spec.kind = search::TaskKind::kEvaluate;
  reply.next_sync = Milliseconds(5'000);
  return reply;
}

SyncReply Tell(Desired desired, Verdict verdict = Verdict::kNone) {
  SyncReply reply;
  reply.desired = desired;
  reply.verdict = verdict;
  reply.reason = "because";
  return reply;
}

// A worker with a fake server; the clock stands still, so that nothing waits for time.
class WorkerLoopTest : public ::testing::Test {
 protected:
  void Make(FakeExecutor::Work work) { Make(std::move(work), clock_); }
  void Make(FakeExecutor::Work work, const Clock& clock) {
    executor_ = std::make_unique<FakeExecutor>(std::move(work));
    Result<std::unique_ptr<ArtifactCache>> cache =
        ArtifactCache::Open({.folder = folder_.path(),
                             .max_bytes = 1'000'000,
                             .backoff = {Milliseconds(1), Milliseconds(2)}},
                            server_, clock_);
    ASSERT_TRUE(cache.ok()) << cache.status();
    cache_ = *std::move(cache);
    loop_ = std::make_unique<WorkerLoop>(server_, *executor_, clock, Info(), *cache_, settings_);
  }
  Milliseconds Step() { return loop_->Step({}); }
  void StepThroughTask() {
    Step();
    ASSERT_TRUE(loop_->WaitForTask(kLong));
    Step();
  }
  SyncRequest last() const { return server_.last(); }

  TempDir folder_;
  FakeCoordinator server_;
  ManualClock clock_;
  Gate gate_;     // what the task waits for
  Gate started_;  // opened by the task
  WorkerLoop::Settings settings_{.backoff = {Milliseconds(1), Milliseconds(2)},
                                 .finish_grace = Milliseconds(0)};
  std::unique_ptr<FakeExecutor> executor_;
  std::unique_ptr<ArtifactCache> cache_;
  std::unique_ptr<WorkerLoop> loop_;
};

FakeExecutor::Work Returns(double miou) {
  return [miou](const TaskSpec&, ArtifactAccess&, const ProgressSink&, const std::stop_token&) {
    return ResultWithMiou(miou);
  };
}

// Works until the gate opens; CANCELLED when stopped before.
FakeExecutor::Work WaitsFor(Gate& gate, Gate& started) {
  return [&](const TaskSpec&, ArtifactAccess&, const ProgressSink& progress,
             const std::stop_token& stop) -> Result<TaskResult> {
    progress({{"phase", "train"}, {"step", 3}});
    started.Open();
    if (!gate.Wait(stop)) return Cancelled("stopped");
    return ResultWithMiou(0.5);
  };
}

// Works until the gate opens, whoever asks it to stop.
FakeExecutor::Work IsDeafUntil(Gate& gate) {
  return [&](const TaskSpec&, ArtifactAccess&, const ProgressSink&, const std::stop_token&) {
    gate.Wait();
    return ResultWithMiou(0.5);
  };
}

TEST_F(WorkerLoopTest, RegistersRunsATaskAndHandsInItsResult) {
  Make(Returns(0.5));
  EXPECT_EQ(Step().count(), 0);
  EXPECT_EQ(server_.registrations(), 1U);
  server_.Answer(RunTask(7, "token"));
  EXPECT_EQ(Step().count(), 5'000);
  ASSERT_TRUE(loop_->WaitForTask(kLong));
  Step();
  EXPECT_EQ(last().session, "session-1");
  ASSERT_TRUE(last().finished);
  EXPECT_EQ(last().finished->task_id, 7);
  EXPECT_EQ(last().finished->lease_token, "token");
  ASSERT_TRUE(last().finished->result);
  EXPECT_EQ(last().finished->result->measurements.at(0).value, 0.5);
  EXPECT_FALSE(last().running);
  Step();
  EXPECT_FALSE(last().finished);
  EXPECT_FALSE(last().running);
}

TEST_F(WorkerLoopTest, ReportsProgressWhileTheTaskRuns) {
  Make(WaitsFor(gate_, started_));
  Step();
  server_.Answer(RunTask(7, "token"));
  Step();
  started_.Wait();
  EXPECT_EQ(Step().count(), 10'000);
  ASSERT_TRUE(last().running);
  EXPECT_EQ(last().running->task_id, 7);
  EXPECT_EQ(last().running->lease_token, "token");
  EXPECT_EQ(last().running->progress, (Json{{"phase", "train"}, {"step", 3}}));
  gate_.Open();
}

TEST_F(WorkerLoopTest, TakesTheNextTaskFromTheAnswerToItsResult) {
  Make(Returns(0.5));
  Step();
  server_.Answer(RunTask(1, "a"));
  SyncReply next = RunTask(2, "b");
  next.verdict = Verdict::kRecorded;
  server_.Answer(next);
  StepThroughTask();
  ASSERT_TRUE(loop_->WaitForTask(kLong));
  Step();
  EXPECT_EQ(last().finished->task_id, 2);
  EXPECT_EQ(last().finished->lease_token, "b");
  EXPECT_EQ(executor_->executions(), 2);
}

TEST_F(WorkerLoopTest, KeepsTryingToRegisterWithGrowingPauses) {
  settings_.backoff = {Milliseconds(1'000), Milliseconds(4'000)};
  Make(Returns(0.5));
  for (int i = 0; i < 4; ++i) server_.FailRegister(Unavailable("away"));
  EXPECT_LE(Step().count(), 1'000);
  EXPECT_GE(Step().count(), 1'000);
  EXPECT_GE(Step().count(), 2'000);
  EXPECT_LE(Step().count(), 4'000);
  EXPECT_EQ(Step().count(), 0);
  EXPECT_EQ(server_.registrations(), 5U);
}

TEST_F(WorkerLoopTest, GoesOnComputingWhileTheServerIsAway) {
  Make(WaitsFor(gate_, started_));
  Step();
  server_.Answer(RunTask(7, "token"));
  Step();
  started_.Wait();
  for (int i = 0; i < 3; ++i) {
    server_.Answer(Unavailable("away"));
    EXPECT_GT(Step().count(), 0);
  }
  gate_.Open();
  ASSERT_TRUE(loop_->WaitForTask(kLong));
  Step();
  ASSERT_TRUE(last().finished);
  EXPECT_TRUE(last().finished->result);
  EXPECT_EQ(executor_->executions(), 1);
}

TEST_F(WorkerLoopTest, KeepsItsResultUntilTheServerIsBack) {
  Make(Returns(0.5));
  Step();
  server_.Answer(RunTask(7, "token"));
  for (int i = 0; i < 5; ++i) server_.Answer(Unavailable("away"));
  StepThroughTask();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(last().finished) << i;
    EXPECT_EQ(last().finished->lease_token, "token");
    Step();
  }
  ASSERT_TRUE(last().finished);
  Step();
  EXPECT_FALSE(last().finished);
}

TEST_F(WorkerLoopTest, HandsInItsResultAgainWhenTheServerIgnoredIt) {
  Make(Returns(0.5));
  Step();
  server_.Answer(RunTask(7, "token"));
  server_.Answer(Tell(Desired::kIdle, Verdict::kNone));
  StepThroughTask();
  Step();
  EXPECT_TRUE(last().finished);
}

TEST_F(WorkerLoopTest, RegistersAgainForAnUnknownSessionAndKeepsTheOldToken) {
  Make(Returns(0.5));
  Step();
  server_.Answer(RunTask(7, "token"));
  server_.Answer(Tell(Desired::kRegister));
  StepThroughTask();
  Step();
  EXPECT_EQ(server_.registrations(), 2U);
  Step();
  EXPECT_EQ(last().session, "session-2");
  ASSERT_TRUE(last().finished);
  EXPECT_EQ(last().finished->lease_token, "token");
  EXPECT_TRUE(last().finished->result);
}

TEST_F(WorkerLoopTest, KeepsItsTaskOverANewRegistration) {
  Make(WaitsFor(gate_, started_));
  Step();
  server_.Answer(RunTask(7, "token"));
  server_.Answer(Tell(Desired::kRegister));
  for (int i = 0; i < 4; ++i) Step();
  started_.Wait();
  EXPECT_EQ(last().session, "session-2");
  ASSERT_TRUE(last().running);
  EXPECT_EQ(last().running->lease_token, "token");
  EXPECT_EQ(executor_->executions(), 1);
  gate_.Open();
}

TEST_F(WorkerLoopTest, PausesMoreAndMoreWhenAnotherWorkerTakesItsName) {
  settings_.backoff = {Milliseconds(1'000), Milliseconds(64'000)};
  Make(Returns(0.5));
  for (int64_t pause = 500; pause <= 4'000; pause *= 2) {
    Step();
    server_.Answer(Tell(Desired::kRegister));
    EXPECT_GE(Step().count(), pause);
  }
}

TEST_F(WorkerLoopTest, EndsWhenTheServerSaysThatAnotherWorkerHasItsName) {
  Make(Returns(0.5));
  server_.Answer(FailedPrecondition("start this one with --name", "WORKER_NAME_TAKEN"));
  const Status status = loop_->Run({});
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), ::testing::HasSubstr("--name"));
  EXPECT_EQ(server_.registrations(), 1U);
}

TEST_F(WorkerLoopTest, AWorkerWithADefaultNameTakesTheNextOneThatIsFree) {
  server_.TakeName("w", "alive-1");
  server_.TakeName("w-2", "alive-2");
  settings_.may_rename = true;
  settings_.life_of = [](const std::string&) { return Life::kAlive; };
  Make(Returns(0.5));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Step().count(), 0);
  EXPECT_EQ(server_.registered().back().name, "w-3");
  Step();
  EXPECT_EQ(last().worker, "w-3");
  // It keeps the name when it has to register again.
  server_.Answer(Tell(Desired::kRegister));
  Step();
  Step();
  EXPECT_EQ(server_.registered().back().name, "w-3");
}

TEST_F(WorkerLoopTest, AnEndedPredecessorIsReplacedAtOnce) {
  server_.TakeName("w", "alive");
  server_.TakeName("w-2", "ended");
  settings_.may_rename = true;
  settings_.life_of = [](const std::string& instance) {
    return instance == "ended" ? Life::kEnded : Life::kAlive;
  };
  Make(Returns(0.5));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Step().count(), 0);
  Step();
  EXPECT_EQ(last().worker, "w-2");
}

TEST_F(WorkerLoopTest, AGivenNameThatALivingWorkerHasIsRefused) {
  server_.TakeName("w", "alive");
  settings_.life_of = [](const std::string&) { return Life::kAlive; };
  Make(Returns(0.5));
  const Status status = loop_->Run({});
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.reason(), "WORKER_NAME_TAKEN");
  EXPECT_THAT(status.message(), ::testing::HasSubstr("another worker works as \"w\""));
  EXPECT_THAT(status.message(), ::testing::HasSubstr("--name"));
  EXPECT_EQ(server_.registrations(), 1U);
}

TEST_F(WorkerLoopTest, AWorkerElsewhereHasTimeToProveThatItLives) {
  server_.TakeName("w", "elsewhere");
  settings_.life_of = [](const std::string&) { return Life::kUnknown; };
  settings_.may_rename = true;
  Make(Returns(0.5));
  EXPECT_GT(Step().count(), 0);
  clock_.Advance(settings_.name_wait - Milliseconds(1));
  EXPECT_GT(Step().count(), 0);
  EXPECT_EQ(server_.registered().back().name, "w");
  clock_.Advance(Milliseconds(1));
  Step();
  Step();
  EXPECT_EQ(server_.registered().back().name, "w-2");
}

TEST_F(WorkerLoopTest, RunsATaskOnceThoughItIsHandedOutTwice) {
  Make(WaitsFor(gate_, started_));
  Step();
  server_.Answer(RunTask(7, "token"));
  server_.Answer(RunTask(7, "token"));
  Step();
  started_.Wait();
  Step();
  gate_.Open();
  ASSERT_TRUE(loop_->WaitForTask(kLong));
  Step();
  EXPECT_TRUE(last().finished->result);
  EXPECT_EQ(executor_->executions(), 1);
}

TEST_F(WorkerLoopTest, StopsACancelledTaskAndDropsItsOutcome) {
  Make(WaitsFor(gate_, started_));
  Step();
  server_.Answer(RunTask(7, "token"));
  server_.Answer(Tell(Desired::kCancel));
  Step();
  started_.Wait();
  const SystemClock clock;
  const int64_t asked_ms = clock.MonotonicMs();
  Step();
  ASSERT_TRUE(loop_->WaitForTask(kLong));
  EXPECT_LT(clock.MonotonicMs() - asked_ms, 1'000);
  Step();
  EXPECT_FALSE(last().finished);
  EXPECT_FALSE(last().running);
}

TEST_F(WorkerLoopTest, NamesACancelledTaskUntilItHasEnded) {
  Make(IsDeafUntil(gate_));
  Step();
  server_.Answer(RunTask(7, "token"));
  server_.Answer(Tell(Desired::kCancel));
  server_.Answer(Tell(Desired::kCancel));
  for (int i = 0; i < 3; ++i) Step();
  EXPECT_TRUE(last().running);
  gate_.Open();
  ASSERT_TRUE(loop_->WaitForTask(kLong));
  Step();
  EXPECT_FALSE(last().running);
  EXPECT_FALSE(last().finished);
}

TEST_F(WorkerLoopTest, EndsWhenADroppedTaskNeverStops) {
  Make(IsDeafUntil(gate_));
  Step();
  server_.Answer(RunTask(7, "token"));
  server_.Answer(Tell(Desired::kCancel));
  for (int i = 0; i < 2; ++i) Step();
  clock_.Advance(settings_.hung_after);
  EXPECT_EQ(loop_->Run({}).code(), StatusCode::kInternal);
  EXPECT_TRUE(loop_->is_working());
  gate_.Open();
}

TEST_F(WorkerLoopTest, DropsAResultThatCameTooLate) {
  Make(Returns(0.5));
  Step();
  server_.Answer(RunTask(7, "old"));
  server_.Answer(Tell(Desired::kIdle, Verdict::kSuperseded));
  StepThroughTask();
  Step();
  EXPECT_FALSE(last().finished);
  EXPECT_EQ(executor_->executions(), 1);
}

TEST_F(WorkerLoopTest, DropsItsWorkAfterAPauseInWhichTheLeaseWentToAnother) {
  Make(WaitsFor(gate_, started_));
  Step();
  server_.Answer(RunTask(7, "old"));
  Step();
  started_.Wait();
  clock_.Advance(Milliseconds(3'600'000));
  server_.Answer(Tell(Desired::kCancel, Verdict::kSuperseded));
  Step();
  ASSERT_TRUE(loop_->WaitForTask(kLong));
  Step();
  EXPECT_FALSE(last().finished);
}

TEST_F(WorkerLoopTest, TurnsExceptionsIntoFailures) {
  Make([](const TaskSpec&, ArtifactAccess&, const ProgressSink&,
          const std::stop_token&) -> Result<TaskResult> { throw std::runtime_error("shape"); });
  Step();
  server_.Answer(RunTask(7, "token"));
  StepThroughTask();
  ASSERT_TRUE(last().finished->failure);
  EXPECT_EQ(last().finished->failure->kind, FailureKind::kFailed);
  EXPECT_THAT(last().finished->failure->message, ::testing::HasSubstr("shape"));
}

TEST_F(WorkerLoopTest, SurvivesWhatIsNoException) {
  Make([](const TaskSpec&, ArtifactAccess&, const ProgressSink&,
          const std::stop_token&) -> Result<TaskResult> { throw 7; });
  Step();
  server_.Answer(RunTask(7, "token"));
  StepThroughTask();
  EXPECT_EQ(last().finished->failure->kind, FailureKind::kFailed);
}

TEST_F(WorkerLoopTest, CallsANonFiniteMeasurementInfeasible) {
  Make(Returns(std::numeric_limits<double>::quiet_NaN()));
  Step();
  server_.Answer(RunTask(7, "token"));
  StepThroughTask();
  ASSERT_TRUE(last().finished->failure);
  EXPECT_EQ(last().finished->failure->kind, FailureKind::kInfeasible);
  EXPECT_THAT(last().finished->failure->message, ::testing::HasSubstr("miou"));
}

TEST_F(WorkerLoopTest, IgnoresProgressThatCannotTravel) {
  Make([&](const TaskSpec&, ArtifactAccess&, const ProgressSink& progress, const std::stop_token&) {
    progress(Json(3));
    started_.Open();
    gate_.Wait();
    return ResultWithMiou(0.5);
  });
  Step();
  server_.Answer(RunTask(7, "token"));
  Step();
  started_.Wait();
  Step();
  EXPECT_EQ(last().running->progress, Json::object());
  gate_.Open();
}

TEST_F(WorkerLoopTest, UploadsArtifactsBeforeItReportsTheResult) {
  server_.FailUpload(Unavailable("away"));
  server_.FailUpload(ResourceExhausted("disk full", "STORE_DISK_FULL"));
  Make([](const TaskSpec&, ArtifactAccess& artifacts, const ProgressSink&,
          const std::stop_token&) -> Result<TaskResult> {
    TaskResult result;
    VOXBIT_ASSIGN_OR_RETURN(result.artifacts["checkpoint"], artifacts.Put("weights"));
    return result;
  });
  Step();
  server_.Answer(RunTask(7, "token"));
  StepThroughTask();
  ASSERT_TRUE(last().finished->result);
  EXPECT_EQ(server_.uploads(), 3);
  EXPECT_EQ(server_.artifacts().at(last().finished->result->artifacts.at("checkpoint")), "weights");
}

TEST_F(WorkerLoopTest, CanBeCancelledWhileItWaitsToUpload) {
  for (int i = 0; i < 100'000; ++i) server_.FailUpload(Unavailable("away"));
  Make([](const TaskSpec&, ArtifactAccess& artifacts, const ProgressSink&,
          const std::stop_token&) -> Result<TaskResult> {
    TaskResult result;
    VOXBIT_ASSIGN_OR_RETURN(result.artifacts["checkpoint"], artifacts.Put("weights"));
    return result;
  });
  Step();
  server_.Answer(RunTask(7, "token"));
  Step();
  server_.WaitForUploads(3);
  server_.Answer(Tell(Desired::kCancel));
  Step();
  EXPECT_TRUE(loop_->WaitForTask(kLong));
}

TEST_F(WorkerLoopTest, ReplacesAResultThatTheServerWillNeverTake) {
  Make(Returns(0.5));
  Step();
  server_.Answer(RunTask(7, "token"));
  server_.Answer(InvalidArgument("detail_json: not valid JSON"));
  StepThroughTask();
  Step();
  ASSERT_TRUE(last().finished);
  EXPECT_EQ(last().finished->lease_token, "token");
  ASSERT_TRUE(last().finished->failure);
  EXPECT_EQ(last().finished->failure->kind, FailureKind::kFailed);
}

TEST_F(WorkerLoopTest, KeepsAResultWhileTheServersDiskIsFull) {
  Make(Returns(0.5));
  Step();
  server_.Answer(RunTask(7, "token"));
  server_.Answer(ResourceExhausted("disk full", "STORE_DISK_FULL"));
  StepThroughTask();
  Step();
  EXPECT_TRUE(last().finished->result);
}

TEST_F(WorkerLoopTest, DoesNotHammerAServerThatDoesNotHoldIdleCalls) {
  Make(Returns(0.5));
  Step();
  EXPECT_EQ(Step(), settings_.min_idle_interval);
}

TEST_F(WorkerLoopTest, ReleasesItsTaskWhenItLeaves) {
  Make(WaitsFor(gate_, started_));
  Step();
  server_.Answer(RunTask(7, "token"));
  Step();
  started_.Wait();
  loop_->Leave();
  ASSERT_TRUE(last().finished);
  EXPECT_TRUE(last().draining);
  EXPECT_EQ(last().finished->lease_token, "token");
  EXPECT_EQ(last().finished->failure->kind, FailureKind::kReleased);
}

TEST_F(WorkerLoopTest, HandsInAResultThatIsReadyWhenItLeaves) {
  Make(Returns(0.5));
  Step();
  server_.Answer(RunTask(7, "token"));
  Step();
  ASSERT_TRUE(loop_->WaitForTask(kLong));
  loop_->Leave();
  ASSERT_TRUE(last().finished);
  EXPECT_TRUE(last().finished->result);
}

TEST_F(WorkerLoopTest, ReleasesATaskThatDoesNotStop) {
  settings_.stop_budget = Milliseconds(1);
  const SystemClock clock;
  Make(
      [&](const TaskSpec&, ArtifactAccess&, const ProgressSink&, const std::stop_token&) {
        gate_.Wait();
        return ResultWithMiou(0.5);
      },
      clock);
  Step();
  server_.Answer(RunTask(7, "token"));
  Step();
  loop_->Leave();
  ASSERT_TRUE(last().finished);
  EXPECT_EQ(last().finished->failure->kind, FailureKind::kReleased);
  gate_.Open();
}

TEST_F(WorkerLoopTest, GivesBackATaskThatArrivesWhileItLeaves) {
  Make(Returns(0.5));
  Step();
  server_.Answer(RunTask(7, "token"));
  loop_->Leave();
  ASSERT_TRUE(last().finished);
  EXPECT_EQ(last().finished->lease_token, "token");
  EXPECT_EQ(last().finished->failure->kind, FailureKind::kReleased);
  EXPECT_EQ(executor_->executions(), 0);
}

TEST_F(WorkerLoopTest, LeavesWithoutAServerAfterItsBudget) {
  settings_.leave_budget = Milliseconds(5);
  const SystemClock clock;
  Make(Returns(0.5), clock);
  Step();
  server_.Answer(RunTask(7, "token"));
  Step();
  ASSERT_TRUE(loop_->WaitForTask(kLong));
  for (int i = 0; i < 10'000; ++i) server_.Answer(Unavailable("away"));
  loop_->Leave();
  EXPECT_TRUE(last().finished);
}

TEST_F(WorkerLoopTest, RunEndsWhenStopped) {
  const SystemClock clock;
  Make(Returns(0.5), clock);
  server_.Answer(RunTask(7, "token"));
  std::stop_source source;
  Status status = Internal("not run");
  std::thread worker([&] { status = loop_->Run(source.get_token()); });
  server_.WaitForSync([](const SyncRequest& request) { return request.finished.has_value(); });
  source.request_stop();
  worker.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(last().draining);
}

TEST_F(WorkerLoopTest, RunGivesUpWhenItNeverReachesTheServer) {
  settings_.connect_timeout = Milliseconds(20);
  const SystemClock clock;
  Make(Returns(0.5), clock);
  server_.RefuseRegister(Unavailable("away"));
  EXPECT_EQ(loop_->Run({}).code(), StatusCode::kUnavailable);
}

TEST_F(WorkerLoopTest, RunEndsWhenTheServerSpeaksAnotherProtocol) {
  Make(Returns(0.5));
  server_.RefuseRegister(FailedPrecondition("protocol 2", "PROTOCOL_MISMATCH"));
  const Status status = loop_->Run({});
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.reason(), "PROTOCOL_MISMATCH");
}

}  // namespace
}  // namespace voxbit::worker
