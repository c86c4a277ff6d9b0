#include "worker/data/lidar/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "tests/data/data_folders.h"

namespace voxbit::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Scan MakeScan(std::vector<float> points, std::vector<int32_t> labels) {
  Scan scan;
  scan.name = "s";
  scan.source = "folder/s.bin";
  scan.points = std::move(points);
  scan.labels = std::move(labels);
  return scan;
}

LidarSettings Plain(double voxel_m) {
  LidarSettings settings;
  settings.voxel_m = voxel_m;
  settings.rotate = false;
  settings.scale_min = settings.scale_max = 1;
  return settings;
}

// A scan of `num` points, each in a voxel of 1 m of its own, labelled by its number modulo 3.
Scan Line(int64_t num) {
  Scan scan = MakeScan({}, {});
  for (int64_t i = 0; i < num; ++i) {
    const auto x = static_cast<float>(i);
    scan.points.insert(scan.points.end(), {x, 0, 0, x});
    scan.labels.push_back(static_cast<int32_t>(i % 3));
  }
  return scan;
}

TEST(PrepareTest, RoundsHalvesToEvenAndSubtractsTheMinimum) {
  const auto out = Prepare(MakeScan({0.5F, 0, -1, 0, 1.5F, 0, 0, 0, 2.5F, 0, 1, 0}, {0, 0, 0}),
                           Plain(1), nullptr);
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_THAT(out->origin, ElementsAre(0, 0, -1));
  EXPECT_THAT(out->coords, ElementsAre(0, 0, 0, 2, 0, 1, 2, 0, 2));
}

TEST(PrepareTest, DividesInSinglePrecision) {
  // 0.175f / 0.05f is 3.5 in float32, which rounds to 4; in float64 it lies just below.
  const auto out = Prepare(MakeScan({0, 0, 0, 0, 0.175F, 0, 0, 0}, {0, 0}), Plain(0.05), nullptr);
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ(out->coords[3], 4);
}

TEST(PrepareTest, TakesThePointNearestToTheCentreOfAVoxelAndMapsEveryPointToItsRow) {
  const auto out = Prepare(
      MakeScan({2, 0, 0, 0.5F, 0, 0, 0, 0.1F, 2.1F, 0, 0, 0.9F, 0.2F, 0, 0, 0.7F}, {1, 0, 2, 255}),
      Plain(1), nullptr);
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ(out->num_rows(), 2);
  EXPECT_EQ(out->num_points(), 4);
  EXPECT_THAT(out->feats, ElementsAre(0, 0, 0, 0.1F, 2, 0, 0, 0.5F));
  EXPECT_THAT(out->labels, ElementsAre(0, 1));
  EXPECT_THAT(out->inverse, ElementsAre(1, 0, 1, 0));
  EXPECT_THAT(out->point_labels, ElementsAre(1, 0, 2, 255));
}

TEST(PrepareTest, LabelsAVoxelByTheMajorityOfItsLabelledPoints) {
  struct Case {
    std::vector<int32_t> labels;
    int32_t expected;
  };
  for (const Case& one : {Case{{2, 1, 1}, 1}, Case{{2, 1}, 1}, Case{{1, 2}, 1}, Case{{255, 2}, 2},
                          Case{{255, 255, 3}, 3}, Case{{0, 4, 4, 255}, 4}, Case{{255, 255}, 255}}) {
    Scan scan = MakeScan({}, one.labels);
    for (size_t i = 0; i < one.labels.size(); ++i) {
      scan.points.insert(scan.points.end(), {0.1F * static_cast<float>(i), 0, 0, 0});
    }
    const auto out = Prepare(scan, Plain(1), nullptr);
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_THAT(out->labels, ElementsAre(one.expected)) << ::testing::PrintToString(one.labels);
    EXPECT_EQ(out->point_labels, one.labels);
  }
}

// A scan of `num` points in some 120 voxels of 1 m, a third of them without a label.
Scan Crowd(int64_t num) {
  Rng rng(17);
  Scan scan = MakeScan({}, {});
  for (int64_t i = 0; i < num; ++i) {
    for (const double side : {6.0, 5.0, 4.0, 1.0}) {
      // Eighths, so that points at equal distances from a centre and equal points occur.
      scan.points.push_back(static_cast<float>(std::floor(rng.Uniform(0, side) * 8) / 8));
    }
    scan.labels.push_back(rng.Bernoulli(0.3) ? kIgnoredLabel : static_cast<int32_t>(rng.Below(4)));
  }
  return scan;
}

