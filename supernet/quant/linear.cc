// Linear weights: levels evenly spaced around an exact zero, 2^b - 1 of them. At 1 bit the
// published scale divides by zero; here one bit is sign(w) * mean|w|, the binary weight with the
// least squared error (Rastegari et al., XNOR-Net, ECCV 2016, eq. 6). Source: mit-han-lab/haq,
// lib/utils/quantize_utils.py (_quantize_weight). Deviations: 1 bit, one scale per output channel
// on request, and a range of 0 gives zeros.
#include <torch/torch.h>

#include "supernet/quant/codes/sizes.h"
#include "supernet/quant/quantizer.h"
#include "supernet/quant/uniform.h"

namespace voxbit::quant {
namespace {

class LinearWeight final : public Quantizer {
 public:
  explicit LinearWeight(const QuantizerSettings& settings) : Quantizer(settings) {
    range_ = register_buffer("range", at::full({NumGroups()}, kUnset, at::kFloat));
  }

  // Straight through, also where a weight is clipped: as published.
  at::Tensor Surrogate(const at::Tensor& x) const override { return x; }

  void Calibrate(const at::Tensor& x, Calibration how) override {
    const at::NoGradGuard no_grad;
    const int64_t channels = settings().channels;
    if (channels == 0) {
      range_.fill_(CalibratedRange(x, how, settings().bits));
      return;
    }
    for (int64_t c = 0; c < channels; ++c) {
      range_[c].fill_(CalibratedRange(x[c], how, settings().bits));
    }
  }

 protected:
  void Prepare(const at::Tensor& x) override {
    range_.copy_(at::where(range_ > 0, range_, LargestMagnitude(x, settings().channels)));
  }

  QuantizedTensor Encode(const at::Tensor& x) const override {
    if (settings().bits == 1) {
      return ToGrid(x, SignGrid(MeanMagnitude(x, settings().channels)));
    }
    return ToGrid(x, SymmetricGrid(range_, settings().bits));
  }

  int64_t BytesOf(int64_t num_values) const override {
    return LinearBytes(num_values, settings().bits, NumGroups(), /*has_zeros=*/false);
  }

 private:
  at::Tensor range_;  // [groups]; not above 0 where it was never set
};

}  // namespace

Result<std::shared_ptr<Quantizer>> MakeLinear(const QuantizerSettings& settings) {
  VOXBIT_RETURN_IF_ERROR(CheckWeightSettings("linear", settings));
  return std::shared_ptr<Quantizer>(std::make_shared<LinearWeight>(settings));
}

}  // namespace voxbit::quant
