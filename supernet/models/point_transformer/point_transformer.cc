#include "supernet/models/point_transformer/point_transformer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "common/check.h"
#include "supernet/nn/module_tree.h"
#include "supernet/nn/recompute.h"
#include "supernet/ops/neighbours.h"

namespace voxbit::supernet {
namespace {

constexpr int64_t kBaseChannels = 32;  // of the finest level; doubled at each coarser one
constexpr LinearForm kNoBias = {false, 0};
constexpr LinearForm kPointwiseConv2d = {true, 2};

int64_t ChannelsOf(int64_t level) { return kBaseChannels << level; }

// Rows of feats [R,C] at index [T,k]: [T,k,C].
at::Tensor GatherRows(const at::Tensor& feats, const at::Tensor& index) {
  return GatherPoints(feats.unsqueeze(0), index.unsqueeze(0)).squeeze(0);
}

// What the attention of some points reads. Points of all clouds of a batch are numbered through.
struct AttentionInputs {
  at::Tensor centres;       // [T,3] positions of the points
  at::Tensor queries;       // [T,C]
  at::Tensor index;         // [T,k] their neighbours
  at::Tensor xyz;           // [R,3] positions of all points
  at::Tensor keys, values;  // [R,C]
};

// [T,C]; fills `weights` [T,k,C] if given.
at::Tensor Attend(const Mlp& fc_delta, const Mlp& fc_gamma, const AttentionInputs& in,
                  at::Tensor* weights) {
  const at::Tensor delta = fc_delta.Forward(in.centres.unsqueeze(1) - GatherRows(in.xyz, in.index));
  const at::Tensor logits =
      fc_gamma.Forward(in.queries.unsqueeze(1) - GatherRows(in.keys, in.index) + delta);
  const double scale = std::sqrt(static_cast<double>(in.keys.size(1)));
  const at::Tensor softmax = at::softmax(logits / scale, 1);
  if (weights != nullptr) *weights = softmax;
  return (softmax * (GatherRows(in.values, in.index) + delta)).sum(1);
}

// Indices [B,N,k] into the clouds as indices into all points of the batch, [B*N,k].
at::Tensor NumberThrough(const at::Tensor& index) {
  const at::Tensor first = at::arange(index.size(0), index.options()) * index.size(1);
  return (index + first.view({-1, 1, 1})).flatten(0, 1);
}

}  // namespace

PointLevel MakeLevel(const at::Tensor& xyz, int64_t num_neighbours) {
  return {xyz, NearestNeighbours(xyz, xyz, num_neighbours), {}};
}

PointLevel Coarsen(const PointLevel& fine, int64_t num, int64_t num_neighbours) {
  const at::Tensor picked = FarthestPointSample(fine.xyz, num);
  PointLevel coarse = MakeLevel(GatherPoints(fine.xyz, picked), num_neighbours);
  coarse.picked = picked;
  return coarse;
}

// ---- attention ----

TransformerBlock::TransformerBlock(int64_t channels, int64_t model_dim, int64_t piece_entries)
    : piece_entries_(piece_entries) {
  fc1_ = AddModule<ElasticLinear>(*this, "fc1", channels, model_dim);
  fc2_ = AddModule<ElasticLinear>(*this, "fc2", model_dim, channels);
  fc_delta_ = AddModule<Mlp>(*this, "fc_delta", std::vector<int64_t>{3, model_dim, model_dim});
  fc_gamma_ =
      AddModule<Mlp>(*this, "fc_gamma", std::vector<int64_t>{model_dim, model_dim, model_dim});
  w_qs_ = AddModule<ElasticLinear>(*this, "w_qs", model_dim, model_dim, kNoBias);
  w_ks_ = AddModule<ElasticLinear>(*this, "w_ks", model_dim, model_dim, kNoBias);
  w_vs_ = AddModule<ElasticLinear>(*this, "w_vs", model_dim, model_dim, kNoBias);
}

at::Tensor TransformerBlock::Forward(const PointLevel& level, const at::Tensor& features,
                                     at::Tensor* attention) const {
  const at::Tensor x = fc1_->Forward(features.flatten(0, 1));
  const at::Tensor xyz = level.xyz.flatten(0, 1);
  const AttentionInputs all = {xyz, w_qs_->Forward(x), NumberThrough(level.neighbours),
                               xyz, w_ks_->Forward(x), w_vs_->Forward(x)};
  const int64_t rows = xyz.size(0);
  const int64_t entries_per_row = all.index.size(1) * x.size(1);
  const int64_t piece = std::max<int64_t>(1, piece_entries_ / entries_per_row);
  at::Tensor y;
  if (attention != nullptr || rows <= piece) {
    y = Attend(*fc_delta_, *fc_gamma_, all, attention);
    if (attention != nullptr) {
      *attention = attention->unflatten(0, {level.xyz.size(0), level.xyz.size(1)});
    }
  } else {
    std::vector<at::Tensor> pieces;
    for (int64_t begin = 0; begin < rows; begin += piece) {
      const int64_t end = std::min(rows, begin + piece);
      // The layers are captured as owners: the backward pass may outlive this block.
      const auto body = [delta = fc_delta_, gamma = fc_gamma_,
                         index = all.index.slice(0, begin, end)](const auto& in) {
        return Attend(*delta, *gamma, {in[0], in[1], index, in[2], in[3], in[4]}, nullptr);
      };
      const std::vector<at::Tensor> inputs = {all.centres.slice(0, begin, end),
                                              all.queries.slice(0, begin, end), all.xyz, all.keys,
                                              all.values};
      // Without a gradient to pass on, nothing would compute a piece again.
      pieces.push_back(all.queries.requires_grad() ? Recomputed(body, inputs) : body(inputs));
    }
    y = at::cat(pieces);
  }
  return fc2_->Forward(y).view(features.sizes()) + features;
}

// ---- transitions ----

TransitionDown::TransitionDown(int64_t in, int64_t out) {
  for (int i = 0; i < 2; ++i) {
    const std::string name = std::to_string(i);
    convs_.push_back(AddModule<ElasticLinear>(*this, "sa.mlp_convs." + name, i == 0 ? in + 3 : out,
                                              out, kPointwiseConv2d));
    norms_.push_back(AddModule<ElasticBatchNorm>(*this, "sa.mlp_bns." + name, out));
  }
}

at::Tensor TransitionDown::Forward(const PointLevel& fine, const PointLevel& coarse,
                                   const at::Tensor& features) const {
  // A coarse point is one of the fine points, so its neighbours among them are known.
  const int64_t k = fine.neighbours.size(2);
  const at::Tensor neighbours =
      fine.neighbours.gather(1, coarse.picked.unsqueeze(2).expand({-1, -1, k}));
  const at::Tensor offsets = GatherPoints(fine.xyz, neighbours) - coarse.xyz.unsqueeze(2);
  at::Tensor x = at::cat({offsets, GatherPoints(features, neighbours)}, 3);
  for (size_t i = 0; i < convs_.size(); ++i) {
    x = norms_[i]->Forward(convs_[i]->Forward(x), {}, /*relu=*/true);
  }
  return std::get<0>(x.max(2));
}

TransitionUp::TransitionUp(int64_t coarse_channels, int64_t fine_channels, int64_t out) {
  const auto add = [&](const std::string& path, int64_t in) {
    LinearNorm layer;
    layer.linear = AddModule<ElasticLinear>(*this, path + ".0", in, out);
    // Places for the changes of layout around the batch norm, and for the ReLU: see Mlp.
    AddModule<ModuleGroup>(*this, path + ".1");
    layer.norm = AddModule<ElasticBatchNorm>(*this, path + ".2", out);
    AddModule<ModuleGroup>(*this, path + ".3");
    AddModule<ModuleGroup>(*this, path + ".4");
    return layer;
  };
  fc1_ = add("fc1", coarse_channels);
  fc2_ = add("fc2", fine_channels);
  AddModule<ModuleGroup>(*this, "fp.mlp_convs");
  AddModule<ModuleGroup>(*this, "fp.mlp_bns");
}

at::Tensor TransitionUp::Forward(const at::Tensor& coarse_xyz, const at::Tensor& coarse_features,
                                 const at::Tensor& fine_xyz,
                                 const at::Tensor& fine_features) const {
  const at::Tensor coarse = fc1_.norm->Forward(fc1_.linear->Forward(coarse_features), {}, true);
  const at::Tensor fine = fc2_.norm->Forward(fc2_.linear->Forward(fine_features), {}, true);
  return InterpolateNearest(fine_xyz, coarse_xyz, coarse) + fine;
}

// ---- network ----

PointTransformerBody::PointTransformerBody(torch::nn::Module& root,
                                           const PointTransformerConfig& config)
    : root_(root), config_(config) {
  const int64_t blocks = config.num_blocks;
  VOXBIT_CHECK(blocks > 0 && blocks < 16 && config.num_points >> (2 * blocks) > 0,
               "too few points for the number of levels");
  fc1_ = AddModule<Mlp>(root, "backbone.fc1",
                        std::vector<int64_t>{config.input_dim, kBaseChannels, kBaseChannels});
  encoder_blocks_.push_back(AddBlock("backbone.transformer1", kBaseChannels));
  for (int64_t i = 0; i < blocks; ++i) {
    const std::string name = std::to_string(i);
    downs_.push_back(AddModule<TransitionDown>(root, "backbone.transition_downs." + name,
                                               ChannelsOf(i), ChannelsOf(i + 1)));
    encoder_blocks_.push_back(AddBlock("backbone.transformers." + name, ChannelsOf(i + 1)));
  }
  const int64_t coarsest = ChannelsOf(blocks);
  if (config.task == PointTransformerConfig::Task::kClassification) {
    fc2_ = AddModule<Mlp>(root, "fc2", std::vector<int64_t>{coarsest, 256, 64, config.num_classes});
    return;
  }
  fc2_ = AddModule<Mlp>(root, "fc2", std::vector<int64_t>{coarsest, 512, 512, coarsest});
  decoder_blocks_.push_back(AddBlock("transformer2", coarsest));
  for (int64_t i = 0; i < blocks; ++i) {
    const std::string name = std::to_string(i);
    const int64_t channels = ChannelsOf(blocks - 1 - i);
    ups_.push_back(
        AddModule<TransitionUp>(root, "transition_ups." + name, 2 * channels, channels, channels));
    decoder_blocks_.push_back(AddBlock("transformers." + name, channels));
  }
  fc3_ =
      AddModule<Mlp>(root, "fc3", std::vector<int64_t>{kBaseChannels, 64, 64, config.num_classes});
}

std::shared_ptr<TransformerBlock> PointTransformerBody::AddBlock(const std::string& path,
                                                                 int64_t channels) {
  return AddModule<TransformerBlock>(root_, path, channels, config_.model_dim,
                                     config_.piece_entries);
}

std::vector<PointLevel> PointTransformerBody::Levels(const at::Tensor& xyz) const {
  std::vector<PointLevel> levels = {MakeLevel(xyz, config_.num_neighbours)};
  for (int64_t i = 1; i <= config_.num_blocks; ++i) {
    levels.push_back(Coarsen(levels.back(), config_.num_points >> (2 * i), config_.num_neighbours));
  }
  return levels;
}

at::Tensor PointTransformerBody::Forward(const at::Tensor& points) const {
  return Forward(points, Levels(points.slice(2, 0, 3).contiguous()));
}

at::Tensor PointTransformerBody::Forward(const at::Tensor& points,
                                         const std::vector<PointLevel>& levels) const {
  TORCH_CHECK(points.dim() == 3 && points.size(2) == config_.input_dim, "the network expects ",
              config_.input_dim, " numbers per point, found ", points.sizes());
  const std::vector<at::Tensor> encoded = Encode(points, levels);
  if (config_.task == PointTransformerConfig::Task::kClassification) {
    return fc2_->Forward(encoded.back().mean(1));
  }
  return Decode(encoded, levels);
}

std::vector<at::Tensor> PointTransformerBody::Encode(const at::Tensor& points,
                                                     const std::vector<PointLevel>& levels) const {
  std::vector<at::Tensor> encoded = {encoder_blocks_[0]->Forward(levels[0], fc1_->Forward(points))};
  for (size_t i = 0; i < downs_.size(); ++i) {
    const at::Tensor x = downs_[i]->Forward(levels[i], levels[i + 1], encoded[i]);
    encoded.push_back(encoder_blocks_[i + 1]->Forward(levels[i + 1], x));
  }
  return encoded;
}

at::Tensor PointTransformerBody::Decode(const std::vector<at::Tensor>& encoded,
                                        const std::vector<PointLevel>& levels) const {
  at::Tensor x = decoder_blocks_[0]->Forward(levels.back(), fc2_->Forward(encoded.back()));
  for (size_t i = 0; i < ups_.size(); ++i) {
    const size_t fine = ups_.size() - 1 - i;
    x = ups_[i]->Forward(levels[fine + 1].xyz, x, levels[fine].xyz, encoded[fine]);
    x = decoder_blocks_[i + 1]->Forward(levels[fine], x);
  }
  return fc3_->Forward(x);
}

}  // namespace voxbit::supernet
