// The layers of PCT (spec.h) as torch modules: offset attention over point features, for
// classification and for part segmentation. Points are rows here, [B,N,C], whatever the layout of
// the official code.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "supernet/models/pct/spec.h"
#include "supernet/models/supernet.h"
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

  // `queries`: channels of queries and keys, the largest number; channels / 4 as published.
  OffsetAttention(int64_t channels, int64_t queries, const std::string& wrapper = "");

  // [B,N,C] from x [B,N,C] by the first `queries` channels of queries and keys; fills `maps` if
  // given.
  at::Tensor Forward(const at::Tensor& x, int64_t queries, Maps* maps = nullptr) const;

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

// The layers of a network, registered below a module under the official names. Allocated for
// `largest`, run with any architecture that has leading slices of its weights.
class PctBody {
 public:
  virtual ~PctBody() = default;
  PctBody(const PctBody&) = delete;
  PctBody& operator=(const PctBody&) = delete;

  void Initialize(uint64_t seed) { InitializeLayers(root_, seed); }

  const PctArch& largest() const { return largest_; }
  const PctArch& active() const { return active_; }
  // Requires: no number of `arch` is above that of largest(); equal ones but for neighbours,
  // attention layers and their queries.
  void SetActive(const PctArch& arch);

  // See Network::Forward. What depends on positions is kept in the cache of the input.
  virtual at::Tensor Forward(const NetInput& input) const = 0;

 protected:
  // `root` owns the layers and outlives this object. `dropout` acts in the head while training.
  PctBody(torch::nn::Module& root, const PctArch& largest, double dropout)
      : root_(root), largest_(largest), active_(largest), dropout_(dropout) {}

  void AddAttention();
  // The outputs of all attention layers, run in series, side by side. `position` is added to the
  // input of every layer where it is defined.
  at::Tensor InSeries(at::Tensor x, const at::Tensor& position) const;
  at::Tensor Dropout(const at::Tensor& x) const;

 private:
  torch::nn::Module& root_;
  PctArch largest_;
  PctArch active_;
  double dropout_;
  std::vector<std::shared_ptr<OffsetAttention>> attention_;
};

// Classification. State under the names that both ports share. 2,876,136 parameters for 3 inputs
// and 40 classes.
class PctClassification final : public PctBody {
 public:
  PctClassification(torch::nn::Module& root, const PctArch& largest, double dropout);

  // One entry for each of picked, with the neighbours of largest(). xyz [B,N,3].
  std::vector<PctGroups> Groups(const at::Tensor& xyz) const;

  // Logits [B,num_classes] from points [B,N,input_dim].
  at::Tensor Forward(const at::Tensor& points) const;
  at::Tensor Forward(const at::Tensor& points, const std::vector<PctGroups>& groups) const;
  at::Tensor Forward(const NetInput& input) const override;

 private:
  at::Tensor Attend(const at::Tensor& embedded, const at::Tensor& xyz) const;
  at::Tensor Classify(const at::Tensor& pooled) const;

  std::string groups_key_;
  PctConv conv1_, conv2_;
  std::shared_ptr<LocalOp> local0_, local1_;
  PctConv last1_, last2_;  // last2_ is null with positions
  std::shared_ptr<ElasticLinear> pos_xyz_;
  PctConv fuse_, linear1_, linear2_;
  std::shared_ptr<ElasticLinear> linear3_;
};

// Part segmentation. 2,446,130 parameters for 50 parts.
class PctPartSegmentation final : public PctBody {
 public:
  PctPartSegmentation(torch::nn::Module& root, const PctArch& largest, double dropout);

  // Logits [B,N,num_classes] from xyz [B,N,3] and category [B,categories], one-hot.
  at::Tensor Forward(const at::Tensor& xyz, const at::Tensor& category) const;
  at::Tensor Forward(const NetInput& input) const override;

 private:
  PctConv conv1_, conv2_;
  PctConv fuse_, label_, convs1_, convs2_;
  std::shared_ptr<ElasticLinear> convs3_;
};

// The body for the task of `largest`.
std::unique_ptr<PctBody> MakePctBody(torch::nn::Module& root, const PctArch& largest,
                                     double dropout);

// A network of one architecture.
class Pct final : public Network {
 public:
  Pct(const PctArch& arch, double dropout) : body_(MakePctBody(*this, arch, dropout)) {}
  at::Tensor Forward(const NetInput& input) override { return body_->Forward(input); }
  PctBody& body() { return *body_; }

 private:
  std::unique_ptr<PctBody> body_;
};

}  // namespace voxbit::supernet
