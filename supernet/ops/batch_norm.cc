#include "supernet/ops/batch_norm.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "supernet/kernels/norm/norm.h"
#include "supernet/ops/parallel.h"
#include "supernet/ops/sparse_conv.h"

namespace voxbit::supernet {
namespace {

constexpr int64_t kBlock = 256;        // rows whose sums are taken in float32
constexpr int64_t kApplyGrain = 2048;  // rows of one elementwise task

const kernels::NormKernels& Norm() { return kernels::NormKernelsFor(kernels::ActiveIsa()); }

int64_t Blocks(int64_t rows) { return (rows + kBlock - 1) / kBlock; }

// body(block, first row, last row) over the blocks, in parallel.
template <class Body>
void ForBlocks(int64_t rows, const Body& body) {
  ParallelFor(Blocks(rows), 8, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) body(b, b * kBlock, std::min(rows, (b + 1) * kBlock));
  });
}

BatchMoments KernelMoments(const at::Tensor& x) {
  const int64_t rows = x.size(0);
  const int64_t channels = x.size(1);
  const int64_t blocks = Blocks(rows);
  std::vector<float> mean(static_cast<size_t>(blocks * channels));
  std::vector<float> squares(mean.size());
  const auto* data = x.data_ptr<float>();
  ForBlocks(rows, [&](int64_t block, int64_t begin, int64_t end) {
    Norm().moments(data, channels, begin, end, mean.data() + block * channels,
                   squares.data() + block * channels);
  });
  std::vector<double> total_mean(static_cast<size_t>(channels));
  std::vector<double> total_squares(total_mean.size());
  for (int64_t b = 0; b < blocks; ++b) {  // in order: the same sum whatever the threads did
    kernels::MergeMoments(channels, b * kBlock, total_mean.data(), total_squares.data(),
                          std::min(rows - b * kBlock, kBlock), mean.data() + b * channels,
                          squares.data() + b * channels);
  }
  BatchMoments moments{at::empty({channels}, x.options()), at::empty({channels}, x.options()),
                       rows};
  for (int64_t c = 0; c < channels; ++c) {
    moments.mean.data_ptr<float>()[c] = static_cast<float>(total_mean[c]);
    moments.variance.data_ptr<float>()[c] = static_cast<float>(total_squares[c] / rows);
  }
  return moments;
}

struct NormPlan : torch::CustomClassHolder {
  NormOptions options;
  bool has_residual = false;
};

// Sums of the backward pass, over all rows.
struct GradSums {
  std::vector<double> grad;  // sum of g
  std::vector<double> dot;   // sum of g * (x - mean)
  at::Tensor masked;         // g itself
};

GradSums SumGradients(const at::Tensor& dy, const at::Tensor& y, const at::Tensor& x,
                      const at::Tensor& mean, bool relu) {
  const int64_t rows = x.size(0);
  const int64_t channels = x.size(1);
  GradSums sums;
  sums.masked = relu ? at::empty_like(dy) : dy;
  std::vector<float> grad(static_cast<size_t>(Blocks(rows) * channels));
  std::vector<float> dot(grad.size());
  auto* masked = relu ? sums.masked.data_ptr<float>() : nullptr;
  ForBlocks(rows, [&](int64_t block, int64_t begin, int64_t end) {
    Norm().backward_sums(dy.data_ptr<float>(), y.data_ptr<float>(), x.data_ptr<float>(),
                         mean.data_ptr<float>(), relu, channels, begin, end, masked,
                         grad.data() + block * channels, dot.data() + block * channels);
  });
  sums.grad.assign(static_cast<size_t>(channels), 0.0);
  sums.dot.assign(static_cast<size_t>(channels), 0.0);
  for (size_t i = 0; i < grad.size(); ++i) {
    sums.grad[i % static_cast<size_t>(channels)] += grad[i];
    sums.dot[i % static_cast<size_t>(channels)] += dot[i];
  }
  return sums;
}

// dx = a g + b x + d per channel, from the sums; see Ioffe and Szegedy (2015), section 3.
at::Tensor InputGradient(const GradSums& sums, const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& mean, const at::Tensor& inverse_std,
                         bool batch_statistics) {
  const int64_t rows = x.size(0);
  const int64_t channels = x.size(1);
  std::vector<float> a(static_cast<size_t>(channels));
  std::vector<float> b(a.size());
  std::vector<float> d(a.size());
  for (size_t c = 0; c < a.size(); ++c) {
    const double inverse = inverse_std.data_ptr<float>()[c];
    const double scale = weight.data_ptr<float>()[c] * inverse;
    a[c] = static_cast<float>(scale);
    if (!batch_statistics) continue;
    const double slope = -scale * inverse * inverse * sums.dot[c] / rows;
    b[c] = static_cast<float>(slope);
    d[c] = static_cast<float>(-scale * sums.grad[c] / rows - slope * mean.data_ptr<float>()[c]);
  }
  at::Tensor dx = at::empty_like(x);
  ParallelFor(rows, kApplyGrain, [&](int64_t begin, int64_t end) {
    Norm().backward_apply(sums.masked.data_ptr<float>(), x.data_ptr<float>(), a.data(), b.data(),
                          d.data(), channels, begin, end, dx.data_ptr<float>());
  });
  return dx;
}

