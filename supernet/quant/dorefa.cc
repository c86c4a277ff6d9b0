// DoReFa weights: tanh(w) over its largest magnitude, then the levels of "linear" with the range 1.
// Source: Zhou et al., DoReFa-Net (2016), as mit-han-lab/haq has it (tanh_weight). The output is in
// [-1, 1] and is not scaled back. Deviations: 1 bit is sign * mean, and weights that are all zero
// stay zero.
#include <torch/torch.h>

#include "supernet/quant/codes/sizes.h"
#include "supernet/quant/quantizer.h"
#include "supernet/quant/uniform.h"

namespace voxbit::quant {
namespace {

class DorefaWeight final : public Quantizer {
 public:
  explicit DorefaWeight(const QuantizerSettings& settings) : Quantizer(settings) {}

  // The gradient goes through the largest magnitude too, as published.
  at::Tensor Surrogate(const at::Tensor& x) const override {
    const at::Tensor squashed = x.tanh();
    const int64_t channels = settings().channels;
    TORCH_CHECK(channels == 0 || (x.dim() > 0 && x.size(0) == channels), "a quantizer of ",
                channels, " channels was given the shape ", x.sizes());
    if (x.numel() == 0) return squashed;
    const at::Tensor largest = squashed.abs().reshape({NumGroups(), -1}).amax(1);
    return squashed / AlongRows(at::where(largest > 0, largest, at::ones_like(largest)), x);
  }

  void Calibrate(const at::Tensor& /*x*/, Calibration /*how*/) override {}
  // tanh moves the levels.
  bool IsProjection() const override { return false; }

 protected:
  void Prepare(const at::Tensor& /*x*/) override {}

  QuantizedTensor Encode(const at::Tensor& x) const override {
    const at::Tensor squashed = Surrogate(x);
    if (settings().bits == 1) {
      return ToGrid(squashed, SignGrid(MeanMagnitude(squashed, settings().channels)));
    }
    const at::Tensor range = at::ones({NumGroups()}, x.options().dtype(at::kFloat));
    return ToGrid(squashed, SymmetricGrid(range, settings().bits));
  }

  int64_t BytesOf(int64_t num_values) const override {
    return LinearBytes(num_values, settings().bits, NumGroups(), /*has_zeros=*/false);
  }
};

}  // namespace

Result<std::shared_ptr<Quantizer>> MakeDorefa(const QuantizerSettings& settings) {
  VOXBIT_RETURN_IF_ERROR(CheckWeightSettings("dorefa", settings));
  return std::shared_ptr<Quantizer>(std::make_shared<DorefaWeight>(settings));
}

}  // namespace voxbit::quant
