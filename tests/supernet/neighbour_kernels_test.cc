// The searches of every instruction set against definitions that are written out here.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/rng.h"
#include "supernet/kernels/ball_query/ball_query.h"
#include "supernet/kernels/fps/fps.h"
#include "supernet/kernels/interpolate/interpolate.h"
#include "supernet/kernels/knn/knn.h"
#include "supernet/kernels/point_tree/point_tree.h"
#include "supernet/kernels/unit_sphere/unit_sphere.h"

namespace voxbit::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<Isa> Isas() {
  std::vector<Isa> isas = {Isa::kRef};
  if (IsaAvailable(Isa::kAvx2)) isas.push_back(Isa::kAvx2);
  return isas;
}

struct Cloud {
  std::string name;
  std::vector<float> xyz;

  int64_t size() const { return static_cast<int64_t>(xyz.size() / 3); }
  const float* At(int64_t i) const { return xyz.data() + 3 * i; }
};

enum class Shape { kVolume, kSphere, kGrid, kSame, kFar };

Cloud MakeCloud(Shape shape, int64_t n, uint64_t seed) {
  Rng rng(seed);
  Cloud cloud;
  cloud.name = "shape " + std::to_string(static_cast<int>(shape)) + ", " + std::to_string(n);
  for (int64_t i = 0; i < n; ++i) {
    std::array<double, 3> p = {rng.Normal(), rng.Normal(), rng.Normal()};
    const double norm = std::sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]);
    for (double& v : p) {
      if (shape == Shape::kSphere) v /= norm;
      if (shape == Shape::kGrid) v = std::round(v);  // ties and duplicates everywhere
      if (shape == Shape::kSame) v = 0.25;
      if (shape == Shape::kFar) v = (i % 3 == 0 ? 3e38 : -3e38) * rng.Uniform();  // overflows
      cloud.xyz.push_back(static_cast<float>(v));
    }
  }
  return cloud;
}

std::vector<Cloud> Clouds() {
  std::vector<Cloud> clouds;
  for (const Shape shape :
       {Shape::kVolume, Shape::kSphere, Shape::kGrid, Shape::kSame, Shape::kFar}) {
    for (const int64_t n : {1, 2, 3, 7, 15, 16, 17, 127, 128, 129, 500, 1031, 2500}) {
      clouds.push_back(MakeCloud(shape, n, static_cast<uint64_t>(n)));
    }
  }
  return clouds;
}

float SquaredDistance(const float* a, const float* b) {
  // volatile: the rounding of every step is part of the definition.
  volatile float x = a[0] - b[0];
  volatile float y = a[1] - b[1];
  volatile float z = a[2] - b[2];
  x = x * x;
  y = y * y;
  z = z * z;
  volatile float sum = x + y;
  sum = sum + z;
  return sum;
}

// All points by (distance, index).
std::vector<std::pair<float, int64_t>> Sorted(const Cloud& cloud, const float* query) {
  std::vector<std::pair<float, int64_t>> all;
  for (int64_t i = 0; i < cloud.size(); ++i) {
    all.emplace_back(SquaredDistance(cloud.At(i), query), i);
  }
  std::sort(all.begin(), all.end());
  return all;
}

TEST(PointTreeTest, HoldsEveryPointOnceInsideItsBoxes) {
  for (const Cloud& cloud : Clouds()) {
    SCOPED_TRACE(cloud.name);
    const PointTree tree(cloud.xyz.data(), cloud.size());
    const PointTreeView& view = tree.view();
    ASSERT_EQ(view.num_nodes[0], (cloud.size() + kLeafPoints - 1) / kLeafPoints);
    ASSERT_LE(view.num_nodes[view.num_levels - 1], 8);
    std::vector<int> seen(static_cast<size_t>(cloud.size()));
    for (int64_t i = 0; i < view.num_nodes[0] * kLeafPoints; ++i) {
      if (i >= cloud.size()) {
        EXPECT_EQ(view.index[i], kNoPoint);
        EXPECT_EQ(view.x[i], kInfinity);
        continue;
      }
      const float* point = cloud.At(view.index[i]);
      ++seen[static_cast<size_t>(view.index[i])];
      const std::array<float, 3> at = {view.x[i], view.y[i], view.z[i]};
      int64_t node = i / kLeafPoints;
      for (int level = 0; level < view.num_levels; ++level, node /= 8) {
        const BoxGroup& group = view.groups[level][node / 8];
        for (size_t axis = 0; axis < 3; ++axis) {
          ASSERT_EQ(at[axis], point[axis]);
          ASSERT_LE(group.low[axis][node % 8], at[axis]);
          ASSERT_GE(group.high[axis][node % 8], at[axis]);
        }
        ASSERT_LE(group.lowest[node % 8], view.index[i]);
      }
    }
    EXPECT_EQ(seen, std::vector<int>(seen.size(), 1));
  }
}

