#include "worker/data/lidar/ray_cast.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "worker/data/dataset.h"

namespace voxbit::data {
namespace {

// One level beam without noise and losses, two metres above flat ground.
Scanner Ideal() {
  return {.beams = 1,
          .azimuth_steps = 360,
          .low_rad = 0,
          .high_rad = 0,
          .max_range_m = 50,
          .noise_m = 0,
          .dropout = -1};  // below 0: also no loss over range
}

Street EmptyStreet() {
  Street street;
  street.ground.curb_m = 0;
  street.scanner.position = {0, 0, 2};
  return street;
}

Returns Cast(const Street& street, const Scanner& scanner) {
  Rng rng(1);
  return CastRays(street, scanner, rng);
}

double Range(const Returns& returns, size_t i) {
  return std::hypot(returns.points[4 * i], returns.points[4 * i + 1], returns.points[4 * i + 2]);
}

TEST(CastRaysTest, ALevelRayMeetsNothingOnFlatGround) {
  EXPECT_TRUE(Cast(EmptyStreet(), Ideal()).labels.empty());
}

TEST(CastRaysTest, MeetsFlatGroundWhereTrigonometrySays) {
  Scanner scanner = Ideal();
  scanner.low_rad = -0.2;
  const Returns returns = Cast(EmptyStreet(), scanner);
  ASSERT_EQ(returns.labels.size(), 360U);
  for (size_t i = 0; i < 360; ++i) {
    EXPECT_NEAR(Range(returns, i), 2 / std::sin(0.2), 0.02);  // the march stops 2 mm above
    const double y = returns.points[4 * i + 1];
    if (std::fabs(std::fabs(y) - 4) < 0.1 || std::fabs(std::fabs(y) - 6) < 0.1) continue;
    EXPECT_EQ(returns.labels[i],
              std::fabs(y) < 4 ? kRoad : (std::fabs(y) < 6 ? kSidewalk : kTerrain));
  }
}

TEST(CastRaysTest, FollowsUnevenGround) {
  Street street = EmptyStreet();
  street.ground.waves = {{0.2, 0.2, 0.1, 0.5}};
  Scanner scanner = Ideal();
  scanner.beams = 16;
  scanner.low_rad = -0.5;
  scanner.high_rad = -0.06;
  const Returns returns = Cast(street, scanner);
  ASSERT_EQ(returns.labels.size(), 16U * 360U);
  for (size_t i = 0; i < returns.labels.size(); ++i) {
    const float* point = &returns.points[4 * i];
    EXPECT_NEAR(point[2] + 2, street.ground.Height(point[0], point[1]), 0.01);
  }
}

TEST(CastRaysTest, MeetsEachShapeAtItsSurface) {
  Street street = EmptyStreet();
  street.solids = {
      {Shape::kBox, {10, 0, 2}, {1, 1, 1}, 0, kBuilding, 0.5, 0},
      {Shape::kCylinder, {0, 10, 2}, {0.5, 0.5, 1}, 0, kPole, 0.5, 0},
      {Shape::kEllipsoid, {-10, 0, 2}, {2, 1, 1}, 0, kPerson, 0.5, 0},
      // Turned by a quarter, so that its long side faces the scanner.
      {Shape::kBox, {0, -10, 2}, {3, 1, 1}, std::numbers::pi / 2, kCar, 0.5, 0},
  };
  Scanner scanner = Ideal();
  scanner.azimuth_steps = 4;
  const Returns returns = Cast(street, scanner);
  ASSERT_EQ(returns.labels, (std::vector<int32_t>{kBuilding, kPole, kPerson, kCar}));
  EXPECT_NEAR(Range(returns, 0), 9, 1e-5);
  EXPECT_NEAR(Range(returns, 1), 9.5, 1e-5);
  EXPECT_NEAR(Range(returns, 2), 8, 1e-5);
  EXPECT_NEAR(Range(returns, 3), 7, 1e-5);
}

TEST(CastRaysTest, NearerSolidsHideFartherOnes) {
  Street street = EmptyStreet();
  street.solids = {{Shape::kBox, {30, 0, 2}, {1, 20, 5}, 0, kBuilding, 0.5, 0},
                   {Shape::kBox, {10, 0, 2}, {1, 1, 1}, 0, kCar, 0.5, 0}};
  const Returns returns = Cast(street, Ideal());
  ASSERT_FALSE(returns.labels.empty());
  for (size_t i = 0; i < returns.labels.size(); ++i) {
    const bool behind_car =
        std::fabs(returns.points[4 * i + 1]) < std::fabs(returns.points[4 * i]) / 9 - 0.01;
    EXPECT_EQ(returns.labels[i], behind_car ? kCar : kBuilding);
  }
}

TEST(CastRaysTest, FoliageStopsRaysAtTheGivenRateAndLetsTheRestThrough) {
  Street street = EmptyStreet();
  street.solids = {{Shape::kBox, {10, 0, 2}, {0.5, 40, 1}, 0, kVegetation, 0.5, 1},
                   {Shape::kBox, {20, 0, 2}, {1, 80, 5}, 0, kBuilding, 0.5, 0}};
  Scanner scanner = Ideal();
  scanner.azimuth_steps = 8192;
  const Returns returns = Cast(street, scanner);
  double stopped = 0;
  double straight = 0;
  for (size_t i = 0; i < returns.labels.size(); ++i) {
    if (std::fabs(returns.points[4 * i + 1]) > 0.15 * returns.points[4 * i]) continue;
    ++straight;
    stopped += returns.labels[i] == kVegetation ? 1 : 0;
  }
  ASSERT_GT(straight, 300);
  // One metre of foliage at one per metre; four standard errors, and slanted paths are longer.
  EXPECT_NEAR(stopped / straight, 1 - std::exp(-1.0), 0.1);
}

TEST(CastRaysTest, NothingIsMeasuredBeyondTheRangeOrOnTheOwnCar) {
  Street street = EmptyStreet();
  street.solids = {{Shape::kBox, {60, 0, 2}, {1, 1, 1}, 0, kBuilding, 0.5, 0},
                   {Shape::kBox, {0, 1, 2}, {0.2, 0.2, 0.2}, 0, kCar, 0.5, 0}};
  EXPECT_TRUE(Cast(street, Ideal()).labels.empty());
}

TEST(CastRaysTest, IntensityFallsWithTheAngleOfIncidence) {
  Street street = EmptyStreet();
  street.solids = {{Shape::kBox, {10, 0, 2}, {1, 30, 1}, 0, kBuilding, 0.5, 0}};
  const Returns returns = Cast(street, Ideal());
  double head_on = 0, slanted = 0;
  int num_head_on = 0, num_slanted = 0;
  for (size_t i = 0; i < returns.labels.size(); ++i) {
    const double tangent = std::fabs(returns.points[4 * i + 1] / returns.points[4 * i]);
    if (tangent < 0.3) {
      head_on += returns.points[4 * i + 3];
      ++num_head_on;
    } else if (tangent > 1.5) {
      slanted += returns.points[4 * i + 3];
      ++num_slanted;
    }
  }
  ASSERT_GT(num_head_on, 10);
  ASSERT_GT(num_slanted, 5);
  EXPECT_GT(head_on / num_head_on, 1.2 * slanted / num_slanted);
}

TEST(CastRaysTest, RangeNoiseHasTheGivenStandardDeviation) {
  Street street = EmptyStreet();
  Scanner scanner = Ideal();
  scanner.low_rad = -0.5;
  scanner.azimuth_steps = 4000;
  scanner.noise_m = 0.05;
  const Returns returns = Cast(street, scanner);
  ASSERT_EQ(returns.labels.size(), 4000U);
  double sum = 0;
  for (size_t i = 0; i < 4000; ++i) sum += std::pow(Range(returns, i) - 2 / std::sin(0.5), 2);
  EXPECT_NEAR(std::sqrt(sum / 4000), 0.05, 0.004);  // six standard errors and 2 mm of the march
}

TEST(CastRaysTest, LosesTheGivenShareOfReturns) {
  Street street = EmptyStreet();
  Scanner scanner = Ideal();
  scanner.low_rad = -0.7;  // 3 m away: losses over range are negligible
  scanner.azimuth_steps = 4000;
  scanner.dropout = 0.25;
  EXPECT_NEAR(static_cast<double>(Cast(street, scanner).labels.size()) / 4000, 0.75, 0.035);
}

}  // namespace
}  // namespace voxbit::data
