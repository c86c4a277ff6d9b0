// Results that are not what their task asked for.
#include "server/dispatch/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/store_fixture.h"

namespace voxbit::server {
namespace {

using search::TaskKind;

class JudgeTest : public ::testing::Test {
 protected:
  std::string Why(const storage::Store::TaskHead& task,
                  const std::vector<search::Measurement>& measurements) {
    search::TaskResult result;
    result.measurements = measurements;
    const Status status = JudgeResult(task, study_, result);
    EXPECT_EQ(status.code(), status.ok() ? StatusCode::kOk : StatusCode::kInvalidArgument);
    return status.message();
  }

  search::StudyConfig study_ = testing::StudyNamed("toy");  // its objective is miou
  const storage::Store::TaskHead evaluate_ = {1, TaskKind::kEvaluate, ""};
  const storage::Store::TaskHead latency_ = {1, TaskKind::kMeasureLatency, "local"};
  const storage::Store::TaskHead training_ = {1, TaskKind::kTrainSupernet, ""};
};

TEST_F(JudgeTest, TakesWhatTheTaskAskedFor) {
  EXPECT_EQ(Why(evaluate_, {{"miou", "", 1}, {"accuracy", "", 0}}), "");
  EXPECT_EQ(Why(latency_, {{"latency_ms", "local", 1e6}}), "");
  EXPECT_EQ(Why(training_, {}), "");
}

TEST_F(JudgeTest, RefusesMetricsThatTheTaskDoesNotMeasure) {
  EXPECT_EQ(Why(evaluate_, {{"miou", "", 0.5}, {"macs", "", 1}}),
            "macs is nothing that a task evaluate measures");
  EXPECT_EQ(Why(latency_, {{"miou", "", 0.5}}),
            "miou is nothing that a task measure_latency measures");
  EXPECT_EQ(Why(training_, {{"miou", "", 0.5}}),
            "miou is nothing that a task train_supernet measures");
}

TEST_F(JudgeTest, RefusesAnotherTargetAndValuesThatCannotBe) {
  EXPECT_EQ(Why(latency_, {{"latency_ms", "other", 1}}),
            "latency_ms of target \"other\", where the task has \"local\"");
  EXPECT_EQ(Why(evaluate_, {{"miou", "local", 0.5}}),
            "miou of target \"local\", where the task has \"\"");
  EXPECT_EQ(Why(evaluate_, {{"miou", "", 1.5}}), "miou cannot be 1.500000");
  EXPECT_EQ(Why(latency_, {{"latency_ms", "local", -1}}), "latency_ms cannot be -1.000000");
}

TEST_F(JudgeTest, RefusesAResultWithoutWhatTheStudyNeeds) {
  EXPECT_EQ(Why(evaluate_, {{"accuracy", "", 0.5}}), "miou is missing, which the study needs");
  study_.constraints = {{"latency_ms", "local", {}, 5}};
  EXPECT_EQ(Why(latency_, {}), "latency_ms is missing, which the study needs");
}

}  // namespace
}  // namespace voxbit::server
