// Tasks that are cancelled or went to another worker, and workers that leave.
#include <gtest/gtest.h>

#include <stop_token>
#include <thread>

#include "tests/worker_loop/worker_loop_fixture.h"

namespace voxbit::worker {
namespace {

using search::Desired;
using search::FailureKind;
using search::SyncRequest;
using search::TaskSpec;
using search::Verdict;
using testing::ResultWithMiou;

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

TEST_F(WorkerLoopTest, CanBeCancelledWhileItWaitsToUpload) {
  for (int i = 0; i < 100'000; ++i) server_.FailUpload(Unavailable("away"));
  Make(testing::Stores("checkpoint", Returns(0.5)));
  Step();
  server_.Answer(RunTask(7, "token"));
  Step();
  server_.WaitForUploads(3);
  server_.Answer(Tell(Desired::kCancel));
  Step();
  EXPECT_TRUE(loop_->WaitForTask(kLong));
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

}  // namespace
}  // namespace voxbit::worker
