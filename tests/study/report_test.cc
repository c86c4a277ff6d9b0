#include "server/study/report.h"

#include <gtest/gtest.h>

namespace voxbit::testing {
namespace {

search::Trial TrialWith(int64_t number, double miou, double macs) {
  search::Trial trial;
  trial.number = number;
  trial.state = search::TrialState::kSucceeded;
  for (const auto& [metric, value] : {std::pair{"miou", miou}, std::pair{"macs", macs}}) {
    search::Measurement measurement;
    measurement.metric = metric;
    measurement.value = value;
    trial.measured[{metric, ""}] = measurement;
  }
  return trial;
}

const std::vector<search::Objective> kMiouAndMacs = {{"miou", ""}, {"macs", ""}};

std::vector<int64_t> Numbers(const std::vector<search::Trial>& trials) {
  std::vector<int64_t> numbers;
  for (const auto& trial : trials) numbers.push_back(trial.number);
  return numbers;
}

TEST(ReportTest, FrontHoldsTheNonDominatedBestFirst) {
  const auto front = server::ComputeFront(
      {TrialWith(1, 0.5, 100), TrialWith(2, 0.6, 200), TrialWith(3, 0.4, 150)}, kMiouAndMacs, {});
  EXPECT_EQ(Numbers(front.trials), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(Numbers(front.dominated), (std::vector<int64_t>{3}));
}

TEST(ReportTest, TrialsThatFailedOrBreakAConstraintAreNotCompared) {
  auto failed = TrialWith(1, 0.9, 1);
  failed.state = search::TrialState::kFailed;
  search::Constraint at_most;
  at_most.metric = "macs";
  at_most.max = 150;
  const auto front = server::ComputeFront({failed, TrialWith(2, 0.6, 200), TrialWith(3, 0.4, 150)},
                                          kMiouAndMacs, {at_most});
  EXPECT_EQ(Numbers(front.trials), (std::vector<int64_t>{3}));
  EXPECT_TRUE(front.dominated.empty());
}

TEST(ReportTest, HypervolumeIsScaledToTheRangeSeen) {
  // Scaled points: (1, 0) and (0.5, 1) above (0, 0): 0.5 * 1 + 0.5 * 0 = 0.5.
  const auto front = server::ComputeFront(
      {TrialWith(1, 0.6, 200), TrialWith(2, 0.5, 100), TrialWith(3, 0.4, 200)}, kMiouAndMacs, {});
  EXPECT_DOUBLE_EQ(front.hypervolume, 0.5);
}

TEST(ReportTest, NoTrialsGiveAnEmptyFront) {
  const auto front = server::ComputeFront({}, kMiouAndMacs, {});
  EXPECT_TRUE(front.trials.empty());
  EXPECT_EQ(front.hypervolume, 0);
}

TEST(ReportTest, MetricKeysNameMetricAndTarget) {
  EXPECT_EQ(server::ParseMetricKey("miou").value(), (search::Objective{"miou", ""}));
  EXPECT_EQ(server::ParseMetricKey("latency_ms[orin]").value(),
            (search::Objective{"latency_ms", "orin"}));
  EXPECT_EQ(server::ParseMetricKey("latency_ms").value(),
            (search::Objective{"latency_ms", "local"}));
  EXPECT_EQ(server::ParseMetricKey("beauty").status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace voxbit::testing
