// What evolutionary search promises beyond the laws of every algorithm.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "search/algorithm/selection.h"
#include "tests/search/harness.h"

namespace voxbit::search {
namespace {

Fitness Result1(int64_t number, double score, double violation = 0) {
  return {number, Candidate{{static_cast<int32_t>(number)}}, violation, {score}};
}

std::vector<int64_t> Numbers(const std::vector<Fitness>& results) {
  std::vector<int64_t> numbers;
  numbers.reserve(results.size());
  for (const Fitness& fitness : results) numbers.push_back(fitness.number);
  return numbers;
}

TEST(SelectionTest, OneObjectiveGivesTheBestByThatObjective) {
  const std::vector<Fitness> all = {Result1(1, 0.2), Result1(2, 0.9), Result1(3, 0.5),
                                    Result1(4, 0.9), Result1(5, 0.1)};
  EXPECT_EQ(Numbers(SelectBest(all, 3)), (std::vector<int64_t>{2, 4, 3}));
  EXPECT_EQ(Numbers(SelectBest(all, 9)), (std::vector<int64_t>{2, 4, 3, 1, 5}));
}

TEST(SelectionTest, ConstraintDominationPutsFeasibleFirst) {
  // Both minimised: feasible (9,9) before (1,1) with violation 0.1 before (0,0) with 0.2.
  const Fitness a{1, Candidate{{1}}, 0.0, {-9, -9}};
  const Fitness b{2, Candidate{{2}}, 0.1, {-1, -1}};
  const Fitness c{3, Candidate{{3}}, 0.2, {0, 0}};
  EXPECT_EQ(Numbers(SelectBest({c, b, a}, 3)), (std::vector<int64_t>{1, 2, 3}));
}

TEST(SelectionTest, SeveralObjectivesAreOrderedByRankThenCrowding) {
  // A(1,5) B(2,3) C(4,1) D(3,4) E(5,5), both minimised; B2 crowds B.
  const std::vector<Fitness> all = {{1, Candidate{{1}}, 0, {-1, -5}},
                                    {2, Candidate{{2}}, 0, {-2, -3}},
                                    {3, Candidate{{3}}, 0, {-4, -1}},
                                    {4, Candidate{{4}}, 0, {-3, -4}},
                                    {5, Candidate{{5}}, 0, {-5, -5}}};
  EXPECT_EQ(Numbers(SelectBest(all, 5)), (std::vector<int64_t>{1, 3, 2, 4, 5}));
}

TEST(SelectionTest, OrderOfTheInputDoesNotMatter) {
  Rng rng(3);
  std::vector<Fitness> all;
  for (int64_t i = 0; i < 40; ++i) {
    all.push_back({i,
                   Candidate{{static_cast<int32_t>(i)}},
                   i % 5 == 0 ? 0.5 : 0.0,
                   {static_cast<double>(rng.Below(5)), static_cast<double>(rng.Below(5))}});
  }
  const std::vector<Fitness> best = SelectBest(all, 20);
  std::reverse(all.begin(), all.end());
  EXPECT_EQ(SelectBest(all, 20), best);
}

TEST(SelectionTest, TrialsWithoutFiniteScoresAreNeverSelected) {
  const Harness harness({});
  const std::vector<Objective> objectives = {{"miou", ""}};
  Trial good = harness.Evaluate({harness.spec().Optimum(), "user"}, 1);
  Trial failed = good;
  failed.state = TrialState::kFailed;
  Trial nan = good;
  nan.measured[{"miou", ""}].value = std::numeric_limits<double>::quiet_NaN();
  Trial missing = good;
  missing.measured.clear();
  std::vector<Fitness> all;
  for (const Trial& trial : {good, failed, nan, missing}) {
    all.push_back(FitnessOf(trial, objectives, {}));
  }
  const std::vector<Fitness> best = SelectBest(all, 4);
  ASSERT_EQ(best.size(), 1U);
  EXPECT_FALSE(all[0].scores.empty());
}

TEST(EvolutionTest, NextGenerationWaitsForTheWholeLast) {
  const Harness harness({.population = 8});
  const auto algorithm = harness.Make("evolution");
  const AskResult first = algorithm->Ask(100);
  ASSERT_EQ(first.proposals.size(), 8U);  // never beyond the generation
  for (size_t i = 0; i < first.proposals.size(); ++i) {
    const AskResult waiting = algorithm->Ask(1);
    EXPECT_TRUE(waiting.proposals.empty());
    EXPECT_FALSE(waiting.exhausted);
    const Trial trial = harness.Evaluate(first.proposals[i], static_cast<int64_t>(i) + 1);
    algorithm->Tell({&trial, 1});
  }
  EXPECT_EQ(algorithm->Ask(100).proposals.size(), 8U);
}

TEST(EvolutionTest, GenerationsAreHalfMutationsAndHalfCrossoversOfTheBest) {
  const Harness harness({.population = 16});
  const auto algorithm = harness.Make("evolution");
  const std::vector<Trial> trials = harness.Run(*algorithm, 48);
  for (size_t generation = 1; generation < 3; ++generation) {
    std::vector<Fitness> told;
    for (size_t i = 0; i < 16 * generation; ++i) {
      told.push_back(FitnessOf(trials[i], {{"miou", ""}}, {}));
    }
    std::set<std::string> parents;
    for (const Fitness& fitness : SelectBest(told, 4)) {
      parents.insert(std::to_string(fitness.number));
    }
    int num_mutations = 0;
    for (size_t i = 16 * generation; i < 16 * (generation + 1); ++i) {
      const std::string& origin = trials[i].origin;
      if (origin.rfind("mutation of ", 0) == 0) {
        ++num_mutations;
        EXPECT_EQ(parents.count(origin.substr(12)), 1U) << origin;
      } else {
        ASSERT_EQ(origin.rfind("crossover of ", 0), 0U) << origin;
        const size_t middle = origin.find(" and ");
        const std::string a = origin.substr(13, middle - 13);
        const std::string b = origin.substr(middle + 5);
        EXPECT_EQ(parents.count(a) + parents.count(b), 2U) << origin;
        EXPECT_NE(a, b);
      }
    }
    EXPECT_EQ(num_mutations, 8);
  }
}

TEST(EvolutionTest, FirstGenerationHoldsTheEndsOfTheTradeOff) {
  const Harness free({.population = 8});
  const auto open = free.Make("evolution")->Ask(8).proposals;
  EXPECT_EQ(open[0].candidate, free.spec().space().Smallest());
  EXPECT_EQ(open[1].candidate, free.spec().space().Largest());

  const Harness tight({.population = 8, .macs_share = 0.3});
  const auto bounded = tight.Make("evolution")->Ask(8).proposals;
  EXPECT_EQ(bounded[0].candidate, tight.spec().space().Smallest());
  EXPECT_EQ(bounded[1].origin, "largest");
  EXPECT_EQ(tight.filter().Violation(bounded[1].candidate), 0);
}

double Best(const Harness& harness, const std::vector<Trial>& trials) {
  double best = 0;
  for (const Trial& trial : trials) {
    best = std::max(best, harness.spec().Quality(trial.candidate));
  }
  return best;
}

TEST(EvolutionTest, BeatsRandomSearchWithEqualEvaluations) {
  constexpr size_t kEvaluations = 256;
  double evolved_sum = 0;
  double random_sum = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Harness harness({.toy = {.stages = 6, .widths = 12}, .population = 16, .seed = seed});
    const double evolved = Best(harness, harness.Run(*harness.Make("evolution"), kEvaluations));
    const double random = Best(harness, harness.Run(*harness.Make("random"), kEvaluations));
    EXPECT_GT(evolved, random) << "seed " << seed;
    evolved_sum += evolved;
    random_sum += random;
  }
  RecordProperty("evolution", std::to_string(evolved_sum / 10));
  RecordProperty("random", std::to_string(random_sum / 10));
  EXPECT_GT(evolved_sum / 10, random_sum / 10 + 0.05);
}

TEST(EvolutionTest, FindsTheKnownOptimumOfASmallSpace) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Harness harness({.toy = {.stages = 2, .widths = 8}, .population = 16, .seed = seed});
    const auto trials = harness.Run(*harness.Make("evolution"), 512);
    EXPECT_EQ(Best(harness, trials), 1) << "seed " << seed;
  }
}