TEST(KnnKernelsTest, FindsTheNearestWithTiesToTheLowerIndex) {
  for (const Cloud& cloud : Clouds()) {
    const PointTree tree(cloud.xyz.data(), cloud.size());
    const Cloud queries = MakeCloud(Shape::kVolume, 5, 99);
    std::vector<float> query = queries.xyz;  // elsewhere, and points of the cloud
    for (int64_t i = 0; i < cloud.size(); i += 1 + cloud.size() / 20) {
      query.insert(query.end(), cloud.At(i), cloud.At(i) + 3);
    }
    const auto m = static_cast<int64_t>(query.size() / 3);
    for (const int64_t wanted : {1, 2, 3, 4, 5, 8, 11, 16, 17, 32, 33, 64, 2500}) {
      const int64_t k = std::min(wanted, cloud.size());
      for (const Isa isa : Isas()) {
        SCOPED_TRACE(cloud.name + ", k " + std::to_string(k) + ", " + IsaName(isa));
        std::vector<int64_t> index(static_cast<size_t>(m * k), -7);
        std::vector<float> squares(index.size());
        KnnKernelsFor(isa).nearest(tree.view(), query.data(), k, 0, m, index.data(),
                                   squares.data());
        for (int64_t q = 0; q < m; ++q) {
          const auto expected = Sorted(cloud, query.data() + 3 * q);
          for (int64_t j = 0; j < k; ++j) {
            const auto at = static_cast<size_t>(q * k + j);
            ASSERT_EQ(index[at], expected[static_cast<size_t>(j)].second) << q << " " << j;
            ASSERT_EQ(squares[at], expected[static_cast<size_t>(j)].first) << q << " " << j;
          }
        }
        if (wanted > cloud.size()) break;
      }
      if (wanted > cloud.size()) break;
    }
  }
}

TEST(KnnKernelsTest, RowsDoNotDependOnHowTheyAreDivided) {
  const Cloud cloud = MakeCloud(Shape::kVolume, 300, 3);
  const PointTree tree(cloud.xyz.data(), cloud.size());
  for (const Isa isa : Isas()) {
    const KnnKernels& knn = KnnKernelsFor(isa);
    std::vector<int64_t> whole(size_t{300} * 9);
    std::vector<int64_t> parts(size_t{300} * 9, -1);
    knn.nearest(tree.view(), cloud.xyz.data(), 9, 0, 300, whole.data(), nullptr);
    knn.nearest(tree.view(), cloud.xyz.data(), 9, 130, 300, parts.data(), nullptr);
    EXPECT_EQ(parts[129 * 9 + 8], -1) << "wrote a row that is not its own";
    knn.nearest(tree.view(), cloud.xyz.data(), 9, 0, 130, parts.data(), nullptr);
    EXPECT_EQ(whole, parts);
  }
}

// By definition: each pick maximises the distance to the picks before it.
std::vector<int64_t> SlowFps(const Cloud& cloud, int64_t num, const FpsOptions& options) {
  const std::array<float, 3> origin = {0, 0, 0};
  std::vector<int64_t> picks = {options.first};
  while (static_cast<int64_t>(picks.size()) < num) {
    float farthest = -1;
    int64_t next = options.first;
    for (int64_t i = 0; i < cloud.size(); ++i) {
      if (options.skip_near_origin && SquaredDistance(cloud.At(i), origin.data()) <= kNearOrigin) {
        continue;
      }
      float nearest = kInfinity;
      for (const int64_t pick : picks) {
        nearest = std::min(nearest, SquaredDistance(cloud.At(i), cloud.At(pick)));
      }
      if (nearest > farthest) {
        farthest = nearest;
        next = i;
      }
    }
    picks.push_back(next);
  }
  return picks;
}

TEST(FpsKernelsTest, PicksTheFarthestWithTiesToTheLowerIndex) {
  for (const Cloud& cloud : Clouds()) {
    const PointTree tree(cloud.xyz.data(), cloud.size());
    for (const bool skip : {false, true}) {
      FpsOptions options;
      options.first = cloud.size() / 3;
      options.skip_near_origin = skip;
      const int64_t num = cloud.size() <= 129 ? cloud.size() : 40;
      const std::vector<int64_t> expected = SlowFps(cloud, num, options);
      for (const Isa isa : Isas()) {
        std::vector<int64_t> picks(expected.size());
        FarthestPointSample(isa, tree.view(), num, options, picks.data());
        EXPECT_EQ(picks, expected) << cloud.name << ", skip " << skip << ", " << IsaName(isa);
      }
    }
  }
}

