#include "search/agents/replay_memory.h"

#include <gtest/gtest.h>

#include <set>

namespace voxbit::rl {
namespace {

Transition Step(float reward) { return {{0, 1}, 0.5F, reward, {1, 0}, false}; }

TEST(ReplayMemoryTest, ForgetsTheOldestFirst) {
  ReplayMemory memory(3);
  for (int i = 0; i < 8; ++i) {
    memory.Add(Step(static_cast<float>(i)));
    const int oldest = i < 3 ? 0 : i - 2;
    ASSERT_EQ(memory.size(), static_cast<size_t>(i - oldest + 1));
    for (size_t j = 0; j < memory.size(); ++j) {
      EXPECT_EQ(memory.At(j).reward, static_cast<float>(oldest) + static_cast<float>(j));
    }
  }
}

TEST(ReplayMemoryTest, BatchHoldsNothingTwiceWhileThereIsEnough) {
  ReplayMemory memory(100);
  for (int i = 0; i < 64; ++i) memory.Add(Step(0));
  Rng rng(1);
  const std::vector<size_t> drawn = memory.DrawIndices(64, rng);
  EXPECT_EQ(std::set<size_t>(drawn.begin(), drawn.end()).size(), 64U);
  EXPECT_NE(memory.DrawIndices(64, rng), drawn);
}

TEST(ReplayMemoryTest, SmallMemoryIsDrawnWithRepeats) {
  ReplayMemory memory(100);
  memory.Add(Step(0));
  memory.Add(Step(1));
  Rng rng(1);
  const std::vector<size_t> drawn = memory.DrawIndices(64, rng);
  ASSERT_EQ(drawn.size(), 64U);
  EXPECT_EQ(std::set<size_t>(drawn.begin(), drawn.end()), (std::set<size_t>{0, 1}));
}

TEST(ReplayMemoryTest, EveryTransitionIsDrawnEquallyOften) {
  ReplayMemory memory(10);
  for (int i = 0; i < 10; ++i) memory.Add(Step(0));
  Rng rng(3);
  std::vector<int> counts(10, 0);
  for (int round = 0; round < 4000; ++round) {
    for (const size_t index : memory.DrawIndices(5, rng)) ++counts[index];
  }
  for (const int count : counts) EXPECT_NEAR(count, 2000, 130);  // four standard deviations
}

}  // namespace
}  // namespace voxbit::rl
