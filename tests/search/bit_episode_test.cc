#include "search/bits/bit_episode.h"

#include <gtest/gtest.h>

namespace voxbit::search {
namespace {

std::vector<BitLayer> ThreeLayers() {
  return {{false, 3, 16, 1, 3, 432, 1024},
          {true, 16, 16, 2, 3, 144, 1024},
          {false, 16, 10, 0, 1, 160, 1}};
}

TEST(BitStateTest, ColumnsAreScaledAndConstantOnesAreZero) {
  std::vector<BitState> rows = {{1, 5, 7}, {3, 5, 7}, {2, 5, 9}};
  NormalizeColumns(rows, false);
  EXPECT_EQ(rows, (std::vector<BitState>{{0, 0, 0}, {1, 0, 0}, {0.5, 0, 1}}));
}

TEST(BitStateTest, PublishedRuleKeepsConstantColumns) {
  std::vector<BitState> rows = {{1, 5, 7}, {3, 5, 7}, {2, 5, 9}};
  NormalizeColumns(rows, true);
  EXPECT_EQ(rows, (std::vector<BitState>{{0, 5, 0}, {1, 5, 0}, {0.5, 5, 1}}));
}

TEST(BitStateTest, SingleLayerHasNothingToCompareWith) {
  std::vector<BitState> rows = RawLayerStates({{false, 3, 16, 1, 3, 432, 1024}});
  EXPECT_EQ(rows, (std::vector<BitState>{{0, 3, 16, 1, 3, 432, 1024, 0}}));
  NormalizeColumns(rows, false);
  EXPECT_EQ(rows, (std::vector<BitState>{{0, 0, 0, 0, 0, 0, 0, 0}}));
}

TEST(BitEpisodeTest, StateHoldsTheShareOfThePreviousBits) {
  BitEpisode episode(ThreeLayers(), AllDecisions(3, LevelRange(1, 8), false), {});
  ASSERT_EQ(episode.state().size(), 9U);
  EXPECT_EQ(episode.state()[8], 1);
  EXPECT_EQ(episode.Step(0.3), 3);
  EXPECT_EQ(episode.state()[0], 1);
  EXPECT_EQ(episode.state()[8], 3.0 / 8);
  episode.Follow(8);
  EXPECT_EQ(episode.state()[7], 1);
  EXPECT_EQ(episode.state()[8], 1);
  const BitState last = episode.state();
  EXPECT_FALSE(episode.IsDone());
  EXPECT_EQ(episode.Step(0), 1);
  EXPECT_TRUE(episode.IsDone());
  EXPECT_EQ(episode.state(), last);
  EXPECT_EQ(episode.bits(), (Bits{3, 8, 1}));
}

TEST(BitEpisodeTest, ResetForgetsTheLastEpisode) {
  BitEpisode episode(ThreeLayers(), AllDecisions(3, LevelRange(2, 8), true),
                     {.with_activations = true});
  std::vector<BitState> first;
  for (int i = 0; i < 6; ++i) {
    first.push_back(episode.state());
    episode.Step(0.1 * i);
  }
  episode.Reset();
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(episode.state(), first[static_cast<size_t>(i)]) << "decision " << i;
    episode.Step(0.1 * i);
  }
}

TEST(BitEpisodeTest, FlagTellsTheDecisionAhead) {
  BitEpisode episode(ThreeLayers(), AllDecisions(3, LevelRange(2, 8), true),
                     {.with_activations = true});
  ASSERT_EQ(episode.state().size(), 10U);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(episode.state()[9], i % 2 == 0 ? 1 : 0) << "decision " << i;
    const int layer = i / 2;  // two decisions each, three layers
    EXPECT_EQ(episode.state()[7], layer / 2.0) << "decision " << i;
    episode.Step(0.5);
  }
}

TEST(BitEpisodeTest, PublishedStatesHoldPlainBitsAndTheFlagOfTheDecisionTaken) {
  BitEpisode plain(ThreeLayers(), AllDecisions(3, LevelRange(1, 8), false),
                   {.haq_bug_compat = true});
  EXPECT_EQ(plain.state()[8], 4);
  EXPECT_EQ(plain.Step(0), 0);
  EXPECT_EQ(plain.state()[8], 0);

  BitEpisode both(ThreeLayers(), AllDecisions(3, LevelRange(2, 8), true),
                  {.with_activations = true, .haq_bug_compat = true});
  EXPECT_EQ(both.state()[9], 1);
  EXPECT_EQ(both.Step(0.3), 4);
  EXPECT_EQ(both.state()[8], 0.5);
  EXPECT_EQ(both.state()[9], 1);
  both.Step(0.9);
  EXPECT_EQ(both.state()[9], 0);
  while (!both.IsDone()) both.Step(0.5);
  both.Reset();
  EXPECT_EQ(both.state()[8], 0.5);  // left from the last episode
}

TEST(BitEpisodeTest, AllowedBitsAreWithinTheLevels) {
  BitEpisode published(ThreeLayers(), AllDecisions(3, LevelRange(1, 7), false),
                       {.haq_bug_compat = true});
  for (const double action : {0.0, 0.5, 1.0}) published.Step(action);
  EXPECT_EQ(published.bits(), (Bits{0, 4, 8}));
  EXPECT_EQ(published.AllowedBits(), (Bits{1, 4, 7}));
}

TEST(BitRewardTest, IsOfPercentsUnlessToldOtherwise) {
  EXPECT_NEAR(BitReward{}.Of(0.6123, 0.70, 1), -0.877, 1e-9);
  EXPECT_NEAR((BitReward{.of_fractions = true}.Of(0.9341, 0.9333, 1)), 8e-5, 1e-12);
  EXPECT_NEAR((BitReward{.add_inverse_ratio = true}.Of(0.5, 0.5, 0.1)), 1.0, 1e-12);
}

}  // namespace
}  // namespace voxbit::search
