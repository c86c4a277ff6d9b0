#include "supernet/ops/sparse_conv.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <vector>

#include "supernet/ops/kernel_map.h"
#include "tests/supernet/test_tensors.h"

namespace voxbit::supernet {
namespace {

ConvOptions Cube() { return {}; }
ConvOptions Halving(bool transposed) { return {{2, 2, 2}, {2, 2, 2}, 1, transposed}; }

// A full block of voxels as a dense tensor [batch, channels, x, y, z].
struct Block {
  SparseTensor sparse;
  at::Tensor dense;
};

Block FullBlock(int32_t edge, int64_t channels, int64_t batches) {
  const at::Tensor coords = RandomVoxels(int64_t{edge} * edge * edge, batches, edge, 4);
  // Coordinates from 0, so that the dense index is the coordinate.
  coords.select(1, 0).add_(edge / 2);
  coords.select(1, 1).add_(edge / 3);
  const at::Tensor feats = RandomTensor({coords.size(0), channels}, 5);
  const at::Tensor index = coords.to(at::kLong);
  at::Tensor dense = at::zeros({batches, edge, edge, edge, channels});
  dense.index_put_({index.select(1, 3), index.select(1, 0), index.select(1, 1), index.select(1, 2)},
                   feats);
  return {MakeSparseTensor(coords, feats), dense.permute({0, 4, 1, 2, 3}).contiguous()};
}

// Rows of a dense result at the sparse coordinates divided by the stride.
at::Tensor AtCoords(const at::Tensor& dense, const SparseTensor& x) {
  const at::Tensor index = x.coords.to(at::kLong);
  const int64_t s = x.stride[0];
  using at::indexing::Slice;
  return dense.permute({0, 2, 3, 4, 1})
      .index({index.select(1, 3), at::div(index.select(1, 0), s, "floor"),
              at::div(index.select(1, 1), s, "floor"), at::div(index.select(1, 2), s, "floor")});
}

// Golden test 5: W[(dx+1) + 3 (dy+1) + 9 (dz+1)] is the dense weight at [dx+1, dy+1, dz+1].
TEST(SparseConvTest, CubeEqualsDenseConvolution) {
  const Block block = FullBlock(6, 5, 2);
  const at::Tensor weight = RandomTensor({27, 5, 7}, 6);
  const at::Tensor dense_weight =
      weight.view({3, 3, 3, 5, 7}).permute({4, 3, 2, 1, 0}).contiguous();
  const at::Tensor expected = at::conv3d(block.dense, dense_weight, {}, 1, 1);
  const SparseTensor y = SparseConv3d(block.sparse, weight, {}, Cube());
  EXPECT_LT(LargestDifference(y.feats, AtCoords(expected, y)), 2e-5);
}

// Golden test 6: W[4 dx + 2 dy + dz] is the dense weight at [dx, dy, dz].
TEST(SparseConvTest, HalvingAndItsTransposeEqualDenseConvolutions) {
  const Block block = FullBlock(6, 4, 2);
  const at::Tensor down = RandomTensor({8, 4, 6}, 7);
  const at::Tensor dense_down = down.view({2, 2, 2, 4, 6}).permute({4, 3, 0, 1, 2}).contiguous();
  const at::Tensor coarse = at::conv3d(block.dense, dense_down, {}, 2);
  const SparseTensor y = SparseConv3d(block.sparse, down, {}, Halving(false));
  EXPECT_EQ(y.stride, (Triple{2, 2, 2}));
  EXPECT_LT(LargestDifference(y.feats, AtCoords(coarse, y)), 2e-5);

  const at::Tensor up = RandomTensor({8, 6, 3}, 8);
  const at::Tensor dense_up = up.view({2, 2, 2, 6, 3}).permute({3, 4, 0, 1, 2}).contiguous();
  const at::Tensor fine = at::conv_transpose3d(coarse, dense_up, {}, 2);
  const SparseTensor z = SparseConv3d(y, up, {}, Halving(true));
  EXPECT_EQ(z.stride, (Triple{1, 1, 1}));
  EXPECT_EQ(z.coords.data_ptr(), block.sparse.coords.data_ptr());
  EXPECT_LT(LargestDifference(z.feats, AtCoords(fine, z)), 2e-5);
}

// Golden test 4.
TEST(SparseConvTest, OnesCountTheNeighbours) {
  const at::Tensor coords =
      at::tensor({0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 5, 5, 5, 0}, at::kInt).view({4, 4});
  const SparseTensor x = MakeSparseTensor(coords, at::ones({4, 1}));
  const SparseTensor y = SparseConv3d(x, at::ones({27, 1, 1}), {}, Cube());
  EXPECT_TRUE(at::equal(y.feats.view({-1}), at::tensor({3.0F, 3.0F, 3.0F, 1.0F})));
}

TEST(SparseConvTest, DilationReachesFurther) {
  const at::Tensor coords = at::tensor({0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0}, at::kInt).view({3, 4});
  ConvOptions options;
  options.dilation = 2;
  const SparseTensor x = MakeSparseTensor(coords, at::ones({3, 1}));
  const SparseTensor y = SparseConv3d(x, at::ones({27, 1, 1}), {}, options);
  EXPECT_TRUE(at::equal(y.feats.view({-1}), at::tensor({2.0F, 2.0F, 1.0F})));
}

// Golden test 8.
TEST(SparseConvTest, ShuffledRowsGiveShuffledOutput) {
  const at::Tensor coords = RandomVoxels(60, 2, 6, 9);
  const at::Tensor feats = RandomTensor({120, 6}, 10);
  const at::Tensor weight = RandomTensor({27, 6, 9}, 11);
  const at::Tensor order = at::randperm(120);
  const SparseTensor a = SparseConv3d(MakeSparseTensor(coords, feats), weight, {}, Cube());
  const SparseTensor b =
      SparseConv3d(MakeSparseTensor(coords.index_select(0, order), feats.index_select(0, order)),
                   weight, {}, Cube());
  EXPECT_TRUE(at::equal(a.feats.index_select(0, order), b.feats));
}

TEST(SparseConvTest, BatchesDoNotTouchEachOther) {
  const at::Tensor coords = RandomVoxels(50, 2, 5, 12);
  const at::Tensor feats = RandomTensor({100, 4}, 13);
  const at::Tensor weight = RandomTensor({27, 4, 4}, 14);
  const SparseTensor both = SparseConv3d(MakeSparseTensor(coords, feats), weight, {}, Cube());
  const SparseTensor second =
      SparseConv3d(MakeSparseTensor(coords.narrow(0, 50, 50).contiguous(), feats.narrow(0, 50, 50)),
                   weight, {}, Cube());
  EXPECT_TRUE(at::equal(both.feats.narrow(0, 50, 50), second.feats));
}

TEST(SparseConvTest, EmptyAndSingleVoxelInputs) {
  const at::Tensor weight = RandomTensor({27, 3, 5}, 15).requires_grad_();
  const at::Tensor none = at::empty({0, 3}).requires_grad_();
  const SparseTensor empty = MakeSparseTensor(at::empty({0, 4}, at::kInt), none);
  const SparseTensor y = SparseConv3d(empty, weight, {}, Cube());
  EXPECT_EQ(y.feats.sizes(), (std::vector<int64_t>{0, 5}));
  y.feats.sum().backward();
  EXPECT_EQ(weight.grad().abs().sum().item<float>(), 0.0F);
  EXPECT_EQ(SparseConv3d(empty, RandomTensor({8, 3, 2}, 16), {}, Halving(false)).num_voxels(), 0);

  const at::Tensor one = RandomTensor({1, 3}, 17);
  const SparseTensor single =
      MakeSparseTensor(at::tensor({-7, 3, 2, 0}, at::kInt).view({1, 4}), one);
  const SparseTensor z = SparseConv3d(single, weight, {}, Cube());
  EXPECT_LT(LargestDifference(z.feats, one.mm(weight.select(0, 13))), 1e-6);
}

TEST(SparseConvTest, MisuseIsExplained) {
  const SparseTensor x = MakeSparseTensor(RandomVoxels(5, 1, 4, 18), at::ones({5, 3}));
  EXPECT_THROW(SparseConv3d(x, at::ones({27, 4, 4}), {}, Cube()), c10::Error);
  SparseTensor coarse = x;
  coarse.stride = {2, 2, 2};
  EXPECT_THROW(SparseConv3d(coarse, at::ones({8, 3, 3}), {}, Halving(true)), c10::Error);
  const at::Tensor repeated = at::zeros({2, 4}, at::kInt);
  EXPECT_THROW(MakeSparseTensor(repeated, at::ones({2, 1})), c10::Error);
}

TEST(SparseConvTest, MapsAreBuiltOncePerInput) {
  const SparseTensor x = MakeSparseTensor(RandomVoxels(40, 2, 6, 19), RandomTensor({80, 4}, 20));
  for (int net = 0; net < 3; ++net) {
    const SparseTensor y = SparseConv3d(x, RandomTensor({27, 4, 4 + net}, 21), {}, Cube());
    const SparseTensor z = SparseConv3d(y, RandomTensor({8, 4 + net, 5}, 22), {}, Halving(false));
    SparseConv3d(z, RandomTensor({8, 5, 5}, 23), {}, Halving(true));
    EXPECT_EQ(x.cache->num_maps(), 2);
  }
}

// One case of the two computations: slices, concatenated inputs, transposed and linear layers.
struct PathCase {
  ConvOptions options;
  bool transposed;
  std::vector<int64_t> weight;  // allocated
  WeightSlice slice;
};

std::vector<PathCase> PathCases() {
  return {{Cube(), false, {27, 6, 9}, {6, 9, -1, 0}},
          {Cube(), false, {27, 10, 12}, {5, 7, -1, 0}},
          {Cube(), false, {27, 12, 9}, {7, 4, 3, 8}},
          {{{1, 1, 1}, {1, 1, 1}, 1, false}, false, {12, 9}, {7, 5, 4, 8}},
          {Halving(false), false, {8, 8, 11}, {8, 10, -1, 0}},
          {Halving(true), true, {8, 9, 20}, {6, 17, -1, 0}},
          {{{3, 3, 3}, {2, 2, 2}, 1, false}, false, {27, 4, 5}, {4, 5, -1, 0}},
          {{{3, 1, 3}, {1, 1, 1}, 2, false}, false, {9, 4, 5}, {4, 3, -1, 0}},
          {{{5, 3, 3}, {1, 1, 1}, 1, false}, false, {45, 3, 4}, {3, 4, -1, 0}}};
}

struct Outcome {
  at::Tensor y, dx, dw, dbias;
};

Outcome RunCase(const PathCase& c, ComputePath path, at::ScalarType type) {
  const ComputePathGuard guard(path);
  SparseTensor x = MakeSparseTensor(RandomVoxels(45, 2, 6, 30), at::empty({90, 0}));
  if (c.transposed) {
    x = SparseConv3d(x.WithFeats(at::zeros({90, 1})), at::zeros({8, 1, 1}), {}, Halving(false));
  }
  const at::Tensor feats = RandomTensor({x.num_voxels(), c.slice.in}, 31).to(type).requires_grad_();
  const at::Tensor weight = RandomTensor(c.weight, 32).to(type).requires_grad_();
  const at::Tensor bias = RandomTensor({c.weight.back()}, 33).to(type).requires_grad_();
  const at::Tensor y = SparseConv3d(x.WithFeats(feats), weight, bias, c.options, c.slice).feats;
  y.backward(RandomTensor(y.sizes(), 34).to(type));
  return {y, feats.grad(), weight.grad(), bias.grad()};
}

TEST(SparseConvTest, KernelsAgreeWithTorchOperationsInDouble) {
  for (const PathCase& c : PathCases()) {
    const Outcome ours = RunCase(c, ComputePath::kAuto, at::kFloat);
    const Outcome torch_float = RunCase(c, ComputePath::kTorch, at::kFloat);
    const Outcome exact = RunCase(c, ComputePath::kAuto, at::kDouble);
    for (const Outcome* run : {&ours, &torch_float}) {
      EXPECT_LT(LargestDifference(run->y, exact.y), 3e-5);
      EXPECT_LT(LargestDifference(run->dx, exact.dx), 3e-5);
      EXPECT_LT(LargestDifference(run->dw, exact.dw), 1e-4);
      EXPECT_LT(LargestDifference(run->dbias, exact.dbias), 1e-4);
    }
  }
}

// A convolution is linear in each argument: float32 differences with a large step are exact up to
// rounding.
TEST(SparseConvTest, GradientsMatchFiniteDifferences) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const double tolerance = type == at::kFloat ? 1e-5 : 1e-7;
    const SparseTensor x = MakeSparseTensor(RandomVoxels(12, 2, 4, 40), at::empty({24, 0}));
    const at::Tensor feats = RandomTensor({24, 3}, 41).to(type);
    const at::Tensor weight = RandomTensor({27, 5, 4}, 42).to(type);
    const WeightSlice slice = {3, 2, 1, 3};  // rows 0, 3, 4
    EXPECT_LT(GradientError(
                  [&](const at::Tensor& f) {
                    return SparseConv3d(x.WithFeats(f), weight, {}, Cube(), slice).feats;
                  },
                  feats),
              tolerance);
    EXPECT_LT(GradientError(
                  [&](const at::Tensor& w) {
                    return SparseConv3d(x.WithFeats(feats), w, {}, Cube(), slice).feats;
                  },
                  weight),
              tolerance);
    const at::Tensor down = RandomTensor({8, 3, 2}, 43).to(type);
    const at::Tensor up = RandomTensor({8, 2, 3}, 44).to(type);
    const auto there_and_back = [&](const at::Tensor& f, const at::Tensor& u) {
      const SparseTensor y = SparseConv3d(x.WithFeats(f), down, {}, Halving(false));
      return SparseConv3d(y, u, {}, Halving(true)).feats;
    };
    EXPECT_LT(GradientError([&](const at::Tensor& f) { return there_and_back(f, up); }, feats),
              tolerance);
    EXPECT_LT(GradientError([&](const at::Tensor& u) { return there_and_back(feats, u); }, up),
              tolerance);
  }
}

TEST(ElasticLinearTest, SliceEqualsTorchLinear) {
  const at::Tensor weight = RandomTensor({11, 9}, 50).requires_grad_();
  const at::Tensor bias = RandomTensor({11}, 51).requires_grad_();
  const at::Tensor x = RandomTensor({33, 6}, 52).requires_grad_();
  const at::Tensor y = ElasticLinearRows(x, weight, bias, 7);
  const at::Tensor expected =
      at::linear(x, weight.narrow(0, 0, 7).narrow(1, 0, 6), bias.narrow(0, 0, 7));
  EXPECT_LT(LargestDifference(y, expected), 1e-5);
  const at::Tensor direction = RandomTensor({33, 7}, 53);
  const auto ours = torch::autograd::grad({y}, {x, weight, bias}, {direction});
  const auto theirs = torch::autograd::grad({expected}, {x, weight, bias}, {direction});
  for (size_t i = 0; i < 3; ++i) EXPECT_LT(LargestDifference(ours[i], theirs[i]), 2e-5);
}

}  // namespace
}  // namespace voxbit::supernet
