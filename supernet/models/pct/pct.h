// PCT (Guo et al., Computational Visual Media 2021): offset attention over point features, for
// classification and for part segmentation. Points are rows here, [B,N,C], whatever the layout of
// the official code.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "supernet/nn/elastic.h"
#include "supernet/ops/neighbours.h"

namespace voxbit::supernet {

// A pointwise convolution with batch norm behind it.
struct PctConv {
  std::shared_ptr<ElasticLinear> conv;
  std::shared_ptr<ElasticBatchNorm> norm;

  // act(norm(conv(x))) of x [..., C]; act is a ReLU, or a leaky one where `slope` is not 0.
  at::Tensor Forward(const at::Tensor& x, double slope = 0.0) const;
};

// Offset attention. State: "q_conv.weight" and "k_conv.weight", which are one tensor and one
// parameter, "v_conv", "trans_conv", "after_norm"; all convolutions one level deeper where
// `wrapper` is not empty ("q_conv" + wrapper). Source: SA_Layer.
class OffsetAttention : public torch::nn::Module {
 public:
  struct Maps {
    at::Tensor energy;     // [B,N,N], query by key; not scaled
    at::Tensor attention;  // [B,N,N], softmax over the keys, then columns scaled to sum 1
  };

  explicit OffsetAttention(int64_t channels, const std::string& wrapper = "");

  // [B,N,C] from x [B,N,C]; fills `maps` if given.
  at::Tensor Forward(const at::Tensor& x, Maps* maps = nullptr) const;

 private:
  std::shared_ptr<ElasticLinear> q_conv_, v_conv_, trans_conv_;
  std::shared_ptr<ElasticBatchNorm> after_norm_;
};

// Points picked from a cloud by farthest-point sampling from index 0, and their neighbours in it.
struct PctGroups {
  at::Tensor xyz;         // [B,S,3]
  at::Tensor picked;      // [B,S] int64
  at::Tensor neighbours;  // [B,S,min(k,N)] int64
};
PctGroups MakeGroups(const at::Tensor& xyz, int64_t num, int64_t num_neighbours, Sampling sampling);

// (neighbour - centre, centre) for features [B,N,C] of the cloud: [B,S,k,2C].
at::Tensor GroupFeatures(const at::Tensor& features, const PctGroups& groups);

// Neighbour embedding: two convolutions and the maximum over neighbours. State: "conv1", "conv2",
// "bn1", "bn2". Source: Local_op.
class LocalOp : public torch::nn::Module {
 public:
  LocalOp(int64_t in, int64_t out);

  // [B,S,out] from grouped [B,S,k,in].
  at::Tensor Forward(const at::Tensor& grouped) const;

 private:
  PctConv conv1_, conv2_;
};

struct PctConfig {
  int64_t input_dim = 3;  // of which the first three are the position
  int64_t num_classes = 40;
  std::vector<int64_t> num_picked = {512, 256};
  int64_t num_neighbours = 32;
  Sampling sampling = Sampling::kAll;
  double head_slope = 0.0;  // of the activations between the last linear layers
  bool positions = false;   // enter every attention layer, in place of the second convolution
  double dropout = 0.5;
};

// The two published ports. PCT_Pytorch samples as the CUDA extension does and has a leaky head;
// `positions` is its model_new.py.
// Source: qq456cvb/Point-Transformers models/Menghao; Strawberry-Eat-Mango/PCT_Pytorch.
PctConfig MenghaoConfig(int64_t input_dim, int64_t num_classes);
PctConfig PctPytorchConfig(bool positions, int64_t num_classes);

// Classification. State under the names that both ports share. 2,876,136 parameters for 3 inputs
// and 40 classes.
class PctClassification final : public torch::nn::Module {
 public:
  explicit PctClassification(const PctConfig& config);

  void Initialize(uint64_t seed) { InitializeLayers(*this, seed); }

  const PctConfig& config() const { return config_; }

  // One entry for each of config().num_picked; positions only, so that one batch serves any number
  // of forward passes. xyz [B,N,3].
  std::vector<PctGroups> Groups(const at::Tensor& xyz) const;

  // Logits [B,num_classes] from points [B,N,input_dim].
  at::Tensor Forward(const at::Tensor& points) const;
  at::Tensor Forward(const at::Tensor& points, const std::vector<PctGroups>& groups) const;

 private:
  at::Tensor Attend(const at::Tensor& embedded, const at::Tensor& xyz) const;
  at::Tensor Classify(const at::Tensor& pooled) const;

  PctConfig config_;
  PctConv conv1_, conv2_;
  std::shared_ptr<LocalOp> local0_, local1_;
  PctConv last1_, last2_;  // last2_ is null with positions
  std::shared_ptr<ElasticLinear> pos_xyz_;
  std::vector<std::shared_ptr<OffsetAttention>> attention_;
  PctConv fuse_, linear1_, linear2_;
  std::shared_ptr<ElasticLinear> linear3_;
};

// Part segmentation, the only network of the official (Jittor) repository that runs as published.
// 2,446,130 parameters for 50 parts. Source: MenghaoGuo/PCT networks/seg/pct_partseg.py.
class PctPartSegmentation final : public torch::nn::Module {
 public:
  explicit PctPartSegmentation(int64_t num_parts, double dropout = 0.5);

  void Initialize(uint64_t seed) { InitializeLayers(*this, seed); }

  // Logits [B,N,num_parts] from xyz [B,N,3] and category [B,16], one-hot.
  at::Tensor Forward(const at::Tensor& xyz, const at::Tensor& category) const;

 private:
  double dropout_;
  PctConv conv1_, conv2_;
  std::vector<std::shared_ptr<OffsetAttention>> attention_;
  PctConv fuse_, label_, convs1_, convs2_;
  std::shared_ptr<ElasticLinear> convs3_;
};

}  // namespace voxbit::supernet
