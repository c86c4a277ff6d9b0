#include "search/bits/bit_layer.h"

#include <gtest/gtest.h>

namespace voxbit::search {
namespace {

TEST(BitLevelTest, LevelsHaveEqualSharesOfTheActions) {
  for (const std::vector<int64_t>& levels :
       {std::vector<int64_t>{2, 4}, {2, 4, 8}, {1, 2, 3, 4, 5, 6, 7, 8}, {3, 4, 5, 6, 7}}) {
    std::vector<int> counts(levels.size(), 0);
    for (int i = 0; i < 1000; ++i) {
      const int64_t bits = LevelOf(levels, (i + 0.5) / 1000, false);
      for (size_t j = 0; j < levels.size(); ++j) counts[j] += levels[j] == bits ? 1 : 0;
    }
    for (const int count : counts) {
      EXPECT_NEAR(count, 1000.0 / static_cast<double>(levels.size()), 1.0);
    }
  }
}

TEST(BitLevelTest, EndsOfTheActionsAreClamped) {
  EXPECT_EQ(LevelOf(LevelRange(1, 8), 0, false), 1);
  EXPECT_EQ(LevelOf(LevelRange(1, 8), 1, false), 8);
  EXPECT_EQ(LevelOf(LevelRange(3, 7), 0, false), 3);
  EXPECT_EQ(LevelOf(LevelRange(3, 7), 1, false), 7);
  EXPECT_EQ(LevelOf({4}, 0, false), 4);
  EXPECT_EQ(LevelOf({4}, 1, false), 4);
}

TEST(BitLevelTest, PublishedRuleLeavesTheRangeAtItsEnds) {
  EXPECT_EQ(LevelOf(LevelRange(1, 8), 0, true), 0);
  EXPECT_EQ(LevelOf(LevelRange(2, 8), 0, true), 2);
  EXPECT_EQ(LevelOf(LevelRange(2, 8), 1, true), 8);
  EXPECT_EQ(LevelOf(LevelRange(3, 7), 1, true), 8);
  EXPECT_EQ(LevelOf({2, 4}, 1, true), 4);
}

TEST(BitLevelTest, TwoLevelsAreSplitAtAHalf) {
  EXPECT_EQ(LevelOf({2, 4}, 0, false), 2);
  EXPECT_EQ(LevelOf({2, 4}, 0.5, false), 2);
  EXPECT_EQ(LevelOf({2, 4}, 0.5000001, false), 4);
  EXPECT_EQ(LevelOf({2, 4}, 1, false), 4);
}

TEST(BitLevelTest, ActionOfALevelMeansThatLevel) {
  for (const std::vector<int64_t>& levels :
       {std::vector<int64_t>{2, 4}, {2, 4, 8}, {5}, {1, 2, 3, 4, 5, 6, 7, 8}}) {
    for (const int64_t bits : levels) {
      EXPECT_EQ(LevelOf(levels, ActionOf(levels, bits), false), bits);
    }
  }
}

TEST(BitLayerTest, ConvolutionIsReadFromTheLayerTable) {
  LayerSpec layer;
  layer.kind = LayerKind::kSparseConv;
  layer.in_channels = 16;
  layer.out_channels = 32;
  layer.kernel_volume = 27;
  layer.stride = 1;
  layer.workload = Pairs3Key(2);
  Workload workload;
  workload.counts[Pairs3Key(2)] = 1234.5;
  const BitLayer expected{false, 16, 32, 1, 3, int64_t{27} * 16 * 32, 1234.5};
  EXPECT_EQ(BitLayerOf(layer, workload), expected);
}

TEST(BitLayerTest, LinearLayerHasStrideZeroAndKernelOne) {
  LayerSpec layer;
  layer.kind = LayerKind::kLinear;
  layer.in_channels = 8;
  layer.out_channels = 4;
  layer.workload = "nobody counted it";
  const BitLayer expected{false, 8, 4, 0, 1, 32, 0};
  EXPECT_EQ(BitLayerOf(layer, {}), expected);
}

}  // namespace
}  // namespace voxbit::search
