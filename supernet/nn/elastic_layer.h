// What layers with a weight share: the quantizers of the weight and of the input.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

#include "supernet/nn/row_sample.h"
#include "supernet/ops/sparse_conv.h"
#include "supernet/quant/quantizer.h"

namespace voxbit::supernet {

// The quantizers of one layer. Both null: the layer is as it is without any.
struct LayerQuantizers {
  enum class Scope {
    kOwn,         // the layer's: part of its state and always at work
    kCandidate,   // of the candidate that is selected, always at work; while training, the range of
                  // an input is that of each call: of a batch, or of a piece of it where a network
                  // calculates in pieces
    kEvaluation,  // of the candidate that is selected, at work in eval mode only
  };
  std::shared_ptr<quant::Quantizer> weight;
  std::shared_ptr<quant::Quantizer> input;
  quant::Calibration calibration = quant::Calibration::kPublished;  // of both
  Scope scope = Scope::kOwn;
};

// A layer whose active weight is a slice of a largest one. Quantizers act on the slice, with
// straight-through gradients. In eval mode without gradients a quantized slice is computed once and
// kept while weight, slice and quantizers stay what they are.
class ElasticLayer : public torch::nn::Module {
 public:
  // Replaces the quantizers; they go to the device of the weight. Own ones are registered as
  // "weight_quantizer" and "input_quantizer", once. An own quantizer of the weight that has a state
  // takes it from the weight at once; one without (a codebook) does so when it is used first, so a
  // weight that is loaded has to be loaded before.
  void SetQuantizers(LayerQuantizers quantizers);
  const LayerQuantizers& quantizers() const { return quantizers_; }

  // See Network.
  void BeginRangeCalibration();
  void EndRangeCalibration();
  void AfterStep();

  // The whole weight in its integer form, or as it is where it has no quantizer; [out, in] for a
  // linear layer whatever its trailing axes, and output channels first where each of them has a
  // scale. No gradient. Requires: own quantizers.
  quant::QuantizedTensor ExportWeight();
  // Mean squared difference between the weight and its integer form; 0 without a quantizer.
  // Requires: own quantizers.
  double WeightError();
  // Fills the weight with the values of such a form and leaves it as it is from then on.
  // FAILED_PRECONDITION when it has another shape.
  Status LoadExportedWeight(const quant::QuantizedTensor& exported);

 protected:
  // The parameter without trailing axes of size 1, sharing its memory.
  virtual at::Tensor Weight() const = 0;
  // Its axis of output channels.
  virtual int64_t OutputAxis() const = 0;

  // Whether the weight is quantized now: then QuantizedWeight is to be run, as a whole.
  bool QuantizesWeight() const;
  // The active part of the weight, quantized and contiguous.
  at::Tensor QuantizedWeight(const WeightSlice& slice) const;
  // What the layer reads in the place of x, [..., C].
  at::Tensor QuantizedInput(const at::Tensor& x) const;

 private:
  bool IsOwn() const { return quantizers_.scope == LayerQuantizers::Scope::kOwn; }
  bool Acts() const;
  virtual at::Tensor ActivePart(const at::Tensor& weight, const WeightSlice& slice) const = 0;
  // Whether each output channel has a scale.
  bool HasGroups() const;
  // A weight in the layout of its quantizer, and back.
  at::Tensor ToQuantizer(const at::Tensor& weight) const;
  at::Tensor FromQuantizer(const at::Tensor& weight) const;
  // Sets the state of the quantizer from `weight`, in its layout, where that is due.
  void PrepareWeight(const at::Tensor& weight) const;

  // The quantized slice of the last forward pass without gradients.
  struct Kept {
    at::Tensor value;
    WeightSlice slice;
    int64_t version = 0;  // of the weight
  };

  LayerQuantizers quantizers_;
  bool is_looking_ = false;  // at inputs, to calibrate
  mutable bool is_weight_ready_ = false;
  mutable RowSample seen_;  // of the inputs since then
  mutable Kept kept_;
};

}  // namespace voxbit::supernet
