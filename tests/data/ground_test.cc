#include "worker/data/lidar/ground.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "common/rng.h"

namespace voxbit::data {
namespace {

// Points every half metre on the surface z(x, y) over a square of `side_m`.
std::vector<float> Surface(double side_m, const std::function<double(double, double)>& z) {
  std::vector<float> points;
  const auto num = static_cast<int>(2 * side_m);
  for (int ix = 0; ix < num; ++ix) {
    for (int iy = 0; iy < num; ++iy) {
      const double x = 0.5 * ix;
      const double y = 0.5 * iy;
      for (const double value : {x, y, z(x, y), 0.0}) points.push_back(static_cast<float>(value));
    }
  }
  return points;
}

TEST(HeightAboveGroundTest, IsZeroOnAGentleSlope) {
  const auto points = Surface(60, [](double x, double y) { return 100 + 0.06 * x - 0.04 * y; });
  for (const float height : HeightAboveGround(points)) {
    // A cell's lowest point lies up to a cell's rise (0.2 m) under its others.
    EXPECT_NEAR(height, 0, 0.25);
  }
}

TEST(HeightAboveGroundTest, SeesAWideRoofAsHigh) {
  const auto is_roof = [](double x, double y) {
    return std::fabs(x - 60) < 25 && std::fabs(y - 60) < 20;
  };
  const auto points =
      Surface(120, [&](double x, double y) { return 0.03 * x + (is_roof(x, y) ? 8.0 : 0.0); });
  const auto heights = HeightAboveGround(points);
  for (size_t i = 0; i < heights.size(); ++i) {
    const double truth = is_roof(points[4 * i], points[4 * i + 1]) ? 8 : 0;
    // Within a cell of the wall the ground is seen on one side only.
    EXPECT_NEAR(heights[i], truth, 0.3) << points[4 * i] << ", " << points[4 * i + 1];
  }
}

TEST(HeightAboveGroundTest, IsNotPulledDownByASinglePointBelowTheGround) {
  auto points = Surface(40, [](double, double) { return 0.0; });
  for (int i = 0; i < 40; ++i) points.insert(points.end(), {20.5F, 20.5F, 0, 0});
  points.insert(points.end(), {20.5F, 20.5F, -30, 0});
  const auto heights = HeightAboveGround(points);
  for (size_t i = 0; i + 1 < heights.size(); ++i) EXPECT_NEAR(heights[i], 0, 0.01);
  EXPECT_NEAR(heights.back(), -30, 0.01);
}

// A hill with bushes, three points in a cell.
std::vector<float> Hill(std::vector<float>& heights) {
  Rng rng(3);
  std::vector<float> points;
  for (int i = 0; i < 3000; ++i) {
    const double x = rng.Uniform(-30, 30);
    const double y = rng.Uniform(-30, 30);
    const double height = rng.Bernoulli(0.5) ? 0 : rng.Uniform(0.8, 3);
    for (const double value : {x, y, 0.12 * x + 0.08 * y + height, 0.0}) {
      points.push_back(static_cast<float>(value));
    }
    heights.push_back(static_cast<float>(height));
  }
  return points;
}

double WorstError(const std::vector<float>& points, const std::vector<float>& heights) {
  const std::vector<float> estimated = HeightAboveGround(points);
  double worst = 0;
  for (size_t i = 0; i < heights.size(); ++i) {
    worst = std::max<double>(worst, std::fabs(estimated[i] - heights[i]));
  }
  return worst;
}

TEST(HeightAboveGroundTest, StrayReturnsChangeLittleWhereverTheyLie) {
  std::vector<float> heights;
  const std::vector<float> hill = Hill(heights);
  const double without = WorstError(hill, heights);
  const std::vector<std::vector<float>> strays = {
      {0, 90000, 0, 0},                   // far away
      {700, 0, 0, 0},                     // not so far
      {0, 0, -40, 0},                     // below the ground
      {-25, 10, -2, 0},                   // a little below
      {5, 5, 90000, 0},                   // above
      {3e38F, 0, 0, 0, 0, -3e38F, 9, 0},  // where float32 ends
      {-6e4F, 9e4F, -800, 0, 5, 2000, 0, 0, 1500, -1500, 40, 0, -7, -7, -300, 0}};
  for (const std::vector<float>& stray : strays) {
    std::vector<float> points = hill;
    points.insert(points.end(), stray.begin(), stray.end());
    // At the edge of the hill the ground beyond it is no longer that of the last cell but filled.
    EXPECT_LT(WorstError(points, heights), without + 0.15) << ::testing::PrintToString(stray);
  }
}

TEST(HeightAboveGroundTest, LargeScansHaveTheGroundOfEachOfTheirParts) {
  // Two slopes, 2 km from one another and 500 m apart in height.
  auto points = Surface(60, [](double x, double) { return 0.1 * x; });
  const auto other = Surface(60, [](double, double y) { return 500 + 0.1 * y; });
  for (size_t i = 0; i < other.size(); i += 4) {
    points.insert(points.end(), {other[i] + 2000, other[i + 1], other[i + 2], 0});
  }
  for (const float height : HeightAboveGround(points)) EXPECT_NEAR(height, 0, 0.3);
}

TEST(HeightAboveGroundTest, CopesWithOnePointWithNoneAndWithAHugeExtent) {
  EXPECT_TRUE(HeightAboveGround({}).empty());
  EXPECT_EQ(HeightAboveGround({5, 6, 7, 0}), std::vector<float>{0});
  const auto heights = HeightAboveGround({0, 0, 1, 0, 50000, 50000, 3, 0});
  // Far from the middle of its 50 m cell a point sees a little of the slope to the other one.
  EXPECT_NEAR(heights[0], 0, 0.05);
  EXPECT_NEAR(heights[1], 0, 0.05);
}

}  // namespace
}  // namespace voxbit::data
