#include "search/bits/bit_baselines.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/rng.h"
#include "tests/search/bit_layers.h"

namespace voxbit::search {
namespace {

class BitBaselinesTest : public ::testing::Test {
 protected:
  std::vector<BitLayer> layers_ = LayersOf({10, 20, 30});
  std::vector<BitDecision> decisions_ = AllDecisions(3, {2, 4, 8}, false);
  BitCost cost_ = WeightSizeCost(layers_, decisions_);
};

TEST_F(BitBaselinesTest, UniformIsTheLargestThatFits) {
  EXPECT_EQ(LargestUniformBits(decisions_, cost_, 1000), (Bits{8, 8, 8}));
  EXPECT_EQ(LargestUniformBits(decisions_, cost_, 479), (Bits{4, 4, 4}));
  EXPECT_EQ(LargestUniformBits(decisions_, cost_, 120), (Bits{2, 2, 2}));
  EXPECT_EQ(LargestUniformBits(decisions_, cost_, 119), std::nullopt);
}

TEST_F(BitBaselinesTest, UniformHonoursTheLevelsOfEachDecision) {
  decisions_[0].levels = {8};
  decisions_[1].levels = {2, 3};
  EXPECT_EQ(LargestUniformBits(decisions_, cost_, 80 + 60 + 120), (Bits{8, 3, 4}));
}

TEST_F(BitBaselinesTest, CutsStartAtTheTailOrTheHead) {
  EXPECT_EQ(TailCutBits(decisions_, cost_, 480), (Bits{8, 8, 8}));
  EXPECT_EQ(TailCutBits(decisions_, cost_, 300), (Bits{8, 8, 2}));
  EXPECT_EQ(TailCutBits(decisions_, cost_, 299), (Bits{8, 2, 2}));
  EXPECT_EQ(HeadCutBits(decisions_, cost_, 420), (Bits{2, 8, 8}));
  EXPECT_EQ(HeadCutBits(decisions_, cost_, 120), (Bits{2, 2, 2}));
  EXPECT_EQ(HeadCutBits(decisions_, cost_, 119), std::nullopt);
}

TEST_F(BitBaselinesTest, GreedyLowersWhatLosesLeastForWhatItSaves) {
  // From 8 to 4 bits, losses for each saved bit of weight: 1/40, 4/80, 3/120.
  const std::vector<std::vector<double>> losses = {{9, 1, 0}, {9, 4, 0}, {9, 2.9, 0}};
  EXPECT_EQ(GreedyBits(decisions_, losses, cost_, 479), (Bits{8, 8, 4}));
  EXPECT_EQ(GreedyBits(decisions_, losses, cost_, 359), (Bits{4, 8, 4}));
  EXPECT_EQ(GreedyBits(decisions_, losses, cost_, 300), (Bits{4, 4, 4}));
  EXPECT_EQ(GreedyBits(decisions_, losses, cost_, 119), std::nullopt);
}

TEST_F(BitBaselinesTest, GreedyTakesFreeStepsFirst) {
  const std::vector<std::vector<double>> losses = {{5, 0, 0}, {5, 0, 0}, {5, 0.001, 0}};
  EXPECT_EQ(GreedyBits(decisions_, losses, cost_, 470), (Bits{8, 4, 8}));
}

TEST(KnapsackTest, ReferenceExample) {
  // 10 and 20 weights at 2 or 4 bits.
  const std::vector<std::vector<BitOption>> options = {{{20, 4}, {40, 1}}, {{40, 3}, {80, 1}}};
  EXPECT_EQ(KnapsackOptions(options, 100), (std::vector<size_t>{1, 0}));
  EXPECT_EQ(KnapsackOptions(options, 119), (std::vector<size_t>{1, 0}));
  EXPECT_EQ(KnapsackOptions(options, 120), (std::vector<size_t>{1, 1}));
  EXPECT_EQ(KnapsackOptions(options, 60), (std::vector<size_t>{0, 0}));
  EXPECT_EQ(KnapsackOptions(options, 59), std::nullopt);
}

TEST(KnapsackTest, EqualErrorsTakeTheCheaper) {
  const std::vector<std::vector<BitOption>> options = {{{4, 1}, {2, 1}, {3, 1}}};
  EXPECT_EQ(KnapsackOptions(options, 10), (std::vector<size_t>{1}));
}

struct Sums {
  double cost = 0;
  double error = 0;
};

Sums SumsOf(const std::vector<std::vector<BitOption>>& options, const std::vector<size_t>& chosen) {
  Sums sums;
  for (size_t i = 0; i < chosen.size(); ++i) {
    sums.cost += options[i][chosen[i]].cost;
    sums.error += options[i][chosen[i]].error;
  }
  return sums;
}

// The smallest error by trying everything.
double BestError(const std::vector<std::vector<BitOption>>& options, double budget) {
  double best = std::numeric_limits<double>::infinity();
  std::vector<size_t> chosen(options.size(), 0);
  while (true) {
    const Sums sums = SumsOf(options, chosen);
    if (sums.cost <= budget && sums.error < best) best = sums.error;
    size_t i = 0;
    while (i < options.size() && ++chosen[i] == options[i].size()) chosen[i++] = 0;
    if (i == options.size()) return best;
  }
}

TEST(KnapsackTest, IntegerCostsGiveTheOptimum) {
  Rng rng(11);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::vector<BitOption>> options(1 + static_cast<size_t>(rng.Below(6)));
    for (auto& choices : options) {
      for (int i = 0; i < 3; ++i) {
        choices.push_back({static_cast<double>(rng.Below(50)), rng.Uniform()});
      }
    }
    const double budget = static_cast<double>(rng.Below(150));
    const double best = BestError(options, budget);
    const auto chosen = KnapsackOptions(options, budget);
    ASSERT_EQ(chosen.has_value(), best < std::numeric_limits<double>::infinity());
    if (!chosen) continue;
    EXPECT_LE(SumsOf(options, *chosen).cost, budget);
    EXPECT_NEAR(SumsOf(options, *chosen).error, best, 1e-12);
  }
}

TEST(KnapsackTest, FewBinsStillKeepTheBudget) {
  Rng rng(12);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::vector<BitOption>> options(5);
    for (auto& choices : options) {
      for (int i = 0; i < 3; ++i) choices.push_back({rng.Uniform(0, 1e6), rng.Uniform()});
    }
    const double budget = rng.Uniform(1e6, 4e6);
    const auto chosen = KnapsackOptions(options, budget, 50);
    const double best = BestError(options, budget);
    ASSERT_EQ(chosen.has_value(), best < std::numeric_limits<double>::infinity());
    if (!chosen) continue;
    EXPECT_LE(SumsOf(options, *chosen).cost, budget);
    EXPECT_GE(SumsOf(options, *chosen).error, best - 1e-12);
  }
}

}  // namespace
}  // namespace voxbit::search
