#include "tests/supernet/test_tensors.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <algorithm>

#include <utility>
#include <vector>

#include "common/rng.h"

namespace voxbit::supernet {

at::Tensor RandomVoxels(int64_t num, int64_t batches, int32_t edge, uint64_t seed, int32_t stride) {
  Rng rng(seed);
  const int64_t cells = int64_t{edge} * edge * edge;
  at::Tensor coords = at::empty({num * batches, 4}, at::kInt);
  auto* row = coords.data_ptr<int32_t>();
  for (int64_t b = 0; b < batches; ++b) {
    std::vector<int32_t> order(static_cast<size_t>(cells));
    for (int64_t i = 0; i < cells; ++i) order[i] = static_cast<int32_t>(i);
    for (int64_t i = 0; i < num; ++i, row += 4) {
      std::swap(order[i], order[i + rng.Below(cells - i)]);
      const int32_t cell = order[i];
      row[0] = (cell % edge - edge / 2) * stride;
      row[1] = (cell / edge % edge - edge / 3) * stride;
      row[2] = cell / edge / edge * stride;
      row[3] = static_cast<int32_t>(b);
    }
  }
  return coords;
}

at::Tensor RandomTensor(at::IntArrayRef shape, uint64_t seed, at::ScalarType type) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::empty(shape, at::TensorOptions(type)).uniform_(-1, 1, generator);
}

double GradientError(const std::function<at::Tensor(const at::Tensor&)>& function,
                     const at::Tensor& input) {
  const bool is_double = input.scalar_type() == at::kDouble;
  const double step = is_double ? 1e-6 : 0.5;
  const at::Tensor x = input.detach().clone().requires_grad_();
  const at::Tensor y = function(x);
  const at::Tensor direction = RandomTensor(y.sizes(), 77, input.scalar_type());
  y.backward(direction);
  const auto value = [&](const at::Tensor& at) {
    const at::NoGradGuard no_grad;
    return (function(at).to(at::kDouble) * direction.to(at::kDouble)).sum().item<double>();
  };
  at::Tensor numerical = at::zeros({x.numel()}, at::kDouble);
  for (int64_t i = 0; i < x.numel(); ++i) {
    at::Tensor moved = x.detach().clone();
    at::Tensor entry = moved.view({-1})[i];
    entry += step;
    const double above = value(moved);
    entry -= 2 * step;
    numerical[i] = (above - value(moved)) / (2 * step);
  }
  const at::Tensor exact = x.grad().to(at::kDouble).view({-1});
  const double scale = std::max(1e-12, numerical.abs().max().item<double>());
  return (exact - numerical).abs().max().item<double>() / scale;
}

double LargestDifference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return 1e30;
  if (a.numel() == 0) return 0;
  return (a.detach().to(at::kDouble) - b.detach().to(at::kDouble)).abs().max().item<double>();
}

}  // namespace voxbit::supernet
