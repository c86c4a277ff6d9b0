#include "search/bits/bit_budget.h"

#include <gtest/gtest.h>

#include "common/rng.h"
#include "tests/search/bit_layers.h"

namespace voxbit::search {
namespace {

struct Wall {
  explicit Wall(const std::vector<int64_t>& weights, const std::vector<int64_t>& levels)
      : layers(LayersOf(weights)),
        decisions(AllDecisions(layers.size(), levels, false)),
        cost(WeightSizeCost(layers, decisions)) {}

  bool Lower(double budget, Bits& bits, const BitWall& wall = {}) const {
    return LowerToBudget(decisions, cost, budget, wall, bits);
  }

  std::vector<BitLayer> layers;
  std::vector<BitDecision> decisions;
  BitCost cost;
};

TEST(BitWallTest, LowersFromTheLastLayerToTheFirst) {
  const Wall wall({10, 10, 10}, LevelRange(2, 8));
  Bits bits = {4, 4, 4};
  EXPECT_TRUE(wall.Lower(100, bits));
  EXPECT_EQ(bits, (Bits{4, 3, 3}));
}

TEST(BitWallTest, TakesTheNextAllowedLevel) {
  const Wall wall({10, 10, 10}, {2, 4});
  for (const auto step : {BitWall::Step::kNextLevel, BitWall::Step::kLowestLevel}) {
    Bits bits = {4, 4, 4};
    EXPECT_TRUE(wall.Lower(100, bits, {.step = step}));
    EXPECT_EQ(bits, (Bits{4, 4, 2}));
  }
}

TEST(BitWallTest, GoesRoundAfterRound) {
  const Wall wall({10, 10}, {2, 4, 8});
  Bits bits = {8, 8};
  EXPECT_TRUE(wall.Lower(60, bits));
  EXPECT_EQ(bits, (Bits{4, 2}));
  bits = {8, 8};
  EXPECT_TRUE(wall.Lower(100, bits, {.step = BitWall::Step::kLowestLevel}));
  EXPECT_EQ(bits, (Bits{8, 2}));
}

TEST(BitWallTest, BudgetThatIsMetExactlyChangesNothing) {
  const Wall wall({10, 10, 10}, LevelRange(1, 8));
  Bits bits = {8, 1, 3};
  EXPECT_TRUE(wall.Lower(120, bits));
  EXPECT_EQ(bits, (Bits{8, 1, 3}));
}

TEST(BitWallTest, EndsWhenTheBudgetCannotBeMet) {
  const Wall wall({10, 10, 10}, LevelRange(2, 8));
  for (const Bits& start : {Bits{8, 8, 8}, Bits{2, 2, 2}, Bits{2, 8, 5}}) {
    Bits bits = start;
    EXPECT_FALSE(wall.Lower(59, bits));
    EXPECT_EQ(bits, (Bits{2, 2, 2}));
  }
  const Wall single({7}, {4});
  Bits bits = {4};
  EXPECT_FALSE(single.Lower(1, bits));
  EXPECT_EQ(bits, (Bits{4}));
}

TEST(BitWallTest, PinnedLayersKeepTheirBitsAndCount) {
  const Wall wall({10, 10, 10}, LevelRange(2, 8));
  const BitWall pins{.pinned = {{0, 8}, {2, 8}}};
  Bits bits = {2, 5, 2};
  EXPECT_TRUE(wall.Lower(190, bits, pins));
  EXPECT_EQ(bits, (Bits{8, 3, 8}));
  bits = {2, 5, 2};
  EXPECT_FALSE(wall.Lower(170, bits, pins));
  EXPECT_EQ(bits, (Bits{8, 2, 8}));
}

TEST(BitWallTest, PublishedWallPinsOnlyWhileItWorks) {
  const Wall wall({10, 10, 10}, LevelRange(2, 8));
  const BitWall pins{.pinned = {{0, 8}, {2, 8}}, .haq_bug_compat = true};
  Bits bits = {2, 5, 2};
  EXPECT_TRUE(wall.Lower(100, bits, pins));
  EXPECT_EQ(bits, (Bits{2, 5, 2}));
  EXPECT_FALSE(wall.Lower(80, bits, pins));
  EXPECT_EQ(bits, (Bits{8, 2, 8}));
}

TEST(BitWallTest, RandomBitsAlwaysEndWithinAFeasibleBudget) {
  Rng rng(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<int64_t> weights;
    for (int64_t i = 0; i <= rng.Below(12); ++i) weights.push_back(1 + rng.Below(1000));
    const Wall wall(weights, round % 2 == 0 ? LevelRange(1, 8) : std::vector<int64_t>{2, 4, 8});
    const std::vector<int64_t>& levels = wall.decisions[0].levels;
    Bits bits;
    for (size_t i = 0; i < weights.size(); ++i) {
      bits.push_back(levels[static_cast<size_t>(rng.Below(static_cast<int64_t>(levels.size())))]);
    }
    const Bits before = bits;
    const double lowest = WeightSize(wall.layers, levels.front());
    const double budget = lowest * rng.Uniform(1, 4);
    ASSERT_TRUE(wall.Lower(budget, bits));
    EXPECT_LE(wall.cost(bits), budget);
    for (size_t i = 0; i < bits.size(); ++i) {
      EXPECT_LE(bits[i], before[i]);
      EXPECT_GE(bits[i], levels.front());
    }
  }
}

TEST(LatencyTableTest, BitsThatAreNotQuantisedCostAsMuchAsTheMost) {
  LatencyTable table{1, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9}};
  EXPECT_EQ(table.At(0, 1, 1), 1);
  EXPECT_EQ(table.At(0, 2, 3), 6);
  EXPECT_EQ(table.At(0, 3, -1), 9);
  EXPECT_EQ(table.At(0, 3, -1, true), 8);
}

TEST(LatencyTableTest, CostIsTheSumOverTheLayers) {
  const LatencyTable table{2, 2, {1, 2, 3, 4, 10, 20, 30, 40}};
  const auto decisions = AllDecisions(2, LevelRange(1, 2), true);
  const BitCost cost = LatencyCost(table, decisions);
  EXPECT_EQ(cost({2, 1, 1, 2}), 3 + 20);
  Bits bits = {2, 2, 2, 2};
  EXPECT_TRUE(LowerToBudget(decisions, cost, 34, {}, bits));
  EXPECT_EQ(bits, (Bits{2, 2, 2, 1}));  // the activation of the last layer goes first
  bits = {2, 2, 2, 2};
  EXPECT_TRUE(LowerToBudget(decisions, cost, 14, {}, bits));
  EXPECT_EQ(bits, (Bits{2, 2, 1, 1}));
}

}  // namespace
}  // namespace voxbit::search
