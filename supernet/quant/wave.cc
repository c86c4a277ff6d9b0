// Activations clipped at a range r. Half wave (unsigned): [0, r] on 2^b levels. Full wave (signed):
// [-r, r] on 2^b - 1 levels around an exact zero; at 1 bit, where the published scale divides by
// zero, the two levels -r and r.
// Source: Choi et al., PACT (2018), eq. 1-3, as mit-han-lab/haq has it (_quantize_activation).
#include <torch/torch.h>

#include <algorithm>

#include "supernet/quant/codes/sizes.h"
#include "supernet/quant/quantizer.h"
#include "supernet/quant/uniform.h"

namespace voxbit::quant {
namespace {

class Wave final : public Quantizer {
 public:
  explicit Wave(const QuantizerSettings& settings) : Quantizer(settings) {
    const at::Tensor range = at::full({1}, settings.initial_range, at::kFloat);
    range_ = settings.trainable_range ? register_parameter("range", range)
                                      : register_buffer("range", range);
  }

  // A trainable range is clipped to with absolute values: the range gets 1 for each clipped
  // element (-1 below a full wave), and an input of exactly 0 or r gets half its gradient. A fixed
  // range is a plain clamp, which passes the gradient at its ends.
  at::Tensor Surrogate(const at::Tensor& x) const override {
    if (!settings().trainable_range) {
      return at::clamp(x, IsHalf() ? at::zeros_like(range_) : -range_, range_);
    }
    if (IsHalf()) return 0.5 * (x.abs() - (x - range_).abs() + range_);
    return 0.5 * ((-x - range_).abs() - (x - range_).abs());
  }

  // The published rule: min(initial range, largest magnitude), and the KL threshold of the bits
  // that are left for magnitudes where that clips. A batch of zeros says nothing.
  void Calibrate(const at::Tensor& x, Calibration how) override {
    const at::NoGradGuard no_grad;
    const int64_t magnitude_bits = IsHalf() ? settings().bits : settings().bits - 1;
    double range = magnitude_bits == 0 ? MeanMagnitude(x, 0).item<double>()
                                       : LargestMagnitude(x, 0).item<double>();
    range = std::min(range, settings().initial_range);
    if (magnitude_bits > 0) range = std::min(range, CalibratedRange(x, how, magnitude_bits));
    if (range > 0) range_.fill_(range);
  }

 protected:
  void Prepare(const at::Tensor& /*x*/) override {}

  QuantizedTensor Encode(const at::Tensor& x) const override {
    // Training may push a range below zero; nothing but 0 is inside it then.
    const at::Tensor range = range_.detach().clamp_min(0);
    const int64_t bits = settings().bits;
    if (IsHalf()) return ToGrid(x, UnsignedGrid(range, bits));
    return ToGrid(x, bits == 1 ? SignGrid(range) : SymmetricGrid(range, bits));
  }

  int64_t BytesOf(int64_t num_values) const override {
    return LinearBytes(num_values, settings().bits, 1, /*has_zeros=*/false);
  }

 private:
  bool IsHalf() const { return settings().role == Role::kUnsignedActivation; }

  at::Tensor range_;  // [1]
};

}  // namespace

Result<std::shared_ptr<Quantizer>> MakeWave(const QuantizerSettings& settings) {
  VOXBIT_RETURN_IF_ERROR(CheckActivationSettings("wave", settings));
  return std::shared_ptr<Quantizer>(std::make_shared<Wave>(settings));
}

}  // namespace voxbit::quant