TEST(EvolutionTest, TwoObjectivesGiveABetterFrontThanRandomSearch) {
  double evolved = 0;
  double random = 0;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const Harness harness({.toy = {.stages = 6, .widths = 12},
                           .population = 32,
                           .seed = seed,
                           .objectives = {{"miou", ""}, {"macs", ""}}});
    evolved += FrontVolume(harness, harness.Run(*harness.Make("evolution"), 512)) / 8;
    random += FrontVolume(harness, harness.Run(*harness.Make("random"), 512)) / 8;
  }
  RecordProperty("evolution", std::to_string(evolved));
  RecordProperty("random", std::to_string(random));
  EXPECT_GT(evolved, random + 0.02);
}

TEST(EvolutionTest, MeasuredConstraintSteersTheSearch) {
  const std::vector<size_t> num_feasible = NumFeasibleByGeneration("evolution", 8);
  EXPECT_LE(num_feasible.front(), 6U);
  EXPECT_GT(num_feasible.back(), num_feasible.front());
}

TEST(EvolutionTest, MutationProbabilityZeroStillFindsNewCandidates) {
  Harness harness({.population = 8});
  harness.settings().mutation_probability = 0;
  const auto trials = harness.Run(*harness.Make("evolution"), 64);
  EXPECT_EQ(trials.size(), 64U);
}

}  // namespace
}  // namespace voxbit::search
