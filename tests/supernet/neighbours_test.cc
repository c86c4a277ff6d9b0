#include "supernet/ops/neighbours.h"

#include <gtest/gtest.h>
#include <tbb/global_control.h>
#include <torch/torch.h>

#include <limits>
#include <vector>

#include "supernet/ops/sparse_conv.h"
#include "tests/supernet/test_tensors.h"

namespace voxbit::supernet {
namespace {

// Points with exact ties and duplicates, and without.
std::vector<at::Tensor> SomeClouds(int64_t batches, int64_t n, uint64_t seed) {
  const at::Tensor spread = RandomTensor({batches, n, 3}, seed);
  return {spread, spread.mul(3).round(), at::zeros({batches, n, 3})};
}

TEST(NeighboursTest, BothPathsFindTheSame) {
  for (const int64_t n : {1, 5, 64, 333}) {
    for (const at::Tensor& points : SomeClouds(3, n, static_cast<uint64_t>(n))) {
      const at::Tensor query = at::cat({points.narrow(1, 0, (n + 1) / 2),
                                        RandomTensor({3, 4, 3}, static_cast<uint64_t>(n) + 50)},
                                       1);
      for (const int64_t k : {1, 3, 16, 40}) {
        const Neighbours ours = FindNeighbours(query, points, k);
        const at::Tensor ball = BallQuery(query, points, 0.3, k);
        const at::Tensor picks = FarthestPointSample(points, (n + 3) / 4, n / 2);
        const at::Tensor skipping =
            FarthestPointSample(points, (n + 3) / 4, n / 2, Sampling::kSkipNearOrigin);
        EXPECT_EQ(ours.index.size(2), std::min(k, n));
        const ComputePathGuard guard(ComputePath::kTorch);
        const Neighbours torch = FindNeighbours(query, points, k);
        EXPECT_TRUE(at::equal(ours.index, torch.index)) << n << " " << k;
        EXPECT_TRUE(at::equal(ours.squares, torch.squares)) << n << " " << k;
        EXPECT_TRUE(at::equal(ball, BallQuery(query, points, 0.3, k))) << n << " " << k;
        EXPECT_TRUE(at::equal(picks, FarthestPointSample(points, (n + 3) / 4, n / 2))) << n;
        EXPECT_TRUE(at::equal(
            skipping, FarthestPointSample(points, (n + 3) / 4, n / 2, Sampling::kSkipNearOrigin)))
            << n;
      }
    }
  }
}

TEST(NeighboursTest, OtherTypesFindTheSame) {
  // Multiples of 1/8 below 2 are exact in every type, and so are their squared distances.
  const at::Tensor points = RandomTensor({2, 50, 3}, 4).mul(16).round().div(8);
  const at::Tensor ours = NearestNeighbours(points, points, 7);
  for (const at::ScalarType type : {at::kDouble, at::kHalf, at::kBFloat16}) {
    const at::Tensor other = points.to(type);
    EXPECT_TRUE(at::equal(ours, NearestNeighbours(other, other, 7))) << type;
    EXPECT_TRUE(at::equal(FarthestPointSample(points, 9), FarthestPointSample(other, 9))) << type;
    EXPECT_TRUE(at::equal(BallQuery(points, points, 0.5, 6), BallQuery(other, other, 0.5, 6)))
        << type;
  }
}

TEST(NeighboursTest, ResultsDoNotDependOnTheNumberOfThreads) {
  const at::Tensor points = RandomTensor({3, 2000, 3}, 8);
  const at::Tensor feats = RandomTensor({3, 500, 40}, 9).requires_grad_();
  const auto run = [&] {
    const at::Tensor picks = FarthestPointSample(points, 500);
    const at::Tensor index = NearestNeighbours(points, points, 12);
    const at::Tensor sparse = GatherPoints(points, picks);
    const at::Tensor dense = InterpolateNearest(points, sparse, feats);
    const at::Tensor grouped = GatherPoints(dense, index);
    const at::Tensor grad = torch::autograd::grad({grouped.square().sum()}, {feats})[0];
    return std::vector<at::Tensor>{picks, index, dense, grad};
  };
  const std::vector<at::Tensor> many = run();
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  const std::vector<at::Tensor> single = run();
  for (size_t i = 0; i < many.size(); ++i) EXPECT_TRUE(at::equal(many[i], single[i])) << i;
}

TEST(NeighboursTest, TakesViewsAndPointsWithGradient) {
  const at::Tensor both = RandomTensor({2, 3, 30}, 3);
  const at::Tensor view = both.transpose(1, 2).requires_grad_();
  const at::Tensor index = NearestNeighbours(view, view, 4);
  EXPECT_TRUE(at::equal(index, NearestNeighbours(view.contiguous(), view.contiguous(), 4)));
  EXPECT_FALSE(index.requires_grad());
  EXPECT_TRUE(at::equal(FarthestPointSample(view, 5), FarthestPointSample(view.contiguous(), 5)));
}

TEST(NeighboursTest, EmptyBatchesAndQueries) {
  const at::Tensor none = at::empty({0, 5, 3});
  EXPECT_EQ(NearestNeighbours(none, none, 2).sizes(), at::IntArrayRef({0, 5, 2}));
  EXPECT_EQ(FarthestPointSample(none, 2).sizes(), at::IntArrayRef({0, 2}));
  const at::Tensor points = RandomTensor({2, 5, 3}, 1);
  const at::Tensor no_query = at::empty({2, 0, 3});
  EXPECT_EQ(NearestNeighbours(no_query, points, 9).sizes(), at::IntArrayRef({2, 0, 5}));
  EXPECT_EQ(BallQuery(no_query, points, 1, 9).sizes(), at::IntArrayRef({2, 0, 9}));
  const at::Tensor feats = RandomTensor({2, 5, 4}, 2);
  EXPECT_EQ(InterpolateNearest(no_query, points, feats).sizes(), at::IntArrayRef({2, 0, 4}));
  EXPECT_EQ(GatherPoints(feats, at::empty({2, 0, 3}, at::kLong)).sizes(),
            at::IntArrayRef({2, 0, 3, 4}));
}

TEST(NeighboursTest, RejectsWhatItCannotAnswer) {
  const at::Tensor points = RandomTensor({1, 5, 3}, 1);
  const at::Tensor feats = RandomTensor({1, 5, 2}, 2);
  EXPECT_THROW(FarthestPointSample(points, 6), c10::Error);
  EXPECT_THROW(FarthestPointSample(points, 2, 5), c10::Error);
  EXPECT_THROW(NearestNeighbours(points, points, 0), c10::Error);
  EXPECT_THROW(NearestNeighbours(points, at::empty({1, 0, 3}), 1), c10::Error);
  EXPECT_THROW(BallQuery(points, points, -1, 3), c10::Error);
  EXPECT_THROW(BallQuery(points, points, 1e30, 3), c10::Error);
  EXPECT_THROW(GatherPoints(feats, at::full({1, 1}, 5, at::kLong)), c10::Error);
  EXPECT_THROW(GatherPoints(feats, at::full({1, 1}, -1, at::kLong)), c10::Error);
  EXPECT_THROW(InterpolateNearest(points, points, RandomTensor({1, 4, 2}, 1)), c10::Error);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    at::Tensor broken = points.clone();
    broken[0][3][1] = bad;
    EXPECT_THROW(FarthestPointSample(broken, 2), c10::Error);
    EXPECT_THROW(NearestNeighbours(points, broken, 2), c10::Error);
    EXPECT_THROW(NearestNeighbours(broken, points, 2), c10::Error);
    EXPECT_THROW(BallQuery(broken, points, 1, 2), c10::Error);
  }
}

TEST(BallQueryTest, AnEmptyBallHoldsTheNearestPoint) {
  const at::Tensor points = at::tensor({0.0F, 0.0F, 0.0F, 5.0F, 0.0F, 0.0F}).view({1, 2, 3});
  const at::Tensor query = at::tensor({3.0F, 0.0F, 0.0F}).view({1, 1, 3});
  for (const ComputePath path : {ComputePath::kAuto, ComputePath::kTorch}) {
    const ComputePathGuard guard(path);
    EXPECT_TRUE(at::equal(BallQuery(query, points, 0.5, 3), at::full({1, 1, 3}, 1, at::kLong)));
  }
}

TEST(BallQueryTest, TheRadiusIsInclusive) {
  const at::Tensor points = at::tensor({0.0F, 0.0F, 0.0F, 0.5F, 0.0F, 0.0F}).view({1, 2, 3});
  for (const ComputePath path : {ComputePath::kAuto, ComputePath::kTorch}) {
    const ComputePathGuard guard(path);
    EXPECT_EQ(BallQuery(points, points, 0.5, 2)[0][0][1].item<int64_t>(), 1);
  }
}

TEST(GatherPointsTest, TakesRowsOfItsOwnCloud) {
  const at::Tensor feats = RandomTensor({2, 6, 3}, 5);
  const at::Tensor index = at::tensor({0, 5, 5, 2, 1, 3, 4, 4}, at::kLong).view({2, 2, 2});
  for (const ComputePath path : {ComputePath::kAuto, ComputePath::kTorch}) {
    const ComputePathGuard guard(path);
    const at::Tensor rows = GatherPoints(feats, index);
    EXPECT_TRUE(at::equal(rows[0][1][0], feats[0][5]));
    EXPECT_TRUE(at::equal(rows[1][1][1], feats[1][4]));
  }
}

// Linear in the features: large float32 steps are exact up to rounding.
TEST(GatherPointsTest, GradientMatchesFiniteDifferences) {
  const at::Tensor points = RandomTensor({2, 20, 3}, 6);
  const at::Tensor index = NearestNeighbours(points.narrow(1, 0, 9), points, 4);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const double tolerance = type == at::kFloat ? 1e-5 : 1e-7;
    EXPECT_LT(GradientError([&](const at::Tensor& f) { return GatherPoints(f, index); },
                            RandomTensor({2, 20, 5}, 7, type)),
              tolerance);
  }
}

