// Tasks that run, and what comes out of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <stop_token>

#include "tests/worker_loop/worker_loop_fixture.h"

namespace voxbit::worker {
namespace {

using search::FailureKind;
using search::SyncReply;
using search::TaskResult;
using search::TaskSpec;
using search::Verdict;
using testing::ResultWithMiou;

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
  Make(testing::Stores("checkpoint", Returns(0.5)));
  Step();
  server_.Answer(RunTask(7, "token"));
  StepThroughTask();
  ASSERT_TRUE(last().finished->result);
  EXPECT_EQ(server_.uploads(), 3);
  EXPECT_EQ(server_.artifacts().at(last().finished->result->artifacts.at("checkpoint")), "weights");
}

}  // namespace
}  // namespace voxbit::worker
