#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/exec/exec_fixture.h"

namespace voxbit::worker {
namespace {

search::Measurement Latency(const Result<search::TaskResult>& result) {
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->measurements.size(), 1U);
  return result->measurements.at(0);
}

TEST_F(ExecTest, LatencyIsAMedianWithItsSpreadAndSurroundings) {
  search::TaskSpec spec =
      Spec(search::TaskKind::kMeasureLatency, {{"warmup", 1}, {"repeats", 5}, {"threads", 1}});
  spec.target = "local";
  const search::Measurement latency = Latency(Run(spec));
  EXPECT_EQ(latency.metric, "latency_ms");
  EXPECT_EQ(latency.target, "local");
  EXPECT_EQ(latency.samples, 5);
  EXPECT_GT(latency.value, 0);
  EXPECT_GE(latency.spread, 0);
  EXPECT_LE(latency.detail.at("min_ms").get<double>(), latency.value);
  EXPECT_GE(latency.detail.at("max_ms").get<double>(), latency.value);
  EXPECT_EQ(latency.detail.at("threads"), 1);
  EXPECT_EQ(latency.detail.at("device"), "cpu");
  EXPECT_FALSE(latency.detail.at("device_model").get<std::string>().empty());
  EXPECT_FALSE(latency.detail.contains("arithmetic"));
}

TEST_F(ExecTest, ALargerSubNetworkTakesLonger) {
  search::TaskSpec spec = Spec(search::TaskKind::kMeasureLatency, {{"warmup", 2}, {"repeats", 9}});
  const search::Measurement small = Latency(Run(spec));
  spec.candidate = spec_->space().Largest();
  const search::Measurement large = Latency(Run(spec));
  EXPECT_GT(large.detail.at("min_ms").get<double>(), small.detail.at("min_ms").get<double>());
}

TEST_F(ExecTest, MeasuringPutsTheNumberOfThreadsBack) {
  executor_ = MakeExecutor({.device = "cpu", .threads = 1});
  ASSERT_TRUE(Run(Spec(search::TaskKind::kMeasureLatency, {{"repeats", 1}, {"threads", 2}})).ok());
  EXPECT_EQ(at::get_num_threads(), 1);
}

}  // namespace
}  // namespace voxbit::worker