TEST(GatherPointsTest, GradientAgreesWithTorchOperations) {
  const at::Tensor index = RandomTensor({3, 70, 8}, 8).mul(20).abs().to(at::kLong);
  const at::Tensor feats = RandomTensor({3, 20, 33}, 9).requires_grad_();
  const at::Tensor direction = RandomTensor({3, 70, 8, 33}, 10);
  const at::Tensor ours =
      torch::autograd::grad({GatherPoints(feats, index)}, {feats}, {direction})[0];
  const ComputePathGuard guard(ComputePath::kTorch);
  const at::Tensor torch =
      torch::autograd::grad({GatherPoints(feats, index)}, {feats}, {direction})[0];
  EXPECT_LT(LargestDifference(ours, torch), 1e-4);  // sums of about 28 values
}

TEST(InterpolateNearestTest, BothPathsAgree) {
  const at::Tensor dense = RandomTensor({2, 90, 3}, 11);
  for (const int64_t num : {1, 2, 3, 25}) {
    const at::Tensor sparse = dense.narrow(1, 0, num);
    const at::Tensor feats = RandomTensor({2, num, 11}, 12);
    for (const auto distance :
         {InterpolationDistance::kSquared, InterpolationDistance::kEuclidean}) {
      const at::Tensor ours = InterpolateNearest(dense, sparse, feats, distance);
      const ComputePathGuard guard(ComputePath::kTorch);
      EXPECT_LT(LargestDifference(ours, InterpolateNearest(dense, sparse, feats, distance)), 1e-6);
    }
  }
}