Scan InOrder(const Scan& scan, const std::vector<size_t>& rows) {
  Scan ordered = MakeScan({}, {});
  for (const size_t row : rows) {
    const auto point = scan.points.begin() + static_cast<std::ptrdiff_t>(4 * row);
    ordered.points.insert(ordered.points.end(), point, point + 4);
    ordered.labels.push_back(scan.labels[row]);
  }
  return ordered;
}

TEST(PrepareTest, TheOrderOfThePointsChangesNothing) {
  LidarSettings settings = Plain(1);
  settings.features = {"x", "y", "z", "intensity", "height"};
  settings.rotate = true;
  settings.max_points = 100;
  const Scan scan = Crowd(1500);
  std::vector<size_t> rows(1500);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = i;
  const auto prepare = [&](const Scan& one, bool training) {
    Rng rng(4);
    auto out = Prepare(one, settings, training ? &rng : nullptr);
    EXPECT_TRUE(out.ok()) << out.status();
    return std::move(out).value();
  };
  const auto check = [&] {
    const Scan ordered = InOrder(scan, rows);
    for (const bool training : {false, true}) {
      const PreparedScan expected = prepare(scan, training);
      const PreparedScan out = prepare(ordered, training);
      EXPECT_EQ(out.coords, expected.coords);
      EXPECT_EQ(out.feats, expected.feats);
      EXPECT_EQ(out.labels, expected.labels);
      for (size_t i = 0; i < rows.size(); ++i) {
        EXPECT_EQ(out.inverse[i], expected.inverse[rows[i]]);
      }
    }
  };
  const auto by_label = [&](size_t a, size_t b) { return scan.labels[a] < scan.labels[b]; };
  std::stable_sort(rows.begin(), rows.end(), by_label);
  check();
  std::reverse(rows.begin(), rows.end());
  check();
  Rng rng(9);
  for (size_t i = rows.size() - 1; i > 0; --i) {
    std::swap(rows[i], rows[static_cast<size_t>(rng.Below(static_cast<int64_t>(i) + 1))]);
  }
  check();
}

TEST(PrepareTest, CapsTrainingScansToARandomSubsetWithoutReplacement) {
  LidarSettings settings = Plain(1);
  settings.max_points = 40;
  Rng rng(5);
  const auto first = Prepare(Line(100), settings, &rng);
  const auto second = Prepare(Line(100), settings, &rng);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->num_rows(), 40);
  EXPECT_NE(first->coords, second->coords);
  std::set<int32_t> kept;
  for (size_t row = 0; row < 40; ++row) {
    const int32_t x = first->coords[3 * row];
    kept.insert(x);
    EXPECT_EQ(first->feats[4 * row], static_cast<float>(x));
    EXPECT_EQ(first->labels[row], x % 3);
    EXPECT_EQ(first->inverse[static_cast<size_t>(x)], static_cast<int64_t>(row));
  }
  EXPECT_EQ(kept.size(), 40U);
  int64_t lost = 0;
  for (const int64_t row : first->inverse) lost += row == -1 ? 1 : 0;
  EXPECT_EQ(lost, 60);
}

TEST(PrepareTest, DoesNotCapAValidationScan) {
  LidarSettings settings = Plain(1);
  settings.max_points = 40;
  const auto out = Prepare(Line(100), settings, nullptr);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->num_rows(), 100);
}

TEST(PrepareTest, RotatesAndScalesWithinTheSettingsAndKeepsIntensity) {
  LidarSettings settings;
  settings.voxel_m = 0.01;
  std::set<float> xs;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    const auto out = Prepare(MakeScan({3, 4, 2, 0.25F}, {0}), settings, &rng);
    ASSERT_TRUE(out.ok());
    const double radius = std::hypot(out->feats[0], out->feats[1]);
    const double scale = radius / 5;
    EXPECT_GE(scale, 0.95 - 1e-6);  // float32 coordinates
    EXPECT_LE(scale, 1.05 + 1e-6);
    EXPECT_NEAR(out->feats[2], 2 * scale, 1e-5);
    EXPECT_EQ(out->feats[3], 0.25F);
    xs.insert(out->feats[0]);
  }
  EXPECT_LT(*xs.begin(), -4);
  EXPECT_GT(*xs.rbegin(), 4);
}

