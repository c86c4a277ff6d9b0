#include "supernet/ops/batch_norm.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <vector>

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

TEST(ElasticBatchNormTest, ASingleRowIsNothingToTrainOn) {
  ElasticBatchNorm norm(3);
  const at::Tensor row = RandomTensor({1, 3}, 7);
  EXPECT_THROW(norm.Forward(row, {}, false), SingleRowError);
  EXPECT_TRUE(at::equal(norm.running_mean, at::zeros({3})));
  EXPECT_TRUE(at::equal(norm.running_var, at::ones({3})));
  norm.eval();
  EXPECT_TRUE(norm.Forward(row, {}, false).isfinite().all().item<bool>());
}

TEST(ElasticBatchNormTest, NoRowsChangeNothing) {
  ElasticBatchNorm norm(3);
  EXPECT_EQ(norm.Forward(at::empty({0, 3}), {}, true).size(0), 0);
  EXPECT_TRUE(at::equal(norm.running_var, at::ones({3})));
}

// Rows [n, 3] far from the origin, whose mean wanders.
at::Tensor WanderingRows(int64_t n) {
  const at::Tensor drift = at::arange(n, at::kFloat).div(50).unsqueeze(1);
  return RandomTensor({n, 3}, 8).mul(at::tensor({1.0F, 0.1F, 4.0F})) + drift + 100;
}

// Calibrates on x, some rows in each pass.
void CalibrateOn(ElasticBatchNorm& norm, const at::Tensor& x,
                 const std::vector<int64_t>& rows_of_passes) {
  norm.eval();
  norm.BeginCalibration();
  int64_t begin = 0;
  for (const int64_t rows : rows_of_passes) {
    norm.Forward(x.narrow(0, begin, rows), {}, false);
    begin += rows;
  }
  EXPECT_EQ(norm.EndCalibration(), x.size(0));
}

TEST(ElasticBatchNormTest, CalibratedStatisticsAreThoseOfAllRowsHoweverTheyAreDivided) {
  const at::Tensor x = WanderingRows(400);
  const at::Tensor exact = x.to(at::kDouble);
  const std::vector<std::vector<int64_t>> divisions = {
      {400}, {200, 200}, {1, 399}, {399, 1}, {7, 150, 1, 2, 240}, std::vector<int64_t>(400, 1)};
  for (const std::vector<int64_t>& division : divisions) {
    ElasticBatchNorm norm(5);
    CalibrateOn(norm, x, division);
    const at::Tensor mean = norm.running_mean.narrow(0, 0, 3).to(at::kDouble);
    const at::Tensor variance = norm.running_var.narrow(0, 0, 3).to(at::kDouble);
    // Single precision, relative to the values: 100 for means, about 5 for variances.
    EXPECT_TRUE(at::allclose(mean, exact.mean(0), 1e-6, 0)) << division.size();
    EXPECT_TRUE(at::allclose(variance, exact.var(0, /*unbiased=*/true), 1e-4, 0))
        << division.size();
    EXPECT_TRUE(at::equal(norm.running_mean.narrow(0, 3, 2), at::zeros({2})));
    EXPECT_TRUE(at::equal(norm.running_var.narrow(0, 3, 2), at::ones({2})));
  }
}

TEST(ElasticBatchNormTest, APassOfCalibrationIsNormalisedByAllRowsSeenSoFar) {
  ElasticBatchNorm norm(3);
  norm.eval();
  const at::Tensor x = WanderingRows(60);
  norm.BeginCalibration();
  const at::Tensor first = norm.Forward(x.narrow(0, 0, 20), {}, false);
  const at::Tensor second = norm.Forward(x.narrow(0, 20, 40), {}, false);
  norm.EndCalibration();
  const auto normalised = [](const at::Tensor& rows, const at::Tensor& seen) {
    return (rows - seen.mean(0)) / (seen.var(0, /*unbiased=*/false) + kBatchNormEps).sqrt();
  };
  EXPECT_LT(LargestDifference(first, normalised(x.narrow(0, 0, 20), x.narrow(0, 0, 20))), 1e-3);
  EXPECT_LT(LargestDifference(second, normalised(x.narrow(0, 20, 40), x)), 1e-3);
}

TEST(ElasticBatchNormTest, CalibrationOnASingleRowIsTold) {
  ElasticBatchNorm norm(3);
  norm.eval();
  norm.BeginCalibration();
  const at::Tensor row = RandomTensor({1, 3}, 7);
  EXPECT_TRUE(at::allclose(norm.Forward(row, {}, false), row, 1e-4, 1e-4)) << "by what it had";
  EXPECT_EQ(norm.EndCalibration(), 1);
  EXPECT_TRUE(at::equal(norm.running_mean, at::zeros({3})));
  EXPECT_TRUE(at::equal(norm.running_var, at::ones({3})));
  norm.BeginCalibration();
  EXPECT_EQ(norm.EndCalibration(), 0);
}

}  // namespace
}  // namespace voxbit::supernet
