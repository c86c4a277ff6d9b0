// A server that is away, has forgotten the worker, or does not take what it hands in.
#include <gtest/gtest.h>

#include "tests/worker_loop/worker_loop_fixture.h"
#include "worker/serve.h"

namespace voxbit::worker {
namespace {

using search::Desired;
using search::FailureKind;
using search::Verdict;

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

TEST_F(WorkerLoopTest, KeepsTryingForDaysAndMissesNoServerThatIsUpForASecond) {
  settings_.backoff = WorkerLoop::Settings().backoff;
  Make(Returns(0.5));
  server_.RefuseRegister(Unavailable("away"));
  for (int64_t waited_ms = 0; waited_ms < int64_t{3} * 86'400'000; waited_ms += 600'000) {
    EXPECT_LE(Step().count(), 500);
    clock_.Advance(Milliseconds(600'000));
  }
  EXPECT_EQ(ServeFlags().connect_timeout_s, 0);
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