TEST(PrepareTest, FlipsHalfOfTheScansWhenAsked) {
  LidarSettings settings = Plain(1);
  settings.flip = true;
  int flipped = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    const auto out = Prepare(MakeScan({3, 4, 2, 0}, {0}), settings, &rng);
    ASSERT_TRUE(out.ok());
    flipped += out->feats[1] == -4 ? 1 : 0;
  }
  EXPECT_NEAR(flipped, 100, 35);  // five standard deviations
}

TEST(PrepareTest, JitterHasTheGivenStandardDeviation) {
  LidarSettings settings = Plain(0.01);
  settings.jitter_m = 0.1;
  Rng rng(3);
  const auto out = Prepare(Line(2000), settings, &rng);
  ASSERT_TRUE(out.ok());
  double sum = 0;
  for (size_t row = 0; row < out->feats.size() / 4; ++row) {
    sum += static_cast<double>(out->feats[4 * row + 1]) * out->feats[4 * row + 1];
  }
  EXPECT_NEAR(std::sqrt(sum / 2000), 0.1, 0.008);  // five standard errors
}

TEST(PrepareTest, EqualSeedsGiveEqualScans) {
  LidarSettings settings;
  settings.voxel_m = 1;
  settings.flip = true;
  settings.jitter_m = 0.1;
  settings.max_points = 50;
  Rng a(11), b(11), c(12);
  const auto first = Prepare(Line(100), settings, &a);
  const auto again = Prepare(Line(100), settings, &b);
  const auto other = Prepare(Line(100), settings, &c);
  ASSERT_TRUE(first.ok() && again.ok() && other.ok());
  EXPECT_EQ(first->coords, again->coords);
  EXPECT_EQ(first->feats, again->feats);
  EXPECT_EQ(first->labels, again->labels);
  EXPECT_EQ(first->inverse, again->inverse);
  EXPECT_NE(first->feats, other->feats);
}

TEST(PrepareTest, CentersOnMeanAndLowestPercentile) {
  LidarSettings settings = Plain(0.5);
  settings.center = true;
  const auto out = Prepare(MakeScan({100, 10, 7, 0, 102, 14, 9, 0}, {0, 0}), settings, nullptr);
  ASSERT_TRUE(out.ok());
  EXPECT_THAT(out->feats, ElementsAre(-1, -2, 0, 0, 1, 2, 2, 0));
}

TEST(PrepareTest, DropsPointsAtTheOriginOnlyWhenAsked) {
  const Scan scan = MakeScan({0, 0, 0, 0, 1, 0, 0, 0.5F, 0, 0, 0, 0}, {0, 1, 0});
  LidarSettings settings = Plain(1);
  EXPECT_EQ(Prepare(scan, settings, nullptr)->num_points(), 3);
  settings.drop_origin = true;
  const auto out = Prepare(scan, settings, nullptr);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->num_points(), 1);
  EXPECT_THAT(out->labels, ElementsAre(1));
  EXPECT_THAT(out->point_labels, ElementsAre(1));
}

TEST(PrepareTest, JudgesOnlyTheColumnsThatAreUsed) {
  Scan scan = MakeScan({0, 0, 0, kNan, 1, 0, 0, kInfinity}, {0, 1});
  scan.extra = {{"returns", {kNan, 1}}};
  LidarSettings settings = Plain(1);
  settings.features = {"x", "y", "z"};
  EXPECT_TRUE(Prepare(scan, settings, nullptr).ok());
  settings.features = {"x", "returns"};
  EXPECT_THAT(Prepare(scan, settings, nullptr).status().message(),
              HasSubstr("folder/s.bin: point 0 has a value of returns that is not finite"));
  settings.features = {"x", "intensity"};
  EXPECT_THAT(Prepare(scan, settings, nullptr).status().message(),
              HasSubstr("folder/s.bin: point 0 has an intensity that is not finite"));
}

