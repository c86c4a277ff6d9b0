// The interface of every quantizer. One object does the fake quantization of training and gives the
// integers of the export, so that the two cannot differ.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "common/registry.h"
#include "common/status.h"
#include "supernet/quant/codes/kmeans.h"
#include "supernet/quant/quantized_tensor.h"

namespace voxbit::quant {

enum class Role {
  kWeight,
  kSignedActivation,
  kUnsignedActivation,  // behind a ReLU: nothing is below zero
};

// How Calibrate chooses a range. KL: codes/threshold.h.
enum class Calibration {
  kRange,      // the largest magnitude
  kKl,         // the KL threshold
  kPublished,  // the KL threshold below 5 bits, else the largest magnitude
};

struct QuantizerSettings {
  Role role = Role::kWeight;
  int64_t bits = 8;  // 1 to 8, 16 or 32; at 32 every quantizer is the identity
  // 0: one scale for the tensor. Else the size of dimension 0 of the weight, and one scale each.
  int64_t channels = 0;
  // Activations: whether the range is a parameter with gradients, and what it is before
  // calibration, in units of the activation; calibration never goes beyond it.
  bool trainable_range = true;
  double initial_range = 6;
  // Codebooks.
  KMeansSettings kmeans;
  uint64_t seed = 0;
  bool keep_zeros = false;      // exact zeros (pruned weights) stay out of the clusters and stay 0
  bool free_high_bits = false;  // above 6 bits the quantizer is disabled until set_enabled(true)
};

// What a range or step is before it is set from values.
inline constexpr double kUnset = -1;

// Not thread-safe. State (ranges, steps) are registered parameters and buffers.
class Quantizer : public torch::nn::Module {
 public:
  explicit Quantizer(const QuantizerSettings& settings) : settings_(settings) {}

  const QuantizerSettings& settings() const { return settings_; }
  // A disabled quantizer is the identity, as one of 32 bits is.
  bool enabled() const { return enabled_; }
  void set_enabled(bool enabled) { enabled_ = enabled; }

  // Fake quantization: exactly Dequantize(Export(x)), with the gradient of Surrogate(x) for x and
  // for the parameters of this object. Ranges that were never set are set from x.
  //   x  float32, any shape; for `channels` > 0 dimension 0 has that size
  // While calibrating: Calibrate(x), and x comes back as it is.
  at::Tensor Forward(const at::Tensor& x);

  // The integer form of x. Throws c10::Error for a value that is not finite. No gradient.
  QuantizedTensor Export(const at::Tensor& x);

  // The differentiable stand-in whose gradient Forward has; its value may differ from Forward's.
  virtual at::Tensor Surrogate(const at::Tensor& x) const = 0;

  // Sets ranges, steps or clusters from x, whatever they were.
  virtual void Calibrate(const at::Tensor& x, Calibration how) = 0;
  // Between the two, Forward calibrates instead of quantizing: run one float batch.
  void BeginCalibration(Calibration how) { calibration_ = how; }
  void EndCalibration() { calibration_.reset(); }

  // Puts a weight back onto its levels after a step of the optimizer, where the method asks for
  // that (codebooks); else nothing. Changes `weight` in place, without a gradient.
  void AfterStep(at::Tensor weight);

  // Whether Forward(Forward(x)) is Forward(x).
  virtual bool IsProjection() const { return true; }
  // Whether zero points go into the stored form.
  virtual bool StoresZeros() const { return false; }
  // Bytes of Pack(Export(x), StoresZeros()) for a tensor of this many values: exact for scales; for
  // codebooks an upper bound, reached when all entries are used and nothing is pruned.
  int64_t StoredBytes(int64_t num_values) const;

 protected:
  // Sets what was never set, from x.
  virtual void Prepare(const at::Tensor& x) = 0;
  // The integer form; codes may be float32 and the quantizer is prepared and enabled.
  virtual QuantizedTensor Encode(const at::Tensor& x) const = 0;
  virtual void ProjectAfterStep(at::Tensor& weight) const { static_cast<void>(weight); }
  // StoredBytes below 32 bits.
  virtual int64_t BytesOf(int64_t num_values) const = 0;

  // The number of scales: 1, or the channels.
  int64_t NumGroups() const { return settings_.channels == 0 ? 1 : settings_.channels; }

 private:
  bool PassesThrough() const { return !enabled_ || settings_.bits == 32; }

  QuantizerSettings settings_;
  bool enabled_ = true;
  std::optional<Calibration> calibration_;
};

// INVALID_ARGUMENT for a width or role that the quantizer does not have.
using QuantizerFactory =
    std::function<Result<std::shared_ptr<Quantizer>>(const QuantizerSettings& settings)>;
using QuantizerRegistry = Registry<QuantizerFactory>;

// Adds every quantizer of builtin.def.
void RegisterBuiltinQuantizers(QuantizerRegistry& registry);

// What every factory checks: the width, the number of channels, channels only for weights.
Status CheckSettings(const QuantizerSettings& settings);
// CheckSettings, and that the role is a weight or an activation.
Status CheckWeightSettings(std::string_view name, const QuantizerSettings& settings);
Status CheckActivationSettings(std::string_view name, const QuantizerSettings& settings);

// `value` with the gradient of `surrogate`: the straight-through estimator (Bengio et al. 2013)
// without the rounding of surrogate + (value - surrogate).
at::Tensor StraightThrough(const at::Tensor& surrogate, const at::Tensor& value);

// The threshold for x by `how` at `bits`; for kPublished the KL threshold is used below 5 bits.
// Requires: 1 <= bits. Not above the largest magnitude but for the KL threshold, which may be.
double CalibratedRange(const at::Tensor& x, Calibration how, int64_t bits);

}  // namespace voxbit::quant
