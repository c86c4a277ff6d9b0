#include "supernet/ops/batch_norm.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "supernet/nn/elastic.h"
#include "supernet/ops/sparse_conv.h"
#include "tests/supernet/test_tensors.h"

namespace voxbit::supernet {
namespace {

TEST(NormalizeRowsTest, ForwardAndGradientsAgreeWithTorch) {
  for (const bool relu : {false, true}) {
    for (const bool with_residual : {false, true}) {
      for (const bool batch : {false, true}) {
        const at::Tensor x = RandomTensor({700, 13}, 1).mul(3).add(5).requires_grad_();
        const at::Tensor residual = RandomTensor({700, 13}, 2).requires_grad_();
        const at::Tensor weight = RandomTensor({20}, 3).add(1.5).requires_grad_();
        const at::Tensor bias = RandomTensor({20}, 4).requires_grad_();
        BatchMoments moments = ColumnMoments(x);
        if (!batch) moments = {at::full({13}, 4.0F), at::full({13}, 2.0F), 0};
        NormOptions options;
        options.relu = relu;
        options.batch_statistics = batch;
        const at::Tensor other = with_residual ? residual : at::Tensor();
        const at::Tensor ours = NormalizeRows(x, other, weight, bias, moments, options);
        at::Tensor theirs;
        {
          const ComputePathGuard guard(ComputePath::kTorch);
          theirs = NormalizeRows(x, other, weight, bias, moments, options);
        }
        EXPECT_LT(LargestDifference(ours, theirs), 2e-5);
        const at::Tensor direction = RandomTensor(x.sizes(), 5);
        std::vector<at::Tensor> inputs = {x, weight, bias};
        if (with_residual) inputs.push_back(residual);
        const auto a = torch::autograd::grad({ours}, inputs, {direction});
        const auto b = torch::autograd::grad({theirs}, inputs, {direction});
        for (size_t i = 0; i < inputs.size(); ++i) {
          const double scale = 1 + b[i].abs().max().item<double>();
          EXPECT_LT(LargestDifference(a[i], b[i]) / scale, 1e-5)
              << "input " << i << " relu " << relu << " residual " << with_residual << " batch "
              << batch;
        }
      }
    }
  }
}

TEST(ElasticBatchNormTest, TrainingUpdatesTheActiveSliceOnly) {
  ElasticBatchNorm norm(6);
  auto reference = torch::nn::BatchNorm1d(4);
  const at::Tensor x = RandomTensor({50, 4}, 6).mul(2).add(1);
  const at::Tensor ours = norm.Forward(x, {}, false);
  EXPECT_LT(LargestDifference(ours, reference(x)), 1e-5);
  EXPECT_LT(LargestDifference(norm.running_mean.narrow(0, 0, 4), reference->running_mean), 1e-6);
  EXPECT_LT(LargestDifference(norm.running_var.narrow(0, 0, 4), reference->running_var), 1e-6);
  EXPECT_TRUE(at::equal(norm.running_mean.narrow(0, 4, 2), at::zeros({2})));
  EXPECT_TRUE(at::equal(norm.running_var.narrow(0, 4, 2), at::ones({2})));
}

TEST(ElasticBatchNormTest, SingleRowAndNoRowsStayFinite) {
  ElasticBatchNorm norm(3);
  EXPECT_TRUE(norm.Forward(RandomTensor({1, 3}, 7), {}, false).isfinite().all().item<bool>());
  EXPECT_EQ(norm.Forward(at::empty({0, 3}), {}, true).size(0), 0);
  EXPECT_TRUE(norm.running_var.isfinite().all().item<bool>());
}

// The OFA rule: sample-weighted means of the batches' means and biased variances.
TEST(ElasticBatchNormTest, CalibrationWritesWeightedMeansIntoTheActiveSlice) {
  ElasticBatchNorm norm(5);
  norm.eval();
  const at::Tensor a = RandomTensor({30, 3}, 8).add(2);
  const at::Tensor b = RandomTensor({10, 3}, 9).mul(4);
  norm.BeginCalibration();
  const at::Tensor normalised = norm.Forward(a, {}, false);
  norm.Forward(b, {}, false);
  norm.EndCalibration();
  EXPECT_LT(normalised.mean(0).abs().max().item<float>(), 1e-5);  // by its own batch's statistics
  const at::Tensor mean = (a.mean(0) * 30 + b.mean(0) * 10) / 40;
  const at::Tensor variance = (a.var(0, false) * 30 + b.var(0, false) * 10) / 40;
  EXPECT_LT(LargestDifference(norm.running_mean.narrow(0, 0, 3), mean), 1e-5);
  EXPECT_LT(LargestDifference(norm.running_var.narrow(0, 0, 3), variance), 1e-5);
  EXPECT_TRUE(at::equal(norm.running_var.narrow(0, 3, 2), at::ones({2})));
}

}  // namespace
}  // namespace voxbit::supernet