TEST(PrepareTest, DropsAndCountsInvalidPointsWhenAsked) {
  const Scan scan =
      MakeScan({kNan, 0, 0, 0, 1, 0, 0, 0.5F, 0, kInfinity, 0, 0, 2, 0, 0, kNan, 3, 0, 0, 0.25F},
               {0, 1, 0, 1, 2});
  LidarSettings settings = Plain(1);
  settings.drop_invalid = true;
  const auto out = Prepare(scan, settings, nullptr);
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ(out->num_points(), 2);
  EXPECT_EQ(out->num_dropped, 3);
  EXPECT_THAT(out->point_labels, ElementsAre(1, 2));
  settings.features = {"x"};
  EXPECT_EQ(Prepare(scan, settings, nullptr)->num_dropped, 2);
}

TEST(PrepareTest, DropsPointsBeyondTheRangeWhenAsked) {
  const Scan scan = MakeScan({3, 4, 0, 0, 3, 4, 1, 0, 1, 1, 1, 0}, {0, 1, 2});
  LidarSettings settings = Plain(1);
  settings.keep_range_m = 5;
  const auto out = Prepare(scan, settings, nullptr);
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_THAT(out->point_labels, ElementsAre(0, 2));
  EXPECT_EQ(out->num_dropped, 1);
  settings.keep_range_m = 1;
  const Status status = Prepare(scan, settings, nullptr).status();
  EXPECT_TRUE(IsEmptyScan(status));
  EXPECT_THAT(status.message(), HasSubstr("folder/s.bin: no point is left"));
  EXPECT_THAT(status.message(), HasSubstr("3 beyond max_range_m = 1"));
}

TEST(PrepareTest, TheRangeOfACentredScanCountsFromItsMiddleWhateverStrays) {
  Scan scan = Line(101);
  for (size_t i = 0; i < scan.points.size(); i += 4) scan.points[i] += 5000;
  scan.points[12] = 3e38F;  // x of the fourth point
  LidarSettings settings = Plain(1);
  settings.center = true;
  settings.keep_range_m = 200;
  const auto out = Prepare(scan, settings, nullptr);
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ(out->num_dropped, 1);
  EXPECT_EQ(out->num_rows(), 100);
  EXPECT_NEAR(out->feats[0], -50, 1);  // centred on what is left
}

TEST(PrepareTest, NamesTheStrayPointOfACentredScanAndNoOther) {
  for (const float stray : {3e38F, -4e7F}) {
    Scan scan = Line(101);
    scan.points[4 * 3 + 1] = stray;
    LidarSettings settings = Plain(1);
    settings.center = true;
    const Status status = Prepare(scan, settings, nullptr).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("folder/s.bin: point 3 lies at"));
    EXPECT_THAT(status.message(), HasSubstr("max_range_m"));
  }
}

TEST(PrepareTest, NamesPointsAsTheFileCountsThem) {
  const Scan scan = MakeScan({0, 0, 0, 0, 2, 0, 0, 0, 2e6F, 0, 0, 0}, {0, 0, 0});
  LidarSettings settings = Plain(1);
  settings.drop_origin = true;
  EXPECT_THAT(Prepare(scan, settings, nullptr).status().message(), HasSubstr("point 2 lies at"));
}

TEST(PrepareTest, RefusesCoordinatesThatFloat32StoresCoarserThanAVoxel) {
  Scan scan = Line(50);
  for (size_t i = 0; i < scan.points.size(); i += 4) scan.points[i + 1] = 6277550.5F;
  LidarSettings settings = Plain(0.1);
  settings.center = true;
  const Status status = Prepare(scan, settings, nullptr).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("folder/s.bin: coordinates around y = 627755"));
  EXPECT_THAT(status.message(), HasSubstr("steps of 0.5 m, where a voxel has 0.1 m"));
  settings.voxel_m = 0.5;
  EXPECT_TRUE(Prepare(scan, settings, nullptr).ok());
}

TEST(PrepareTest, DeliversFeaturesInTheOrderAskedFor) {
  Scan scan = MakeScan({1, 2, 3, 100, 1, 2, 13, 50}, {0, 0});
  scan.extra = {{"returns", {1, 2}}, {"return_ratio", {0.5F, 1}}};
  LidarSettings settings = Plain(1);
  settings.features = {"return_ratio", "intensity", "height", "returns", "z"};
  settings.intensity_scale = 0.01;
  const auto out = Prepare(scan, settings, nullptr);
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_THAT(out->feats, ElementsAre(0.5F, 1, 0, 1, 3, 1, 0.5F, 10, 2, 13));
}

