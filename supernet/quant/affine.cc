// Affine weights: 2^b levels between the smallest and the largest weight, 0 always among them.
// Source: Jacob et al. (CVPR 2018), eq. 1 and sec. 3; the gradient is straight through and not
// masked, as for "linear". 1 bit is sign * mean, as there.
#include <torch/torch.h>

#include <utility>

#include "supernet/quant/codes/sizes.h"
#include "supernet/quant/quantizer.h"
#include "supernet/quant/uniform.h"

namespace voxbit::quant {
namespace {

// Smallest and largest value of each group, 0 included.
std::pair<at::Tensor, at::Tensor> Extremes(const at::Tensor& x, int64_t channels) {
  const at::Tensor high = LargestMagnitude(x.clamp_min(0), channels);
  const at::Tensor low = LargestMagnitude(x.clamp_max(0), channels).neg();
  return {low, high};
}

class AffineWeight final : public Quantizer {
 public:
  explicit AffineWeight(const QuantizerSettings& settings) : Quantizer(settings) {
    low_ = register_buffer("low", at::zeros({NumGroups()}, at::kFloat));
    high_ = register_buffer("high", at::zeros({NumGroups()}, at::kFloat));
  }

  at::Tensor Surrogate(const at::Tensor& x) const override { return x; }

  void Calibrate(const at::Tensor& x, Calibration how) override {
    const at::NoGradGuard no_grad;
    const int64_t channels = settings().channels;
    const auto [low, high] = Extremes(x, channels);
    at::Tensor limit = at::empty_like(low_);
    for (int64_t group = 0; group < NumGroups(); ++group) {
      limit[group].fill_(CalibratedRange(channels == 0 ? x : x[group], how, settings().bits));
    }
    low_.copy_(at::maximum(low, -limit));
    high_.copy_(at::minimum(high, limit));
  }

  bool StoresZeros() const override { return true; }

 protected:
  void Prepare(const at::Tensor& x) override {
    const auto [low, high] = Extremes(x, settings().channels);
    const at::Tensor is_set = high_ > low_;
    low_.copy_(at::where(is_set, low_, low));
    high_.copy_(at::where(is_set, high_, high));
  }

  QuantizedTensor Encode(const at::Tensor& x) const override {
    if (settings().bits == 1) {
      return ToGrid(x, SignGrid(MeanMagnitude(x, settings().channels)));
    }
    Grid grid;
    grid.bits = settings().bits;
    grid.top = (int64_t{1} << grid.bits) - 1;
    const at::Tensor width = high_.to(at::kDouble) - low_.to(at::kDouble);
    grid.scales = (width / static_cast<double>(grid.top)).to(at::kFloat);
    const at::Tensor safe = at::where(grid.scales > 0, grid.scales, at::ones_like(grid.scales));
    grid.zeros = (-low_ / safe).round().clamp(0, static_cast<double>(grid.top));
    return ToGrid(x, grid);
  }

  int64_t BytesOf(int64_t num_values) const override {
    return LinearBytes(num_values, settings().bits, NumGroups(), /*has_zeros=*/true);
  }

 private:
  at::Tensor low_;   // [groups], at most 0
  at::Tensor high_;  // [groups], at least 0; both 0 where they were never set
};

}  // namespace

Result<std::shared_ptr<Quantizer>> MakeAffine(const QuantizerSettings& settings) {
  VOXBIT_RETURN_IF_ERROR(CheckWeightSettings("affine", settings));
  return std::shared_ptr<Quantizer>(std::make_shared<AffineWeight>(settings));
}

}  // namespace voxbit::quant
