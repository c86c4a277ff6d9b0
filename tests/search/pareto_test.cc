#include "search/pareto/pareto.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/rng.h"

namespace voxbit::search {
namespace {

using Points = std::vector<std::vector<double>>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A(1,5) B(2,3) C(4,1) D(3,4) E(5,5), both minimised, hence negated.
const Points& Golden() {
  static const Points points = {{-1, -5}, {-2, -3}, {-4, -1}, {-3, -4}, {-5, -5}};
  return points;
}

Points RandomPoints(size_t count, size_t dimensions, Rng& rng) {
  Points points(count);
  for (auto& point : points) {
    // Few different values, so that ties and equal points occur.
    for (size_t m = 0; m < dimensions; ++m) point.push_back(static_cast<double>(rng.Below(6)));
  }
  return points;
}

TEST(ParetoTest, DominanceNeedsOneStrictGain) {
  EXPECT_TRUE(Dominates({1, 2}, {1, 1}));
  EXPECT_FALSE(Dominates({1, 1}, {1, 1}));
  EXPECT_FALSE(Dominates({2, 0}, {1, 1}));
  EXPECT_FALSE(Dominates({1, 1}, {1, 2}));
}

TEST(ParetoTest, RanksOfTheReferenceExample) {
  EXPECT_EQ(NonDominatedRanks(Golden()), (std::vector<int64_t>{0, 0, 0, 1, 2}));
  EXPECT_EQ(FrontIndices(Golden()), (std::vector<int64_t>{0, 1, 2}));
}

TEST(ParetoTest, CrowdingOfTheReferenceExample) {
  const Points front(Golden().begin(), Golden().begin() + 3);
  EXPECT_EQ(CrowdingDistances(front), (std::vector<double>{kInfinity, 2, kInfinity}));
}

TEST(ParetoTest, CrowdingOfSmallAndFlatFronts) {
  EXPECT_TRUE(CrowdingDistances({}).empty());
  EXPECT_EQ(CrowdingDistances({{1, 2}, {2, 1}}), (std::vector<double>{kInfinity, kInfinity}));
  EXPECT_EQ(CrowdingDistances({{1, 1}, {1, 1}, {1, 1}}), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(CrowdingDistances({{1, 5}, {2, 5}, {5, 5}}),
            (std::vector<double>{kInfinity, 1, kInfinity}));
}

TEST(ParetoTest, HypervolumeOfTheReferenceExample) {
  EXPECT_DOUBLE_EQ(Hypervolume(Golden(), {-6, -6}), 17);
}

TEST(ParetoTest, HypervolumeIgnoresPointsThatAreNotAboveTheReference) {
  EXPECT_EQ(Hypervolume({}, {0, 0}), 0);
  EXPECT_EQ(Hypervolume({{5, 0}, {-1, 9}}, {0, 0}), 0);
  EXPECT_DOUBLE_EQ(Hypervolume({{2, 3}, {9, 0}}, {0, 0}), 6);
}

// Volume of a union of boxes by inclusion and exclusion over all subsets of the points.
double UnionVolume(const Points& points, size_t dimensions) {
  double total = 0;
  for (size_t subset = 1; subset < (size_t{1} << points.size()); ++subset) {
    std::vector<double> corner(dimensions, kInfinity);
    double sign = -1;
    for (size_t i = 0; i < points.size(); ++i) {
      if ((subset >> i & 1) == 0) continue;
      sign = -sign;
      for (size_t m = 0; m < dimensions; ++m) corner[m] = std::min(corner[m], points[i][m]);
    }
    double volume = sign;
    for (const double side : corner) volume *= side;
    total += volume;
  }
  return total;
}

TEST(ParetoTest, HypervolumeEqualsInclusionAndExclusion) {
  Rng rng(11);
  for (size_t dimensions = 1; dimensions <= 4; ++dimensions) {
    for (int i = 0; i < 50; ++i) {
      const Points points = RandomPoints(1 + static_cast<size_t>(i % 8), dimensions, rng);
      // Sums of small integers: exact.
      EXPECT_EQ(Hypervolume(points, std::vector<double>(dimensions, 0)),
                UnionVolume(points, dimensions))
          << dimensions << " objectives, case " << i;
    }
  }
}

TEST(ParetoTest, BoxHypervolumeIsAShareOfTheBox) {
  EXPECT_EQ(BoxHypervolume({}, {0, 0}, {1, 1}), 0);
  EXPECT_EQ(BoxHypervolume({{2, 3}, {9, -1}}, {0, 0}, {4, 4}), 0.375);
  EXPECT_EQ(BoxHypervolume({{9, 9}}, {0, 0}, {4, 4}), 1);
  EXPECT_EQ(BoxHypervolume({{-3}}, {-4}, {0}), 0.25);
  Rng rng(17);
  for (size_t dimensions = 1; dimensions <= 4; ++dimensions) {
    for (int i = 0; i < 50; ++i) {
      const Points points = RandomPoints(1 + static_cast<size_t>(i % 8), dimensions, rng);
      EXPECT_NEAR(BoxHypervolume(points, std::vector<double>(dimensions, 0),
                                 std::vector<double>(dimensions, 8)),
                  Hypervolume(points, std::vector<double>(dimensions, 0)) /
                      std::pow(8, static_cast<double>(dimensions)),
                  1e-15);
    }
  }
}

TEST(ParetoTest, BoxHypervolumeNeverFallsAndKnowsNoOrder) {
  Rng rng(18);
  for (int i = 0; i < 200; ++i) {
    const size_t dimensions = 1 + static_cast<size_t>(i % 4);
    const std::vector<double> worst(dimensions, 0.1);
    const std::vector<double> best(dimensions, 0.9);
    Points points;
    double last = 0;
    for (int n = 0; n < 12; ++n) {
      std::vector<double>& point = points.emplace_back();
      for (size_t d = 0; d < dimensions; ++d) point.push_back(rng.Uniform());
      const double now = BoxHypervolume(points, worst, best);
      EXPECT_GE(now, last);
      last = now;
    }
    std::reverse(points.begin(), points.end());
    EXPECT_EQ(BoxHypervolume(points, worst, best), last);
  }
}

TEST(ParetoTest, RanksPeelFrontAfterFront) {
  Rng rng(12);
  for (size_t dimensions = 1; dimensions <= 4; ++dimensions) {
    const Points points = RandomPoints(40, dimensions, rng);
    const std::vector<int64_t> ranks = NonDominatedRanks(points);
    std::vector<size_t> left(points.size());
    for (size_t i = 0; i < left.size(); ++i) left[i] = i;
    for (int64_t rank = 0; !left.empty(); ++rank) {
      Points pool;
      for (const size_t i : left) pool.push_back(points[i]);
      std::vector<size_t> rest;
      const std::vector<int64_t> front = FrontIndices(pool);
      ASSERT_FALSE(front.empty());
      for (size_t i = 0; i < left.size(); ++i) {
        const bool in_front =
            std::find(front.begin(), front.end(), static_cast<int64_t>(i)) != front.end();
        EXPECT_EQ(ranks[left[i]] == rank, in_front);
        if (!in_front) rest.push_back(left[i]);
      }
      left = rest;
    }
  }
}

}  // namespace
}  // namespace voxbit::search