TEST(PrepareTest, ScalesHeightsWithTheAugmentation) {
  LidarSettings settings = Plain(1);
  settings.features = {"height"};
  settings.scale_min = settings.scale_max = 2;
  Rng rng(1);
  const auto out = Prepare(MakeScan({0, 0, 0, 0, 0, 0, 5, 0}, {0, 0}), settings, &rng);
  ASSERT_TRUE(out.ok());
  EXPECT_THAT(out->feats, ElementsAre(0, 10));
}

TEST(PrepareTest, AcceptsAnUnlabelledScanForValidation) {
  const auto out = Prepare(MakeScan({1, 2, 3, 0}, {}), Plain(1), nullptr);
  ASSERT_TRUE(out.ok());
  EXPECT_TRUE(out->labels.empty());
  EXPECT_TRUE(out->point_labels.empty());
}

TEST(PrepareTest, AcceptsIgnoredPointsOnlyForValidation) {
  const Scan scan = MakeScan({1, 2, 3, 0}, {255});
  EXPECT_TRUE(Prepare(scan, Plain(1), nullptr).ok());
  Rng rng(1);
  const auto out = Prepare(scan, Plain(1), &rng);
  ASSERT_FALSE(out.ok());
  EXPECT_THAT(out.status().message(), HasSubstr("folder/s.bin: no point of this training scan"));
  EXPECT_TRUE(IsEmptyScan(out.status()));
}

TEST(PrepareTest, NamesTheScanAndTheFirstBadPoint) {
  struct Case {
    Scan scan;
    std::string message;
  };
  Scan wrong_extra = MakeScan({0, 0, 0, 0}, {0});
  wrong_extra.extra = {{"returns", {1, 2}}};
  const std::vector<Case> cases = {
      {MakeScan({}, {}), "folder/s.bin: the scan has no points"},
      {MakeScan({1, 2, 3}, {}), "expected 4 values a point, found 3 values"},
      {MakeScan({0, 0, 0, 0, 0, kNan, 0, 0, kNan, 0, 0, 0}, {0, 0, 0}),
       "folder/s.bin: point 1 has a coordinate that is not finite"},
      {MakeScan({0, 0, -kInfinity, 0}, {0}), "point 0 has a coordinate that is not finite"},
      {MakeScan({0, 0, 0, kInfinity}, {0}), "point 0 has an intensity that is not finite"},
      {MakeScan({0, 0, 0, 0}, {0, 1}), "1 point but 2 labels"},
      {MakeScan({0, 0, 0, 0, 2e6F, 0, 0, 0}, {0, 0}), "point 1 lies at 2000000"},
      {wrong_extra, "1 point but 2 values of returns"},
  };
  for (const Case& one : cases) {
    const auto out = Prepare(one.scan, Plain(1), nullptr);
    ASSERT_FALSE(out.ok()) << one.message;
    EXPECT_EQ(out.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(out.status().message(), HasSubstr(one.message));
  }
}

TEST(PrepareTest, RefusesAFeatureThatTheScanDoesNotCarry) {
  LidarSettings settings = Plain(1);
  settings.features = {"x", "returns"};
  const auto out = Prepare(MakeScan({0, 0, 0, 0}, {0}), settings, nullptr);
  ASSERT_FALSE(out.ok());
  EXPECT_THAT(out.status().message(), HasSubstr("carries no feature \"returns\""));
}

TEST(QuantizeTest, TellsApartVoxelsAtTheCornersOfTheLargestRange) {
  constexpr int32_t kFar = 2 * kMaxVoxelCoordinate;
  const Quantized voxels =
      Quantize({kFar, kFar, kFar, 0, 0, 0, kFar, 0, 0, 0, kFar, 0, 0, 0, kFar, kFar, kFar, kFar});
  EXPECT_THAT(voxels.first, ElementsAre(1, 4, 3, 2, 0));
  EXPECT_THAT(voxels.inverse, ElementsAre(4, 0, 3, 2, 1, 4));
}

}  // namespace
}  // namespace voxbit::data
