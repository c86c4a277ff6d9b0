#include "supernet/nn/elastic.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace voxbit::supernet {
namespace {

constexpr double kMomentum = 0.1;

// What makes the biased variance of some rows, two at least, an unbiased one.
double Unbiased(int64_t rows) { return static_cast<double>(rows) / static_cast<double>(rows - 1); }

void Uniform(at::Tensor& tensor, int64_t fan, at::Generator& generator) {
  const at::NoGradGuard no_grad;
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan));
  tensor.uniform_(-bound, bound, generator);
}

// [..., C] as [N, C], and rows in the leading shape of `like`.
at::Tensor ToRows(const at::Tensor& x) {
  return x.dim() == 2 ? x : x.reshape({x.numel() / std::max<int64_t>(1, x.size(-1)), x.size(-1)});
}

at::Tensor FromRows(const at::Tensor& rows, const at::Tensor& like) {
  if (like.dim() == 2) return rows;
  std::vector<int64_t> shape = like.sizes().vec();
  shape.back() = rows.size(1);
  return rows.view(shape);
}

}  // namespace

ElasticConv::ElasticConv(int64_t in, int64_t out, const ConvOptions& options) : options_(options) {
  const int64_t volume = int64_t{options.kernel[0]} * options.kernel[1] * options.kernel[2];
  fan_ = volume * (options.transposed ? out : in);
  kernel = register_parameter(
      "kernel", volume == 1 ? torch::zeros({in, out}) : torch::zeros({volume, in, out}));
}

SparseTensor ElasticConv::Forward(const SparseTensor& x, const WeightSlice& slice) const {
  const SparseTensor in = x.WithFeats(QuantizedInput(x.feats));
  if (!QuantizesWeight()) return SparseConv3d(in, kernel, at::Tensor(), options_, slice);
  return SparseConv3d(in, QuantizedWeight(slice), at::Tensor(), options_);
}

at::Tensor ElasticConv::ActivePart(const at::Tensor& weight, const WeightSlice& slice) const {
  return ActiveWeight(weight, slice);
}

void ElasticConv::Initialize(at::Generator& generator) { Uniform(kernel, fan_, generator); }

ElasticLinear::ElasticLinear(int64_t in, int64_t out, const LinearForm& form) {
  std::vector<int64_t> shape = {out, in};
  shape.resize(shape.size() + static_cast<size_t>(form.kernel_axes), 1);
  weight = register_parameter("weight", torch::zeros(shape));
  if (form.bias) bias = register_parameter("bias", torch::zeros({out}));
}

at::Tensor ElasticLinear::Forward(const at::Tensor& x, int64_t out) const {
  const at::Tensor rows = ToRows(QuantizedInput(x));
  const at::Tensor matrix =
      QuantizesWeight() ? QuantizedWeight({.in = rows.size(1), .out = out}) : Weight();
  return FromRows(ElasticLinearRows(rows, matrix, bias, out), x);
}

at::Tensor ElasticLinear::ActivePart(const at::Tensor& matrix, const WeightSlice& slice) const {
  return matrix.narrow(0, 0, slice.out).narrow(1, 0, slice.in);
}

void ElasticLinear::Initialize(at::Generator& generator) {
  Uniform(weight, weight.size(1), generator);
  if (bias.defined()) Uniform(bias, weight.size(1), generator);
}

ElasticBatchNorm::ElasticBatchNorm(int64_t channels) {
  weight = register_parameter("weight", torch::ones({channels}));
  bias = register_parameter("bias", torch::zeros({channels}));
  running_mean = register_buffer("running_mean", torch::zeros({channels}));
  running_var = register_buffer("running_var", torch::ones({channels}));
}

at::Tensor ElasticBatchNorm::Forward(const at::Tensor& x, const at::Tensor& residual, bool relu) {
  return FromRows(ForwardRows(ToRows(x), residual.defined() ? ToRows(residual) : residual, relu),
                  x);
}

