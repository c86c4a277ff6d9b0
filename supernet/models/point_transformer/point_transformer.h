// The layers of the Point Transformer (spec.h) as torch modules: vector attention among nearest
// neighbours, for part segmentation and for classification.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "supernet/models/point_transformer/spec.h"
#include "supernet/models/supernet.h"
#include "supernet/nn/elastic.h"
#include "supernet/nn/mlp.h"
#include "supernet/ops/neighbours.h"

namespace voxbit::supernet {

// Entries of one tensor [points, neighbours, model_dim] that an attention block holds at once.
// Above it, the block runs piece by piece and its backward pass computes the pieces again.
inline constexpr int64_t kPieceEntries = int64_t{1} << 24;

// One resolution of a batch of point clouds: all that depends on positions only, so that one batch
// serves any number of forward passes. `xyz` is [B,N,3]; indices are int64.
struct PointLevel {
  at::Tensor xyz;
  at::Tensor neighbours;  // [B,N,min(k,N)] of each point among this level's, itself included
  // Undefined at the first level:
  at::Tensor picked;       // [B,N] which points of the finer level these are
  Interpolation to_finer;  // from these points to those of the finer level
};

// The level of the points xyz [B,N,3] themselves, and one that `num` of them make, picked by
// farthest-point sampling from index 0. (The original starts at a random index.) Of a level with
// more neighbours, the first ones are those of a level with fewer.
PointLevel MakeLevel(const at::Tensor& xyz, int64_t num_neighbours);
PointLevel Coarsen(const PointLevel& fine, int64_t num, int64_t num_neighbours);

// Vector attention with relative position encoding, and a residual connection. State: "fc1",
// "fc2", "fc_delta.0/2", "fc_gamma.0/2", "w_qs", "w_ks", "w_vs".
// Source: models/transformer.py. Unlike the paper, logits are divided by sqrt(model_dim).
class TransformerBlock : public torch::nn::Module {
 public:
  // `model_dim` is the largest.
  TransformerBlock(int64_t channels, int64_t model_dim, int64_t piece_entries = kPieceEntries);

  // [B,N,channels] from features [B,N,channels] at the points of `level`, by the first `model_dim`
  // channels inside. Where `attention` is given, it receives the weights [B,N,k,model_dim] and the
  // block runs in one piece.
  at::Tensor Forward(const PointLevel& level, const at::Tensor& features, int64_t model_dim,
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
  at::Tensor Forward(const Interpolation& to_finer, const at::Tensor& coarse_features,
                     const at::Tensor& fine_features) const;

 private:
  struct LinearNorm {
    std::shared_ptr<ElasticLinear> linear;
    std::shared_ptr<ElasticBatchNorm> norm;
  };
  LinearNorm fc1_, fc2_;
};

// The layers of the network, registered below a module under the official names. Allocated for
// `largest`, run with any architecture that has leading slices of its weights.
class PointTransformerBody {
 public:
  // `root` owns the layers and outlives this object. Blocks that do not run are left out.
  PointTransformerBody(torch::nn::Module& root, const PointTransformerArch& largest,
                       int64_t piece_entries = kPieceEntries);

  void Initialize(uint64_t seed) { InitializeLayers(root_, seed); }

  const PointTransformerArch& largest() const { return largest_; }
  const PointTransformerArch& active() const { return active_; }
  // Requires: no number of `arch` is above that of largest(); equal ones but for model dimensions,
  // neighbours and which blocks run.
  void SetActive(const PointTransformerArch& arch);

  // The levels of xyz [B,N,3], finest first, with the neighbours of largest().
  // Requires: N >= FewestPoints().
  std::vector<PointLevel> Levels(const at::Tensor& xyz) const;

  // Logits from points [B,N,input_dim]: [B,N,num_classes] for segmentation, [B,num_classes] for
  // classification. `levels` are those of the first three columns.
  at::Tensor Forward(const at::Tensor& points) const;
  at::Tensor Forward(const at::Tensor& points, const std::vector<PointLevel>& levels) const;
  // See Network::Forward. Levels are kept in the cache of the input.
  at::Tensor Forward(const NetInput& input) const;

 private:
  // Features behind block `index` of active().
  at::Tensor RunBlock(size_t index, const PointLevel& level, const at::Tensor& features) const;
  // Features of every level, finest first.
  std::vector<at::Tensor> Encode(const at::Tensor& points,
                                 const std::vector<PointLevel>& levels) const;
  at::Tensor Decode(const std::vector<at::Tensor>& encoded,
                    const std::vector<PointLevel>& levels) const;

  torch::nn::Module& root_;
  PointTransformerArch largest_;
  PointTransformerArch active_;
  std::string levels_key_;
  std::shared_ptr<Mlp> fc1_, fc2_, fc3_;
  std::vector<std::shared_ptr<TransformerBlock>> blocks_;  // null where one does not run
  std::vector<std::shared_ptr<TransitionDown>> downs_;
  std::vector<std::shared_ptr<TransitionUp>> ups_;
};

// A network of one architecture. 19,397,362 parameters as published for part segmentation.
class PointTransformer final : public Network {
 public:
  explicit PointTransformer(const PointTransformerArch& arch, int64_t piece_entries = kPieceEntries)
      : body_(*this, arch, piece_entries) {}
  at::Tensor Forward(const NetInput& input) override { return body_.Forward(input); }
  PointTransformerBody& body() { return body_; }

 private:
  PointTransformerBody body_;
};

}  // namespace voxbit::supernet