TEST(InterpolateNearestTest, OneSourcePointIsBroadcast) {
  const at::Tensor dense = RandomTensor({2, 7, 3}, 13);
  const at::Tensor feats = RandomTensor({2, 1, 4}, 14);
  EXPECT_TRUE(
      at::equal(InterpolateNearest(dense, dense.narrow(1, 2, 1), feats), feats.expand({2, 7, 4})));
}

TEST(InterpolateNearestTest, AConstantStaysConstantOverDuplicates) {
  const at::Tensor dense = at::zeros({1, 5, 3});
  EXPECT_LT(LargestDifference(InterpolateNearest(dense, dense, at::full({1, 5, 2}, 3.0F)),
                              at::full({1, 5, 2}, 3.0F)),
            1e-6);
}

TEST(InterpolateNearestTest, GradientMatchesFiniteDifferences) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const double tolerance = type == at::kFloat ? 1e-5 : 1e-7;
    const at::Tensor dense = RandomTensor({2, 30, 3}, 15, type);
    for (const int64_t num : {2, 9}) {
      EXPECT_LT(GradientError(
                    [&](const at::Tensor& f) {
                      return InterpolateNearest(dense, dense.narrow(1, 0, num), f);
                    },
                    RandomTensor({2, num, 4}, 16, type)),
                tolerance);
    }
  }
}

}  // namespace
}  // namespace voxbit::supernet