at::Tensor ElasticBatchNorm::ForwardRows(const at::Tensor& x, const at::Tensor& residual,
                                         bool relu) {
  const int64_t channels = x.size(1);
  NormOptions options;
  options.eps = kBatchNormEps;
  options.relu = relu;
  const bool looks = (is_training() || calibrating_) && x.size(0) > 0;
  if (looks && calibrating_) pooled_.Add(ColumnMoments(x));
  // A single row has no variance.
  const bool is_calibrated = looks && calibrating_ && pooled_.rows > 1;
  if (!looks || (calibrating_ && !is_calibrated)) {
    const BatchMoments running = {running_mean.narrow(0, 0, channels),
                                  running_var.narrow(0, 0, channels), 0};
    return NormalizeRows(x, residual, weight, bias, running, options);
  }
  if (is_calibrated) {
    return NormalizeRows(x, residual, weight, bias, pooled_.moments(), options);
  }
  if (x.size(0) == 1) throw SingleRowError();
  const BatchMoments moments = ColumnMoments(x);
  UpdateRunning(moments);
  options.batch_statistics = true;
  return NormalizeRows(x, residual, weight, bias, moments, options);
}

void ElasticBatchNorm::UpdateRunning(const BatchMoments& moments) {
  const at::NoGradGuard no_grad;
  const int64_t channels = moments.mean.size(0);
  running_mean.narrow(0, 0, channels).mul_(1 - kMomentum).add_(moments.mean, kMomentum);
  running_var.narrow(0, 0, channels)
      .mul_(1 - kMomentum)
      .add_(moments.variance, kMomentum * Unbiased(moments.count));
}

// Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample
// variances (1979), eq. 2.1.
void ElasticBatchNorm::Pooled::Add(const BatchMoments& moments) {
  const at::NoGradGuard no_grad;
  const at::Tensor other_mean = moments.mean.to(at::kDouble);
  const at::Tensor other_squares =
      moments.variance.to(at::kDouble) * static_cast<double>(moments.count);
  if (rows == 0) {
    *this = {moments.count, other_mean, other_squares};
    return;
  }
  const auto before = static_cast<double>(rows);
  rows += moments.count;
  const double share = static_cast<double>(moments.count) / static_cast<double>(rows);
  const at::Tensor delta = other_mean - mean;
  mean = mean + delta * share;
  squares = squares + other_squares + delta.square() * (before * share);
}

BatchMoments ElasticBatchNorm::Pooled::moments() const {
  return {mean.to(at::kFloat), (squares / static_cast<double>(rows)).to(at::kFloat), rows};
}

void ElasticBatchNorm::BeginCalibration() {
  calibrating_ = true;
  pooled_ = {};
}

int64_t ElasticBatchNorm::EndCalibration() {
  const at::NoGradGuard no_grad;
  const Pooled pooled = std::exchange(pooled_, {});
  calibrating_ = false;
  // Of no row where it is inactive in the calibrated candidate.
  if (pooled.rows <= 1) return pooled.rows;
  const int64_t channels = pooled.mean.size(0);
  const auto divisor = static_cast<double>(pooled.rows - 1);
  running_mean.narrow(0, 0, channels).copy_(pooled.mean);
  running_var.narrow(0, 0, channels).copy_(pooled.squares / divisor);
  return pooled.rows;
}

void InitializeLayers(torch::nn::Module& root, uint64_t seed) {
  const at::NoGradGuard no_grad;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const auto& module : root.modules(/*include_self=*/false)) {
    if (auto* conv = module->as<ElasticConv>()) conv->Initialize(generator);
    if (auto* linear = module->as<ElasticLinear>()) linear->Initialize(generator);
    if (auto* norm = module->as<ElasticBatchNorm>()) {
      norm->weight.fill_(1);
      norm->bias.zero_();
      norm->running_mean.zero_();
      norm->running_var.fill_(1);
    }
  }
}

}  // namespace voxbit::supernet