TEST(FpsKernelsTest, InstructionSetsAgreeWhenEveryPointIsPicked) {
  if (!IsaAvailable(Isa::kAvx2)) return;
  for (const Cloud& cloud : Clouds()) {
    const PointTree tree(cloud.xyz.data(), cloud.size());
    std::vector<int64_t> slow(static_cast<size_t>(cloud.size()));
    std::vector<int64_t> fast(slow.size());
    FarthestPointSample(Isa::kRef, tree.view(), cloud.size(), {}, slow.data());
    FarthestPointSample(Isa::kAvx2, tree.view(), cloud.size(), {}, fast.data());
    EXPECT_EQ(slow, fast) << cloud.name;
  }
}

TEST(FpsKernelsTest, RepeatsTheFirstPointWhenNothingElseMayBePicked) {
  const std::vector<float> xyz = {0.01F, 0, 0, 0, 0.02F, 0, 0, 0, -0.01F};
  const PointTree tree(xyz.data(), 3);
  for (const Isa isa : Isas()) {
    std::vector<int64_t> picks(3);
    FarthestPointSample(isa, tree.view(), 3, {1, true}, picks.data());
    EXPECT_EQ(picks, (std::vector<int64_t>{1, 1, 1})) << IsaName(isa);
  }
}

TEST(BallQueryKernelsTest, KeepsTheLowestIndicesWithinTheRadius) {
  for (const Cloud& cloud : Clouds()) {
    const PointTree tree(cloud.xyz.data(), cloud.size());
    const int64_t m = std::min<int64_t>(cloud.size(), 40);
    for (const float square : {0.0F, 0.01F, 1.0F, 2.0F, 1e4F}) {
      for (const int64_t num : {1, 2, 5, 16, 33}) {
        for (const Isa isa : Isas()) {
          SCOPED_TRACE(cloud.name + ", square " + std::to_string(square) + ", " + IsaName(isa));
          std::vector<int64_t> index(static_cast<size_t>(m * num));
          std::vector<float> query(cloud.xyz.begin(), cloud.xyz.begin() + 3 * m);
          for (size_t i = 0; i < query.size(); i += 7) query[i] += 0.05F;
          BallQueryKernelsFor(isa).within(tree.view(), query.data(), square, num, 0, m,
                                          index.data());
          for (int64_t q = 0; q < m; ++q) {
            std::vector<int64_t> expected;
            for (int64_t i = 0; i < cloud.size(); ++i) {
              if (SquaredDistance(cloud.At(i), query.data() + 3 * q) <= square) {
                expected.push_back(i);
              }
            }
            const int64_t* row = index.data() + q * num;
            if (expected.empty()) {
              ASSERT_EQ(row[0], -1);
              continue;
            }
            const int64_t first = expected[0];
            expected.resize(static_cast<size_t>(num), first);
            ASSERT_EQ(std::vector<int64_t>(row, row + num), expected) << "query " << q;
          }
        }
      }
    }
  }
}

TEST(InterpolateKernelsTest, WeightsFollowTheirFormula) {
  const std::vector<float> squares = {0.25F, 1.0F, 4.0F, 0.0F, 0.0F, 9.0F};
  for (const Isa isa : Isas()) {
    std::vector<float> weights(6);
    InterpolateKernelsFor(isa).weights(squares.data(), 3, false, 0, 2, weights.data());
    EXPECT_NEAR(weights[0], 4.0 / 5.25, 1e-6);
    EXPECT_NEAR(weights[2], 0.25 / 5.25, 1e-6);
    EXPECT_NEAR(weights[3], 0.5, 1e-6);
    EXPECT_NEAR(weights[5], 0.0, 1e-6);
    InterpolateKernelsFor(isa).weights(squares.data(), 3, true, 0, 2, weights.data());
    EXPECT_NEAR(weights[0], 2.0 / 3.5, 1e-6);
    EXPECT_NEAR(weights[2], 0.5 / 3.5, 1e-6);
  }
}

