// Studies that keep their workers busy: children bred whenever a result comes, deterministic by the
// recorded order of results.
#include <gtest/gtest.h>

#include "tests/support/study_life.h"

namespace voxbit::testing {
namespace {

// With a population of 8.
Json SteadyStudy(const std::string& algorithm, int64_t trials, int64_t in_flight) {
  Json study = ToyStudy("steady", trials);
  study["search"]["algorithm"] = algorithm;
  study["search"]["in_flight"] = in_flight;
  return study;
}

class SteadyStudyTest : public ::testing::TestWithParam<std::string> {};

TEST_P(SteadyStudyTest, SixtyFourWorkersAreBusyWithAPopulationOfSixteen) {
  constexpr size_t kTrials = 256;
  Json config = SteadyStudy(GetParam(), kTrials, 64);
  config["search"]["population"] = 16;
  Life life(config, {.num_workers = 64});
  ExpectEveryTrialMeasuredOnce(life, kTrials);
  EXPECT_EQ(life.max_in_flight(), 64U);
  RecordProperty("busy", std::to_string(life.BusyShare()));
  EXPECT_GT(life.BusyShare(), 0.9);
  int64_t num_bred = 0;
  for (const search::Trial& trial : life.Trials()) num_bred += trial.origin == "random" ? 0 : 1;
  EXPECT_GT(num_bred, int64_t{kTrials} / 2);
}

TEST_P(SteadyStudyTest, NoMoreThanInFlightAreUnderWay) {
  Life life(SteadyStudy(GetParam(), 24, 3), {.num_workers = 6});
  ExpectEveryTrialMeasuredOnce(life, 24);
  EXPECT_EQ(life.max_in_flight(), 3U);
}

TEST_P(SteadyStudyTest, RecordedOrderGivesTheProposalsAgain) {
  const Json config = SteadyStudy(GetParam(), 40, 6);
  Life prompt(config, {.num_workers = 6});
  EXPECT_EQ(prompt.Replayed(), prompt.Proposed());
  // A runner that finds several results at once tells them one by one.
  Life slow(config, {.num_workers = 6, .step_every_ms = 170});
  EXPECT_EQ(slow.Replayed(), slow.Proposed());
}

TEST_P(SteadyStudyTest, KilledAtAnyResultItProposesTheSame) {
  const Json config = SteadyStudy(GetParam(), 40, 6);
  Life undisturbed(config, {.num_workers = 6});
  for (const int every : {1, 3, 7}) {
    Life killed(config, {.num_workers = 6, .restart_every = every});
    EXPECT_EQ(killed.Proposed(), undisturbed.Proposed()) << "killed every " << every << " results";
    ExpectEveryTrialMeasuredOnce(killed, 40);
  }
}

TEST_P(SteadyStudyTest, GenerationsDependOnNoOrderOfResults) {
  const Json config = SteadyStudy(GetParam(), 32, 0);
  Life one(config, {.num_workers = 1});
  Life many(config, {.num_workers = 12, .step_every_ms = 70});
  EXPECT_EQ(many.Proposed(), one.Proposed());
  EXPECT_EQ(many.Replayed(), many.Proposed());
  EXPECT_EQ(many.max_in_flight(), 8U);
}

INSTANTIATE_TEST_SUITE_P(Breeding, SteadyStudyTest, ::testing::Values("evolution", "nsga2"),
                         [](const auto& algorithm) { return algorithm.param; });

}  // namespace
}  // namespace voxbit::testing
