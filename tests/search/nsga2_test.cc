// What NSGA-II promises beyond the laws of every algorithm.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "search/algorithm/selection.h"
#include "tests/search/harness.h"

namespace voxbit::search {
namespace {

TEST(Nsga2Test, NextGenerationWaitsForTheWholeLast) {
  const Harness harness({.population = 8});
  const auto algorithm = harness.Make("nsga2");
  const AskResult first = algorithm->Ask(100);
  ASSERT_EQ(first.proposals.size(), 8U);
  for (size_t i = 0; i < first.proposals.size(); ++i) {
    EXPECT_TRUE(algorithm->Ask(1).proposals.empty());
    const Trial trial = harness.Evaluate(first.proposals[i], static_cast<int64_t>(i) + 1);
    algorithm->Tell({&trial, 1});
  }
  EXPECT_EQ(algorithm->Ask(100).proposals.size(), 8U);
}

TEST(Nsga2Test, ParentsAreOfTheEliteAndMostChildrenAreCrossovers) {
  const std::vector<Objective> objectives = {{"miou", ""}, {"macs", ""}};
  const Harness harness(
      {.toy = {.stages = 6, .widths = 12}, .population = 20, .objectives = objectives});
  const auto algorithm = harness.Make("nsga2");
  const std::vector<Trial> trials = harness.Run(*algorithm, 200);
  int num_crossovers = 0;
  for (size_t generation = 1; generation < 10; ++generation) {
    std::vector<Fitness> told;
    for (size_t i = 0; i < 20 * generation; ++i) {
      told.push_back(FitnessOf(trials[i], objectives, {}));
    }
    std::set<std::string> elite;
    for (const Fitness& fitness : SelectBest(told, 20)) {
      elite.insert(std::to_string(fitness.number));
    }
    for (size_t i = 20 * generation; i < 20 * (generation + 1); ++i) {
      const std::string& origin = trials[i].origin;
      if (origin.rfind("mutation of ", 0) == 0) {
        EXPECT_EQ(elite.count(origin.substr(12)), 1U) << origin;
        continue;
      }
      ASSERT_EQ(origin.rfind("crossover of ", 0), 0U) << origin;
      ++num_crossovers;
      const size_t middle = origin.find(" and ");
      const std::string a = origin.substr(13, middle - 13);
      const std::string b = origin.substr(middle + 5);
      EXPECT_EQ(elite.count(a) + elite.count(b), 2U) << origin;
      EXPECT_NE(a, b);
    }
  }
  // 0.9 of 180, four standard deviations either way.
  EXPECT_GT(num_crossovers, 145);
  EXPECT_LT(num_crossovers, 179);
}

TEST(Nsga2Test, TwoObjectivesGiveABetterFrontThanRandomSearch) {
  double bred = 0;
  double random = 0;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const Harness harness({.toy = {.stages = 6, .widths = 12},
                           .population = 32,
                           .seed = seed,
                           .objectives = {{"miou", ""}, {"macs", ""}}});
    bred += FrontVolume(harness, harness.Run(*harness.Make("nsga2"), 512)) / 8;
    random += FrontVolume(harness, harness.Run(*harness.Make("random"), 512)) / 8;
  }
  RecordProperty("nsga2", std::to_string(bred));
  RecordProperty("random", std::to_string(random));
  EXPECT_GT(bred, random + 0.02);
}

TEST(Nsga2Test, FindsTheKnownOptimumOfASmallSpace) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Harness harness({.toy = {.stages = 2, .widths = 8}, .population = 16, .seed = seed});
    double best = 0;
    for (const Trial& trial : harness.Run(*harness.Make("nsga2"), 512)) {
      best = std::max(best, harness.spec().Quality(trial.candidate));
    }
    EXPECT_EQ(best, 1) << "seed " << seed;
  }
}

TEST(Nsga2Test, MeasuredConstraintSteersTheSearch) {
  const std::vector<size_t> num_feasible = NumFeasibleByGeneration("nsga2", 10);
  EXPECT_LE(num_feasible.front(), 6U);
  EXPECT_GT(num_feasible.back(), num_feasible.front());
}

}  // namespace
}  // namespace voxbit::search
