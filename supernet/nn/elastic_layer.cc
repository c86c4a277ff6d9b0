#include "supernet/nn/elastic_layer.h"

#include <torch/torch.h>

#include <sstream>
#include <utility>

#include "common/check.h"
#include "supernet/quant/codes/methods.h"

namespace voxbit::supernet {
namespace {

constexpr int64_t kFloatBits = 32;

}  // namespace

void ElasticLayer::SetQuantizers(LayerQuantizers quantizers) {
  VOXBIT_CHECK(children().empty(), "a layer's own quantizers are set once");
  quantizers_ = std::move(quantizers);
  is_weight_ready_ = false;
  seen_ = {};
  kept_ = {};
  const at::Device device = Weight().device();
  for (const auto& quantizer : {quantizers_.weight, quantizers_.input}) {
    if (quantizer != nullptr) quantizer->to(device);
  }
  if (!IsOwn()) return;
  if (quantizers_.weight != nullptr) {
    register_module(quant::kWeightQuantizer, quantizers_.weight);
    const bool has_state =
        !quantizers_.weight->parameters().empty() || !quantizers_.weight->buffers().empty();
    if (has_state) PrepareWeight(ToQuantizer(Weight()));
  }
  if (quantizers_.input != nullptr) register_module(quant::kInputQuantizer, quantizers_.input);
}

bool ElasticLayer::Acts() const {
  return quantizers_.scope != LayerQuantizers::Scope::kEvaluation || !is_training();
}

bool ElasticLayer::QuantizesWeight() const {
  return quantizers_.weight != nullptr && quantizers_.weight->enabled() && Acts() && !is_looking_;
}

bool ElasticLayer::HasGroups() const {
  return quantizers_.weight != nullptr && quantizers_.weight->settings().channels > 0;
}

at::Tensor ElasticLayer::ToQuantizer(const at::Tensor& weight) const {
  return HasGroups() ? weight.movedim(OutputAxis(), 0) : weight;
}

at::Tensor ElasticLayer::FromQuantizer(const at::Tensor& weight) const {
  return HasGroups() ? weight.movedim(0, OutputAxis()) : weight;
}

void ElasticLayer::PrepareWeight(const at::Tensor& weight) const {
  // The weights behind shared quantizers are those of any candidate and change meanwhile.
  if (IsOwn() && is_weight_ready_) return;
  quantizers_.weight->Calibrate(weight.detach(), quantizers_.calibration);
  is_weight_ready_ = true;
}

at::Tensor ElasticLayer::QuantizedWeight(const WeightSlice& slice) const {
  // An optimiser writes behind the version counter.
  if (is_training()) kept_ = {};
  const at::Tensor whole = Weight();
  const bool may_keep = !is_training() && !at::GradMode::is_enabled();
  const int64_t version = whole._version();
  if (may_keep && kept_.value.defined() && kept_.slice == slice && kept_.version == version &&
      kept_.value.device() == whole.device()) {
    return kept_.value;
  }
  const at::Tensor active = ToQuantizer(ActivePart(whole, slice));
  PrepareWeight(active);
  at::Tensor value = FromQuantizer(quantizers_.weight->Forward(active)).contiguous();
  if (may_keep) kept_ = {value, slice, version};
  return value;
}

at::Tensor ElasticLayer::QuantizedInput(const at::Tensor& x) const {
  if (quantizers_.input == nullptr || !Acts()) return x;
  if (is_looking_) {
    const bool is_float = quantizers_.input->settings().bits == kFloatBits;
    if (!is_float) seen_.Add(x);
    return x;
  }
  if (is_training() && !IsOwn()) quantizers_.input->Calibrate(x.detach(), quantizers_.calibration);
  return quantizers_.input->Forward(x);
}

void ElasticLayer::BeginRangeCalibration() {
  is_looking_ = true;
  seen_ = {};
}

void ElasticLayer::EndRangeCalibration() {
  is_looking_ = false;
  if (!seen_.empty()) quantizers_.input->Calibrate(seen_.Values(), quantizers_.calibration);
  seen_ = {};
}

void ElasticLayer::AfterStep() {
  if (quantizers_.weight == nullptr || !IsOwn()) return;
  const at::NoGradGuard no_grad;
  const at::Tensor weight = ToQuantizer(Weight());
  PrepareWeight(weight);
  quantizers_.weight->AfterStep(weight);
}

quant::QuantizedTensor ElasticLayer::ExportWeight() {
  VOXBIT_CHECK(IsOwn(), "a layer of a supernet has no weight of its own to export");
  const at::NoGradGuard no_grad;
  const at::Tensor weight = ToQuantizer(Weight());
  if (quantizers_.weight == nullptr) {
    quant::QuantizedTensor whole;
    whole.values = weight.detach();
    return whole;
  }
  PrepareWeight(weight);
  return quantizers_.weight->Export(weight);
}

double ElasticLayer::WeightError() {
  const at::NoGradGuard no_grad;
  const at::Tensor weight = ToQuantizer(Weight());
  if (weight.numel() == 0) return 0;
  return (quant::Dequantize(ExportWeight()) - weight).square().mean().item<double>();
}

Status ElasticLayer::LoadExportedWeight(const quant::QuantizedTensor& exported) {
  const at::NoGradGuard no_grad;
  const at::Tensor values = quant::Dequantize(exported);
  const at::Tensor weight = ToQuantizer(Weight());
  if (values.sizes() != weight.sizes()) {
    std::ostringstream message;
    message << "a weight of the shape " << values.sizes() << " for a layer of " << weight.sizes();
    return FailedPrecondition(message.str());
  }
  weight.copy_(values);  // a view
  if (quantizers_.weight != nullptr) quantizers_.weight->set_enabled(false);
  return OkStatus();
}

}  // namespace voxbit::supernet
