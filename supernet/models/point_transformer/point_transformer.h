// Point Transformer (Zhao et al., ICCV 2021) as the repository of the seed has it: vector attention
// among nearest neighbours, for part segmentation and for classification.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "supernet/nn/elastic.h"
#include "supernet/nn/mlp.h"

namespace voxbit::supernet {

struct PointTransformerConfig {
  enum class Task { kSegmentation, kClassification };

  Task task = Task::kSegmentation;
  int64_t num_points = 1024;    // of the input; every level has a quarter of the one before
  int64_t num_blocks = 4;       // levels below the input's; widths 64, 128, ...
  int64_t num_neighbours = 16;  // fewer where a level has fewer points
  int64_t model_dim = 512;      // channels inside every attention block
  int64_t input_dim = 22;       // of which the first three are the position
  int64_t num_classes = 50;
  // Entries of one tensor [points, neighbours, model_dim] that an attention block holds at once.
  // Above it, the block runs piece by piece and its backward pass computes the pieces again.
  int64_t piece_entries = int64_t{1} << 24;
};

// One resolution of a batch of point clouds: all that depends on positions only, so that one batch
// serves any number of forward passes. `xyz` is [B,N,3]; indices are int64.
struct PointLevel {
  at::Tensor xyz;
  at::Tensor neighbours;  // [B,N,min(k,N)] of each point among this level's, itself included
  at::Tensor picked;      // [B,N] which points of the finer level these are; undefined at the first
};

// The level of the points xyz [B,N,3] themselves, and one that `num` of them make, picked by
// farthest-point sampling from index 0. (The original starts at a random index.)
PointLevel MakeLevel(const at::Tensor& xyz, int64_t num_neighbours);
PointLevel Coarsen(const PointLevel& fine, int64_t num, int64_t num_neighbours);

// Vector attention with relative position encoding, and a residual connection. State: "fc1",
// "fc2", "fc_delta.0/2", "fc_gamma.0/2", "w_qs", "w_ks", "w_vs".
// Source: models/transformer.py. Unlike the paper, logits are divided by sqrt(model_dim).
class TransformerBlock : public torch::nn::Module {
 public:
  // `piece_entries` as in PointTransformerConfig.
  TransformerBlock(int64_t channels, int64_t model_dim, int64_t piece_entries);

  // [B,N,channels] from features [B,N,channels] at the points of `level`. Where `attention` is
  // given, it receives the weights [B,N,k,model_dim] and the block runs in one piece.
  at::Tensor Forward(const PointLevel& level, const at::Tensor& features,
                     at::Tensor* attention = nullptr) const;

 private:
  int64_t piece_entries_;
  std::shared_ptr<ElasticLinear> fc1_, fc2_;
  std::shared_ptr<Mlp> fc_delta_, fc_gamma_;
  std::shared_ptr<ElasticLinear> w_qs_, w_ks_, w_vs_;
};

// To the points of a coarser level: two layers with batch norm on the (relative position,
// features) of each point's neighbours in the finer level, then their maximum. State:
// "sa.mlp_convs.i", "sa.mlp_bns.i". Source: models/model.py, utils/pointnet_util.py.
class TransitionDown : public torch::nn::Module {
 public:
  TransitionDown(int64_t in, int64_t out);

  // [B,S,out] from features [B,N,in] of the level that `coarse` was made from.
  at::Tensor Forward(const PointLevel& fine, const PointLevel& coarse,
                     const at::Tensor& features) const;

 private:
  std::vector<std::shared_ptr<ElasticLinear>> convs_;
  std::vector<std::shared_ptr<ElasticBatchNorm>> norms_;
};

// To the points of a finer level: interpolated coarse features plus those of the encoder, each
// behind a linear layer, batch norm and ReLU. State: "fc1.0", "fc1.2", "fc2.0", "fc2.2".
class TransitionUp : public torch::nn::Module {
 public:
  TransitionUp(int64_t coarse_channels, int64_t fine_channels, int64_t out);

  // [B,N,out] from coarse_features [B,S,coarse_channels] and fine_features [B,N,fine_channels].
  at::Tensor Forward(const at::Tensor& coarse_xyz, const at::Tensor& coarse_features,
                     const at::Tensor& fine_xyz, const at::Tensor& fine_features) const;

 private:
  struct LinearNorm {
    std::shared_ptr<ElasticLinear> linear;
    std::shared_ptr<ElasticBatchNorm> norm;
  };
  LinearNorm fc1_, fc2_;
};

// The layers of the network, registered below a module under the official names.
class PointTransformerBody {
 public:
  // `root` owns the layers and outlives this object.
  // Requires: num_points >= 4^num_blocks, every number positive.
  PointTransformerBody(torch::nn::Module& root, const PointTransformerConfig& config);

  void Initialize(uint64_t seed) { InitializeLayers(root_, seed); }

  const PointTransformerConfig& config() const { return config_; }

  // The levels of xyz [B,N,3], finest first, num_blocks + 1 of them.
  // Requires: N >= num_points / 4.
  std::vector<PointLevel> Levels(const at::Tensor& xyz) const;

  // Logits from points [B,N,input_dim]: [B,N,num_classes] for segmentation, [B,num_classes] for
  // classification. `levels` are those of the first three columns.
  at::Tensor Forward(const at::Tensor& points) const;
  at::Tensor Forward(const at::Tensor& points, const std::vector<PointLevel>& levels) const;

 private:
  std::shared_ptr<TransformerBlock> AddBlock(const std::string& path, int64_t channels);
  // Features of every level, finest first.
  std::vector<at::Tensor> Encode(const at::Tensor& points,
                                 const std::vector<PointLevel>& levels) const;
  at::Tensor Decode(const std::vector<at::Tensor>& encoded,
                    const std::vector<PointLevel>& levels) const;

  torch::nn::Module& root_;
  PointTransformerConfig config_;
  std::shared_ptr<Mlp> fc1_, fc2_, fc3_;
  std::vector<std::shared_ptr<TransformerBlock>> encoder_blocks_;  // finest level first
  std::vector<std::shared_ptr<TransitionDown>> downs_;
  std::vector<std::shared_ptr<TransformerBlock>> decoder_blocks_;  // coarsest level first
  std::vector<std::shared_ptr<TransitionUp>> ups_;
};

// A fixed network. 19,397,362 parameters as published for part segmentation.
class PointTransformer final : public torch::nn::Module {
 public:
  explicit PointTransformer(const PointTransformerConfig& config) : body_(*this, config) {}
  at::Tensor Forward(const at::Tensor& points) const { return body_.Forward(points); }
  PointTransformerBody& body() { return body_; }

 private:
  PointTransformerBody body_;
};

}  // namespace voxbit::supernet
