#include "worker/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace voxbit::train {
namespace {

TEST(ScheduleTest, RisesLinearlyDuringWarmUp) {
  EXPECT_DOUBLE_EQ(LearningRate(0.24, 4, 100, 0), 0.06);
  EXPECT_DOUBLE_EQ(LearningRate(0.24, 4, 100, 1), 0.12);
  EXPECT_DOUBLE_EQ(LearningRate(0.24, 4, 100, 3), 0.24);
}

TEST(ScheduleTest, StartsTheCosineAtTheFullRateAfterWarmUp) {
  EXPECT_DOUBLE_EQ(LearningRate(0.24, 4, 100, 4), 0.24);
  EXPECT_DOUBLE_EQ(LearningRate(0.24, 0, 100, 0), 0.24);
}

TEST(ScheduleTest, HalvesTheRateHalfWayThrough) {
  EXPECT_NEAR(LearningRate(0.24, 0, 100, 50), 0.12, 1e-12);
}

// The published scheduler divides by the whole schedule, not by what follows the warm-up.
TEST(ScheduleTest, EndsAboveZeroWithWarmUp) {
  const double expected = 0.24 * 0.5 * (1 + std::cos(std::numbers::pi * 89 / 100));
  EXPECT_NEAR(LearningRate(0.24, 10, 100, 99), expected, 1e-12);
  EXPECT_GT(expected, 0.24 * 0.5 * (1 + std::cos(std::numbers::pi * 99 / 100)));
}

}  // namespace
}  // namespace voxbit::train
