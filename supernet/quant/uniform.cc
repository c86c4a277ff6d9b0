#include "supernet/quant/uniform.h"

#include <torch/torch.h>

#include <vector>

namespace voxbit::quant {
namespace {

// [C, everything else] or [1, all].
at::Tensor AsRows(const at::Tensor& x, int64_t channels) {
  if (channels == 0) return x.reshape({1, -1});
  TORCH_CHECK(x.dim() >= 1 && x.size(0) == channels, "a quantizer of ", channels,
              " channels was given the shape ", x.sizes());
  return x.reshape({channels, x.numel() / channels});
}

at::Tensor Divided(const at::Tensor& range, int64_t parts) {
  // In double, then rounded once: what the published code does with a Python number.
  return (range.to(at::kDouble) / static_cast<double>(parts)).to(at::kFloat);
}

}  // namespace

at::Tensor AlongRows(const at::Tensor& groups, const at::Tensor& like) {
  if (groups.numel() == 1) return groups.reshape({});
  std::vector<int64_t> shape(static_cast<size_t>(like.dim()), 1);
  shape[0] = groups.numel();
  return groups.view(shape);
}

at::Tensor LargestMagnitude(const at::Tensor& x, int64_t channels) {
  const at::NoGradGuard no_grad;
  const at::Tensor rows = AsRows(x, channels);
  if (rows.size(1) == 0) return at::zeros({rows.size(0)}, x.options().dtype(at::kFloat));
  return rows.abs().amax(1).to(at::kFloat);
}

at::Tensor MeanMagnitude(const at::Tensor& x, int64_t channels) {
  const at::NoGradGuard no_grad;
  const at::Tensor rows = AsRows(x, channels);
  if (rows.size(1) == 0) return at::zeros({rows.size(0)}, x.options().dtype(at::kFloat));
  return rows.abs().mean(1, /*keepdim=*/false, at::kDouble).to(at::kFloat);
}

int64_t SymmetricTop(int64_t bits) { return (int64_t{1} << (bits - 1)) - 1; }

Grid SymmetricGrid(const at::Tensor& range, int64_t bits) {
  const int64_t half = SymmetricTop(bits);
  return {Divided(range, half), at::full_like(range, static_cast<double>(half)), 2 * half, bits,
          /*sign=*/false};
}

Grid UnsignedGrid(const at::Tensor& range, int64_t bits) {
  const int64_t top = (int64_t{1} << bits) - 1;
  return {Divided(range, top), at::zeros_like(range), top, bits, /*sign=*/false};
}

Grid SignGrid(const at::Tensor& magnitude) {
  // (0 - 0.5) * 2m and (1 - 0.5) * 2m are exactly -m and m.
  return {magnitude * 2, at::full_like(magnitude, 0.5), 1, 1, /*sign=*/true};
}

QuantizedTensor ToGrid(const at::Tensor& x, const Grid& grid) {
  const at::NoGradGuard no_grad;
  QuantizedTensor out;
  out.coding = Coding::kLinear;
  out.bits = grid.bits;
  out.scales = grid.scales;
  out.zeros = grid.zeros;
  if (grid.sign) {
    out.codes = x.ge(0).to(at::kFloat);
    return out;
  }
  const at::Tensor safe = at::where(grid.scales > 0, grid.scales, at::ones_like(grid.scales));
  out.codes = (x.to(at::kFloat) / AlongRows(safe, x))
                  .round_()
                  .add_(AlongRows(grid.zeros, x))
                  .clamp_(0, static_cast<double>(grid.top));
  return out;
}

}  // namespace voxbit::quant