TEST(InterpolateKernelsTest, WeightsOfInfiniteDistancesAreEqual) {
  const std::vector<float> squares = {kInfinity, kInfinity, 1.0F, kInfinity};
  for (const Isa isa : Isas()) {
    std::vector<float> weights(4);
    InterpolateKernelsFor(isa).weights(squares.data(), 2, true, 0, 2, weights.data());
    EXPECT_EQ(weights, (std::vector<float>{0.5F, 0.5F, 1.0F, 0.0F})) << IsaName(isa);
  }
}

TEST(InterpolateKernelsTest, InstructionSetsGiveTheSameBits) {
  if (!IsaAvailable(Isa::kAvx2)) return;
  Rng rng(11);
  const InterpolateKernels& ref = InterpolateKernelsFor(Isa::kRef);
  const InterpolateKernels& fast = InterpolateKernelsFor(Isa::kAvx2);
  for (const int64_t k : {1, 2, 3, 4}) {
    for (const int64_t channels : {0, 1, 3, 8, 13, 64}) {
      const int64_t rows = 37;
      std::vector<float> in(static_cast<size_t>(20 * channels));
      for (float& v : in) v = static_cast<float>(rng.Normal());
      std::vector<float> squares(static_cast<size_t>(rows * k));
      std::vector<int64_t> index(squares.size());
      for (size_t i = 0; i < squares.size(); ++i) {
        squares[i] = static_cast<float>(rng.Uniform());
        index[i] = static_cast<int64_t>(rng.Below(20));
      }
      std::vector<float> weights_a(squares.size());
      std::vector<float> weights_b(squares.size());
      ref.weights(squares.data(), k, true, 0, rows, weights_a.data());
      fast.weights(squares.data(), k, true, 0, rows, weights_b.data());
      ASSERT_EQ(weights_a, weights_b);
      std::vector<float> out_a(static_cast<size_t>(rows * channels));
      std::vector<float> out_b(out_a.size());
      ref.mix(in.data(), index.data(), weights_a.data(), k, channels, 0, rows, out_a.data());
      fast.mix(in.data(), index.data(), weights_b.data(), k, channels, 0, rows, out_b.data());
      ASSERT_EQ(out_a, out_b);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < channels; ++c) {
          double expected = 0;
          for (int64_t j = 0; j < k; ++j) {
            const auto at = static_cast<size_t>(r * k + j);
            expected += static_cast<double>(weights_a[at]) *
                        in[static_cast<size_t>(index[at] * channels + c)];
          }
          ASSERT_NEAR(out_a[static_cast<size_t>(r * channels + c)], expected, 1e-5);
        }
      }
      for (const float* w :
           {static_cast<const float*>(nullptr), static_cast<const float*>(weights_a.data())}) {
        std::vector<float> spread_a(in.size(), 1.0F);
        std::vector<float> spread_b(in.size(), 1.0F);
        std::vector<double> expected(in.size(), 1.0);
        for (int64_t e = 0; e < rows * k; ++e) {
          for (int64_t c = 0; c < channels; ++c) {
            expected[static_cast<size_t>(index[static_cast<size_t>(e)] * channels + c)] +=
                (w == nullptr ? 1.0F : w[e]) * out_a[static_cast<size_t>(e / k * channels + c)];
          }
        }
        const int64_t half = channels / 2;  // in two parts, in either order
        ref.spread(out_a.data(), index.data(), w, k, channels, rows, 0, half, spread_a.data());
        ref.spread(out_a.data(), index.data(), w, k, channels, rows, half, channels,
                   spread_a.data());
        fast.spread(out_a.data(), index.data(), w, k, channels, rows, 0, channels, spread_b.data());
        ASSERT_EQ(spread_a, spread_b);
        for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(spread_a[i], expected[i], 1e-4);
      }
    }
  }
}

TEST(UnitSphereTest, CentresAndScales) {
  std::vector<float> rows = {1, 2, 3, 9, 3, 2, 3, 9, 2, 5, 3, 9};  // a fourth column stays
  ScaleToUnitSphere(rows.data(), 3, 4);
  const double radius = 2.0;  // (2, 5, 3) from the mean (2, 3, 3)
  EXPECT_NEAR(rows[0], -1 / radius, 1e-6);
  EXPECT_NEAR(rows[1], -1 / radius, 1e-6);
  EXPECT_NEAR(rows[9], 1, 1e-6);
  EXPECT_EQ(rows[7], 9);
}

TEST(UnitSphereTest, ACloudWithoutExtentOnlyMoves) {
  std::vector<float> rows = {4, 5, 6, 4, 5, 6};
  ScaleToUnitSphere(rows.data(), 2, 3);
  EXPECT_EQ(rows, std::vector<float>(6, 0.0F));
}

}  // namespace
}  // namespace voxbit::kernels
