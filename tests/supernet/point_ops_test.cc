#include "supernet/ops/point_ops.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "supernet/ops/sparse_conv.h"
#include "tests/supernet/test_tensors.h"

namespace voxbit::supernet {
namespace {

// Points around the voxels, some of them in no voxel and some with missing corners.
PointTensor SomePoints(int64_t num, uint64_t seed) {
  at::Tensor coords = RandomTensor({num, 4}, seed).mul_(6);
  coords.select(1, 3).copy_(at::arange(num).remainder(2));
  return MakePointTensor(coords.contiguous(), RandomTensor({num, 3}, seed + 1));
}

SparseTensor SomeVoxels(uint64_t seed) {
  return MakeSparseTensor(RandomVoxels(30, 2, 6, seed, 2), RandomTensor({60, 3}, seed + 1),
                          {2, 2, 2});
}

TEST(PointOpsTest, ForwardAgreesWithTorchOperations) {
  const SparseTensor voxels = SomeVoxels(1);
  const PointTensor points = SomePoints(200, 3);
  const at::Tensor mean = PointToVoxel(voxels, points).feats;
  const at::Tensor interpolated = VoxelToPoint(voxels, points).feats;
  const ComputePathGuard guard(ComputePath::kTorch);
  EXPECT_LT(LargestDifference(mean, PointToVoxel(voxels, points).feats), 1e-6);
  EXPECT_LT(LargestDifference(interpolated, VoxelToPoint(voxels, points).feats), 1e-6);
}

TEST(PointOpsTest, PointsOutsideEveryVoxelAreSkipped) {
  const SparseTensor voxels =
      MakeSparseTensor(at::tensor({0, 0, 0, 0}, at::kInt).view({1, 4}), at::ones({1, 1}));
  const PointTensor points = MakePointTensor(
      at::tensor({0.5F, 0.5F, 0.5F, 0.0F, 9.0F, 9.0F, 9.0F, 0.0F, 0.5F, 0.5F, 0.5F, 1.0F})
          .view({3, 4}),
      at::tensor({2.0F, 100.0F, 100.0F}).view({3, 1}));
  EXPECT_EQ(PointToVoxel(voxels, points).feats.item<float>(), 2.0F);
  const at::Tensor back = VoxelToPoint(voxels, points).feats;
  EXPECT_NEAR(back[0].item<float>(), 1.0F, 1e-6);
  EXPECT_EQ(back[1].item<float>(), 0.0F);
  EXPECT_EQ(back[2].item<float>(), 0.0F);
}

TEST(PointOpsTest, VoxelWithoutPointsIsZero) {
  const SparseTensor voxels = MakeSparseTensor(
      at::tensor({0, 0, 0, 0, 4, 4, 4, 0}, at::kInt).view({2, 4}), at::ones({2, 1}));
  const PointTensor points = MakePointTensor(at::zeros({1, 4}), at::full({1, 1}, 3.0F));
  const at::Tensor mean = PointToVoxel(voxels, points).feats;
  EXPECT_EQ(mean[0].item<float>(), 3.0F);
  EXPECT_EQ(mean[1].item<float>(), 0.0F);
}

TEST(PointOpsTest, IntegerPointsAtStrideOneAreTheirVoxels) {
  const at::Tensor coords = RandomVoxels(40, 2, 6, 5);
  const SparseTensor voxels = MakeSparseTensor(coords, RandomTensor({80, 4}, 6));
  const PointTensor points = MakePointTensor(coords.to(at::kFloat), voxels.feats);
  EXPECT_TRUE(at::equal(VoxelToPoint(voxels, points).feats, voxels.feats));
  EXPECT_TRUE(at::equal(PointToVoxel(voxels, points).feats, voxels.feats));
}

// Both are linear: large float32 steps are exact up to rounding.
TEST(PointOpsTest, GradientsMatchFiniteDifferencesWithMissingCorners) {
  const SparseTensor voxels = SomeVoxels(7);
  const PointTensor points = SomePoints(25, 8);
  const auto map = points.cache->ToPoints(voxels, points.coords);
  ASSERT_GT((map->index < 0).sum().item<int64_t>(), 0) << "no missing corner in this test";
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const double tolerance = type == at::kFloat ? 1e-5 : 1e-7;
    EXPECT_LT(
        GradientError(
            [&](const at::Tensor& f) { return VoxelToPoint(voxels.WithFeats(f), points).feats; },
            voxels.feats.to(type)),
        tolerance);
    EXPECT_LT(
        GradientError(
            [&](const at::Tensor& f) { return PointToVoxel(voxels, points.WithFeats(f)).feats; },
            points.feats.to(type)),
        tolerance);
  }
}

TEST(InitialVoxelizeTest, AveragesThePointsOfAVoxel) {
  const PointTensor points = MakePointTensor(
      at::tensor({0.2F, 0.0F, 0.0F, 0.0F, 1.8F, 0.4F, 0.0F, 0.0F, -0.1F, 0.0F, 0.0F, 0.0F})
          .view({3, 4}),
      at::tensor({1.0F, 3.0F, 7.0F}).view({3, 1}));
  const Voxelized made = InitialVoxelize(points, 0.1, 0.2);
  EXPECT_TRUE(
      at::equal(made.voxels.coords, at::tensor({-1, 0, 0, 0, 0, 0, 0, 0}, at::kInt).view({2, 4})));
  EXPECT_TRUE(at::equal(made.voxels.feats.view({-1}), at::tensor({7.0F, 2.0F})));
  EXPECT_NEAR(made.points.coords[1][0].item<float>(), 0.9F, 1e-6);
}

}  // namespace
}  // namespace voxbit::supernet
