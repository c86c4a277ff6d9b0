// Learned step size quantization of weights and activations.
// Source: Esser et al. (ICLR 2020), eq. 1-5 and sec. 2.2: gradient scale 1/sqrt(n Qp), first step
// 2 mean|v| / sqrt(Qp). n counts the values that share a step, the rows of a batch included: a
// cloud has no other axis. One signed bit, which the paper leaves out (Qp = 0), is the two levels
// -step and step with Qp = Qn = 1 and a first step of mean|v|.
#include <torch/torch.h>

#include <cmath>

#include "supernet/quant/codes/sizes.h"
#include "supernet/quant/quantizer.h"
#include "supernet/quant/uniform.h"

namespace voxbit::quant {
namespace {

class Lsq final : public Quantizer {
 public:
  explicit Lsq(const QuantizerSettings& settings)
      : Quantizer(settings),
        is_sign_(settings.bits == 1 && settings.role != Role::kUnsignedActivation) {
    const int64_t bits = settings.bits;
    if (is_sign_) {
      bottom_ = top_ = 1;
    } else if (settings.role == Role::kUnsignedActivation) {
      top_ = (int64_t{1} << bits) - 1;
    } else {
      bottom_ = int64_t{1} << (bits - 1);
      top_ = SymmetricTop(bits);
    }
    step_ = register_parameter("step", at::full({NumGroups()}, kUnset, at::kFloat));
  }

  // levels * step, where the levels have the gradient of x / step inside the range and none
  // outside (eq. 5), and everything else is a constant: eq. 3 follows.
  at::Tensor Surrogate(const at::Tensor& x) const override {
    const auto bottom = -static_cast<double>(bottom_);
    const auto top = static_cast<double>(top_);
    const double shared = static_cast<double>(x.numel()) / static_cast<double>(NumGroups());
    const double factor = 1 / std::sqrt(std::max(1.0, shared * top));
    const at::Tensor scaled = step_ * factor + (step_ * (1 - factor)).detach();
    const at::Tensor step = AlongRows(at::where(scaled > 0, scaled, at::ones_like(scaled)), x);
    const at::Tensor ratio = x / step;
    const at::Tensor clipped = at::where((ratio > bottom).logical_and(ratio < top), ratio,
                                         ratio.detach().clamp(bottom, top));
    const at::Tensor level =
        is_sign_ ? 2 * x.detach().ge(0).to(x.scalar_type()) - 1 : clipped.detach().round();
    return (clipped + (level - clipped.detach())) * step;
  }

  // The first step of the paper, whatever `how` says: the step is learned from there.
  void Calibrate(const at::Tensor& x, Calibration /*how*/) override {
    const at::NoGradGuard no_grad;
    step_.copy_(FirstStep(x));
  }

 protected:
  // A step that training drove to zero or below starts again.
  void Prepare(const at::Tensor& x) override {
    step_.copy_(at::where(step_ > 0, step_, FirstStep(x)));
  }

  QuantizedTensor Encode(const at::Tensor& x) const override {
    const at::Tensor step = step_.detach().clone();  // an export outlives the next training step
    if (is_sign_) return ToGrid(x, SignGrid(step));
    Grid grid;
    grid.scales = step;
    grid.zeros = at::full_like(step, static_cast<double>(bottom_));
    grid.top = bottom_ + top_;
    grid.bits = settings().bits;
    return ToGrid(x, grid);
  }

  int64_t BytesOf(int64_t num_values) const override {
    return LinearBytes(num_values, settings().bits, NumGroups(), /*has_zeros=*/false);
  }

 private:
  at::Tensor FirstStep(const at::Tensor& x) const {
    const at::Tensor mean = MeanMagnitude(x.detach(), settings().channels);
    return is_sign_ ? mean : 2 * mean / std::sqrt(static_cast<double>(top_));
  }

  bool is_sign_;
  int64_t bottom_ = 0;  // Qn
  int64_t top_ = 0;     // Qp
  at::Tensor step_;     // [groups]; not above 0 where it was never set
};

}  // namespace

Result<std::shared_ptr<Quantizer>> MakeLsq(const QuantizerSettings& settings) {
  VOXBIT_RETURN_IF_ERROR(CheckSettings(settings));
  return std::shared_ptr<Quantizer>(std::make_shared<Lsq>(settings));
}

}  // namespace voxbit::quant
