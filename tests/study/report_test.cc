#include "server/study/report.h"

#include <gtest/gtest.h>

#include "common/rng.h"
#include "tests/support/temp_dir.h"

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
  numbers.reserve(trials.size());
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

TEST(ReportTest, EmptyFrontNamesTheConstraintThatNoTrialMeets) {
  const std::vector<search::Trial> trials = {TrialWith(1, 0.5, 100), TrialWith(2, 0.6, 200)};
  const auto why = [&](const std::vector<search::Constraint>& constraints) {
    return server::WhyNoFront(trials, kMiouAndMacs, constraints);
  };
  EXPECT_EQ(why({{"macs", "", std::nullopt, 150}}), "");
  EXPECT_EQ(why({{"macs", "", std::nullopt, 50}}), "no trial meets macs <= 50; the best has 100");
  EXPECT_EQ(why({{"miou", "", 0.9, std::nullopt}, {"macs", "", 300, 400}}),
            "no trial meets miou >= 0.9; the best has 0.6; none meets 300 <= macs <= 400; the best "
            "has 200");
  EXPECT_EQ(why({{"miou", "", 0.55, std::nullopt}, {"macs", "", std::nullopt, 150}}),
            "no trial meets miou >= 0.55 and macs <= 150 together");
  EXPECT_EQ(server::WhyNoFront({}, kMiouAndMacs, {}), "");
}

TEST(ReportTest, ProgressAddsNewTrialsToWhatItKnows) {
  const TempDir dir;
  ManualClock clock;
  const auto store = storage::Store::Open(dir.path(), clock).value();
  search::StudyConfig config;
  config.name = "toy";
  config.supernet = {{"kind", "toy"}};
  config.dataset = {{"kind", "toy"}};
  config.objectives = kMiouAndMacs;
  config.constraints = {{"macs", "", std::nullopt, 900}};
  const auto study = store->CreateStudy(config, CanonicalJson(search::ToJson(config))).value();
  server::Reporter reporter(*store);
  EXPECT_EQ(reporter.GetProgress(study)->front_size, 0);
  Rng rng(5);
  for (int32_t number = 1; number <= 105; ++number) {
    storage::NewTrial trial;
    trial.candidate.choices = {number};
    trial.digest = std::to_string(number);
    for (const auto& [key, measurement] :
         TrialWith(number, rng.Uniform(0, 1), rng.Uniform(0, 1000)).measured) {
      trial.costs[key] = measurement;
    }
    clock.Advance(number == 61 ? Milliseconds(3'600'000) : Milliseconds(1000));  // a night off
    ASSERT_TRUE(store->AppendTrials(study.id, {trial}, {}).ok());
    if (number % 7 != 0) continue;
    const auto front = server::ComputeFront(store->ListTrials(study.id, {}).value(),
                                            config.objectives, config.constraints);
    const auto progress = reporter.GetProgress(study).value();
    EXPECT_EQ(progress.front_size, static_cast<int64_t>(front.trials.size()));
    EXPECT_DOUBLE_EQ(progress.hypervolume, front.hypervolume);
    // One each second; the first is made and finished at once. Forgotten when it is old, as the
    // pause is.
    if (number <= 32) {
      EXPECT_DOUBLE_EQ(progress.trials_per_minute, 60.0 * number / (number - 1));
    } else if (number <= 60 || number >= 98) {
      EXPECT_DOUBLE_EQ(progress.trials_per_minute, 60.0);
    } else {
      EXPECT_LT(progress.trials_per_minute, 1.0);
    }
  }
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
