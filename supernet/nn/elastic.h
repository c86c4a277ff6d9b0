// Layers whose active channels are a slice of their weights: the first-c sharing of SPVNAS.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "supernet/nn/elastic_layer.h"
#include "supernet/ops/batch_norm.h"
#include "supernet/ops/sparse_conv.h"
#include "supernet/ops/sparse_tensor.h"

namespace voxbit::supernet {

// Bias-free sparse convolution. State: "kernel" [K, in, out], or [in, out] for kernel volume 1.
class ElasticConv final : public ElasticLayer {
 public:
  ElasticConv(int64_t in, int64_t out, const ConvOptions& options);

  // Output of `slice.out` channels from x of `slice.in` channels.
  SparseTensor Forward(const SparseTensor& x, const WeightSlice& slice) const;
  // Uniform in +-1/sqrt(fan), fan = K * in (K * out when transposed). Source: torchsparse 1.4.
  void Initialize(at::Generator& generator);

  const ConvOptions& options() const { return options_; }

  at::Tensor kernel;

 private:
  at::Tensor Weight() const override { return kernel; }
  int64_t OutputAxis() const override { return -1; }
  at::Tensor ActivePart(const at::Tensor& weight, const WeightSlice& slice) const override;

  ConvOptions options_;
  int64_t fan_;
};

// The forms in which the official networks write a linear layer.
struct LinearForm {
  bool bias = true;
  int64_t kernel_axes = 0;  // trailing axes of size 1 of the weight: a pointwise convolution
};

// State: "weight" [out, in], followed by the kernel axes; "bias" [out] unless there is none.
class ElasticLinear final : public ElasticLayer {
 public:
  ElasticLinear(int64_t in, int64_t out, const LinearForm& form = {});

  // [..., out] from x [..., in], in and out active channels.
  at::Tensor Forward(const at::Tensor& x, int64_t out) const;
  // All output channels.
  at::Tensor Forward(const at::Tensor& x) const { return Forward(x, weight.size(0)); }
  // Uniform in +-1/sqrt(in) for both.
  void Initialize(at::Generator& generator);

  at::Tensor weight;
  at::Tensor bias;  // undefined when there is none

 private:
  at::Tensor Weight() const override { return weight.dim() == 2 ? weight : weight.flatten(1); }
  int64_t OutputAxis() const override { return 0; }
  at::Tensor ActivePart(const at::Tensor& matrix, const WeightSlice& slice) const override;
};

// Of every batch norm, as in torch.
inline constexpr double kBatchNormEps = 1e-5;

// Thrown by a batch norm in train mode that is given a single row: it would take the row itself
// for the mean and answer with its bias, whatever the row is.
class SingleRowError final : public std::runtime_error {
 public:
  SingleRowError() : std::runtime_error("a batch norm was given a single row to train on") {}
};

// Batch norm over all axes but the last; the first entries of its state, one for each channel of
// x, are active. State: "weight", "bias", "running_mean", "running_var". In train mode a batch of
// two rows or more updates the running statistics with momentum 0.1, as torch does: batches are
// normalised by their biased variance, the running one is unbiased.
class ElasticBatchNorm : public torch::nn::Module {
 public:
  explicit ElasticBatchNorm(int64_t channels);

  // act(norm(x) + residual), x [..., C]; residual has the shape of x or is undefined. Throws
  // SingleRowError.
  at::Tensor Forward(const at::Tensor& x, const at::Tensor& residual, bool relu);

  // See Network::BeginCalibration. Returns the number of rows that were seen.
  void BeginCalibration();
  int64_t EndCalibration();

  at::Tensor weight;
  at::Tensor bias;
  at::Tensor running_mean;
  at::Tensor running_var;

 private:
  // Mean and sum of squared deviations of all rows since BeginCalibration.
  struct Pooled {
    int64_t rows = 0;
    at::Tensor mean;     // [C] float64, as the next
    at::Tensor squares;  // undefined while there are no rows

    void Add(const BatchMoments& moments);
    BatchMoments moments() const;
  };

  at::Tensor ForwardRows(const at::Tensor& x, const at::Tensor& residual, bool relu);
  void UpdateRunning(const BatchMoments& moments);

  bool calibrating_ = false;
  Pooled pooled_;
};

// Fresh weights for every layer below `root`, drawn in registration order; batch norms to weight
// 1, bias 0 and neutral statistics.
void InitializeLayers(torch::nn::Module& root, uint64_t seed);

}  // namespace voxbit::supernet