class NormFunction : public torch::autograd::Function<NormFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x_any,
                            const c10::optional<at::Tensor>& residual_any, const at::Tensor& weight,
                            const at::Tensor& bias, const at::Tensor& mean,
                            const at::Tensor& variance, const c10::intrusive_ptr<NormPlan>& plan) {
    const at::Tensor x = x_any.contiguous();
    const at::Tensor residual =
        residual_any.has_value() ? residual_any->contiguous() : at::Tensor();
    const int64_t channels = x.size(1);
    at::Tensor inverse_std = at::empty({channels}, x.options());
    std::vector<float> scale(static_cast<size_t>(channels));
    std::vector<float> shift(scale.size());
    for (size_t c = 0; c < scale.size(); ++c) {
      const double inverse =
          1.0 / std::sqrt(double{variance.data_ptr<float>()[c]} + plan->options.eps);
      inverse_std.data_ptr<float>()[c] = static_cast<float>(inverse);
      const double factor = weight.data_ptr<float>()[c] * inverse;
      scale[c] = static_cast<float>(factor);
      shift[c] = static_cast<float>(bias.data_ptr<float>()[c] - factor * mean.data_ptr<float>()[c]);
    }
    at::Tensor y = at::empty_like(x);
    const auto* other = residual.defined() ? residual.data_ptr<float>() : nullptr;
    ParallelFor(x.size(0), kApplyGrain, [&](int64_t begin, int64_t end) {
      Norm().apply(x.data_ptr<float>(), scale.data(), shift.data(), other, plan->options.relu,
                   channels, begin, end, y.data_ptr<float>());
    });
    plan->has_residual = residual.defined();
    ctx->save_for_backward({x, y, weight, mean, inverse_std});
    ctx->saved_data["plan"] = c10::IValue::make_capsule(plan);
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto capsule = ctx->saved_data["plan"].toCapsule();
    const auto& plan = static_cast<const NormPlan&>(*capsule);
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[2];
    const at::Tensor& mean = saved[3];
    const at::Tensor& inverse_std = saved[4];
    const GradSums sums = SumGradients(grads[0].contiguous(), saved[1], x, mean, plan.options.relu);
    const at::Tensor dx =
        InputGradient(sums, x, weight, mean, inverse_std, plan.options.batch_statistics);
    at::Tensor dweight = at::zeros(weight.sizes(), weight.options());
    at::Tensor dbias = at::zeros(weight.sizes(), weight.options());
    for (size_t c = 0; c < sums.grad.size(); ++c) {
      dweight.data_ptr<float>()[c] =
          static_cast<float>(sums.dot[c] * inverse_std.data_ptr<float>()[c]);
      dbias.data_ptr<float>()[c] = static_cast<float>(sums.grad[c]);
    }
    const at::Tensor dresidual = plan.has_residual ? sums.masked : at::Tensor();
    return {dx, dresidual, dweight, dbias, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

at::Tensor TorchNormalize(const at::Tensor& x, const at::Tensor& residual, const at::Tensor& weight,
                          const at::Tensor& bias, const BatchMoments& moments,
                          const NormOptions& options) {
  const int64_t channels = x.size(1);
  const at::Tensor scale = weight.narrow(0, 0, channels);
  const at::Tensor shift = bias.narrow(0, 0, channels);
  at::Tensor y = options.batch_statistics
                     ? at::batch_norm(x, scale, shift, {}, {}, true, 0.0, options.eps, false)
                     : at::batch_norm(x, scale, shift, moments.mean, moments.variance, false, 0.0,
                                      options.eps, false);
  if (residual.defined()) y = y + residual;
  return options.relu ? y.relu() : y;
}

}  // namespace

BatchMoments ColumnMoments(const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  TORCH_CHECK(x.dim() == 2 && x.size(0) > 0, "moments of an empty batch");
  if (UsesKernels(x)) return KernelMoments(x.contiguous());
  auto [variance, mean] = at::var_mean(x, {0}, /*unbiased=*/false);
  return {mean, variance, x.size(0)};
}

at::Tensor NormalizeRows(const at::Tensor& x, const at::Tensor& residual, const at::Tensor& weight,
                         const at::Tensor& bias, const BatchMoments& moments,
                         const NormOptions& options) {
  if (!UsesKernels(x)) return TorchNormalize(x, residual, weight, bias, moments, options);
  auto plan = c10::make_intrusive<NormPlan>();
  plan->options = options;
  // A custom function takes an absent tensor only as an empty optional.
  const c10::optional<at::Tensor> other =
      residual.defined() ? c10::optional<at::Tensor>(residual) : c10::nullopt;
  return NormFunction::apply(x, other, weight, bias, moments.mean.contiguous(),
                             moments.variance.contiguous(), plan);
}

}  // namespace voxbit::supernet
