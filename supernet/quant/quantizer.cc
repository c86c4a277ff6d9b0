#include "supernet/quant/quantizer.h"

#include <torch/torch.h>

#include <string>

#include "supernet/quant/codes/sizes.h"
#include "supernet/quant/codes/threshold.h"
#include "supernet/quant/uniform.h"

namespace voxbit::quant {
namespace {

constexpr int64_t kFewBits = 5;  // the published calibration clips below this width

class StraightThroughFunction : public torch::autograd::Function<StraightThroughFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* /*ctx*/,
                            const at::Tensor& /*surrogate*/, const at::Tensor& value) {
    return value.detach();
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* /*ctx*/,
                                                 torch::autograd::variable_list grads) {
    return {grads[0], at::Tensor()};
  }
};

QuantizedTensor Unquantized(const at::Tensor& x) {
  QuantizedTensor out;
  out.values = x.detach().to(at::kFloat);
  return out;
}

std::string RoleError(std::string_view name, std::string_view role) {
  return "the quantizer \"" + std::string(name) + "\" is not for " + std::string(role);
}

}  // namespace

at::Tensor StraightThrough(const at::Tensor& surrogate, const at::Tensor& value) {
  if (!at::GradMode::is_enabled() || !surrogate.requires_grad()) return value;
  return StraightThroughFunction::apply(surrogate, value);
}

at::Tensor Quantizer::Forward(const at::Tensor& x) {
  if (calibration_.has_value()) {
    if (settings_.bits != 32) Calibrate(x, *calibration_);
    return x;
  }
  if (PassesThrough()) return x;
  at::Tensor value;
  {
    const at::NoGradGuard no_grad;
    Prepare(x);
    value = Dequantize(Encode(x)).to(x.scalar_type());
  }
  if (!at::GradMode::is_enabled()) return value;
  return StraightThrough(Surrogate(x), value);
}

QuantizedTensor Quantizer::Export(const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  TORCH_CHECK(x.isfinite().all().item<bool>(), "a tensor to be quantized is not finite");
  if (PassesThrough()) return Unquantized(x);
  Prepare(x);
  QuantizedTensor out = Encode(x);
  if (out.codes.defined()) out.codes = out.codes.to(at::kInt);
  return out;
}

void Quantizer::AfterStep(at::Tensor weight) {
  const at::NoGradGuard no_grad;
  if (PassesThrough()) return;
  Prepare(weight);
  ProjectAfterStep(weight);
}

int64_t Quantizer::StoredBytes(int64_t num_values) const {
  return settings_.bits == 32 ? LinearBytes(num_values, 32, 0, false) : BytesOf(num_values);
}

Status CheckSettings(const QuantizerSettings& settings) {
  if (!IsWidth(settings.bits)) {
    return InvalidArgument("a width of " + std::to_string(settings.bits) +
                           " bits; known: 1 to 8, 16, 32");
  }
  if (settings.channels < 0) {
    return InvalidArgument("a quantizer of " + std::to_string(settings.channels) + " channels");
  }
  if (settings.channels > 0 && settings.role != Role::kWeight) {
    return InvalidArgument("activations have one scale for the tensor, not one for each channel");
  }
  return OkStatus();
}

Status CheckWeightSettings(std::string_view name, const QuantizerSettings& settings) {
  if (settings.role != Role::kWeight) return InvalidArgument(RoleError(name, "activations"));
  return CheckSettings(settings);
}

Status CheckActivationSettings(std::string_view name, const QuantizerSettings& settings) {
  if (settings.role == Role::kWeight) return InvalidArgument(RoleError(name, "weights"));
  if (!(settings.initial_range > 0)) {
    return InvalidArgument("the range of activations starts at " +
                           std::to_string(settings.initial_range) + "; it must be above 0");
  }
  return CheckSettings(settings);
}

double CalibratedRange(const at::Tensor& x, Calibration how, int64_t bits) {
  const at::NoGradGuard no_grad;
  if (x.numel() == 0) return 0;
  const bool clip =
      bits <= 8 && (how == Calibration::kKl || (how == Calibration::kPublished && bits < kFewBits));
  if (!clip) return LargestMagnitude(x, 0).item<double>();
  const at::Tensor flat = x.detach().to(at::kCPU, at::kFloat).contiguous();
  TORCH_CHECK(flat.isfinite().all().item<bool>(), "a tensor to calibrate with is not finite");
  return KlThreshold({flat.data_ptr<float>(), static_cast<size_t>(flat.numel())}, bits);
}

}  // namespace voxbit::quant
