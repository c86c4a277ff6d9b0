#include "supernet/models/point_transformer/point_transformer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "common/check.h"
#include "supernet/nn/module_tree.h"
#include "supernet/nn/recompute.h"
#include "supernet/ops/cloud_cache.h"

namespace voxbit::supernet {
namespace {

constexpr LinearForm kNoBias = {false, 0};
constexpr LinearForm kPointwiseConv2d = {true, 2};

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
  const int64_t dim = in.queries.size(1);
  const at::Tensor delta =
      fc_delta.Forward(in.centres.unsqueeze(1) - GatherRows(in.xyz, in.index), dim);
  const at::Tensor logits =
      fc_gamma.Forward(in.queries.unsqueeze(1) - GatherRows(in.keys, in.index) + delta, dim);
  const double scale = std::sqrt(static_cast<double>(dim));
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
  return {xyz, NearestNeighbours(xyz, xyz, num_neighbours), {}, {}};
}

PointLevel Coarsen(const PointLevel& fine, int64_t num, int64_t num_neighbours) {
  const at::Tensor picked = FarthestPointSample(fine.xyz, num);
  PointLevel coarse = MakeLevel(GatherPoints(fine.xyz, picked), num_neighbours);
  coarse.picked = picked;
  coarse.to_finer = FindInterpolation(fine.xyz, coarse.xyz);
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
                                     int64_t model_dim, at::Tensor* attention) const {
  const at::Tensor x = fc1_->Forward(features.flatten(0, 1), model_dim);
  const at::Tensor xyz = level.xyz.flatten(0, 1);
  const AttentionInputs all = {xyz, w_qs_->Forward(x, model_dim), NumberThrough(level.neighbours),
                               xyz, w_ks_->Forward(x, model_dim), w_vs_->Forward(x, model_dim)};
  const int64_t rows = xyz.size(0);
  const int64_t entries_per_row = all.index.size(1) * model_dim;
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

at::Tensor TransitionUp::Forward(const Interpolation& to_finer, const at::Tensor& coarse_features,
                                 const at::Tensor& fine_features) const {
  const at::Tensor coarse = fc1_.norm->Forward(fc1_.linear->Forward(coarse_features), {}, true);
  const at::Tensor fine = fc2_.norm->Forward(fc2_.linear->Forward(fine_features), {}, true);
  return Interpolate(coarse, to_finer) + fine;
}

// ---- network ----

PointTransformerBody::PointTransformerBody(torch::nn::Module& root,
                                           const PointTransformerArch& largest,
                                           int64_t piece_entries)
    : root_(root), largest_(largest), active_(largest) {
  const int64_t last = largest.last_level();
  const std::vector<BlockPlace> places = BlockPlaces(largest.task, last);
  VOXBIT_CHECK(last > 0 && places.size() == largest.blocks.size(),
               "an architecture has levels and its blocks");
  const auto add_blocks = [&](int64_t num) {
    for (int64_t i = 0; i < num; ++i) {
      const size_t at = blocks_.size();
      const PointTransformerArch::Block& block = largest.blocks[at];
      const int64_t channels = largest.ChannelsOf(places[at].level);
      blocks_.push_back(block.runs ? AddModule<TransformerBlock>(root, places[at].path, channels,
                                                                 block.model_dim, piece_entries)
                                   : nullptr);
    }
  };
  fc1_ = AddModule<Mlp>(root, "backbone.fc1", StemWidths(largest));
  add_blocks(1);
  for (int64_t i = 0; i < last; ++i) {
    downs_.push_back(AddModule<TransitionDown>(root,
                                               "backbone.transition_downs." + std::to_string(i),
                                               largest.ChannelsOf(i), largest.ChannelsOf(i + 1)));
  }
  add_blocks(last);
  fc2_ = AddModule<Mlp>(root, "fc2", CoarsestWidths(largest));
  if (largest.task == CloudTask::kSegmentation) {
    add_blocks(1);
    for (int64_t i = 0; i < last; ++i) {
      const int64_t channels = largest.ChannelsOf(last - 1 - i);
      ups_.push_back(AddModule<TransitionUp>(root, "transition_ups." + std::to_string(i),
                                             2 * channels, channels, channels));
    }
    add_blocks(last);
    fc3_ = AddModule<Mlp>(root, "fc3", FinestWidths(largest));
  }
  levels_key_ = "point_transformer";
  for (const int64_t k : largest.neighbours) levels_key_ += " " + std::to_string(k);
}

void PointTransformerBody::SetActive(const PointTransformerArch& arch) {
  PointTransformerArch elsewhere = arch;  // but for what may differ
  elsewhere.blocks = largest_.blocks;
  elsewhere.neighbours = largest_.neighbours;
  bool fits = elsewhere == largest_ && arch.blocks.size() == largest_.blocks.size() &&
              arch.neighbours.size() == largest_.neighbours.size();
  for (size_t i = 0; fits && i < arch.blocks.size(); ++i) {
    const PointTransformerArch::Block& block = arch.blocks[i];
    fits = !block.runs || (blocks_[i] != nullptr && block.model_dim > 0 &&
                           block.model_dim <= largest_.blocks[i].model_dim);
  }
  for (size_t i = 0; fits && i < arch.neighbours.size(); ++i) {
    fits = arch.neighbours[i] > 0 && arch.neighbours[i] <= largest_.neighbours[i];
  }
  VOXBIT_CHECK(fits, "the architecture does not fit into this network");
  active_ = arch;
}

std::vector<PointLevel> PointTransformerBody::Levels(const at::Tensor& xyz) const {
  std::vector<PointLevel> levels = {MakeLevel(xyz, largest_.neighbours[0])};
  for (size_t i = 1; i < largest_.neighbours.size(); ++i) {
    levels.push_back(Coarsen(levels.back(), xyz.size(1) >> (2 * i), largest_.neighbours[i]));
  }
  return levels;
}

at::Tensor PointTransformerBody::Forward(const NetInput& input) const {
  CheckClouds(input, largest_.input_dim, FewestPoints(largest_.last_level()));
  const auto levels = input.cloud_cache->Get<std::vector<PointLevel>>(
      levels_key_ + " " + input.clouds.device().str(),
      [&] { return Levels(CloudPositions(input.clouds)); });
  const at::Tensor logits = Forward(input.clouds, *levels);
  return largest_.task == CloudTask::kSegmentation ? logits.flatten(0, 1) : logits;
}

at::Tensor PointTransformerBody::Forward(const at::Tensor& points) const {
  return Forward(points, Levels(points.slice(2, 0, 3).contiguous()));
}

at::Tensor PointTransformerBody::Forward(const at::Tensor& points,
                                         const std::vector<PointLevel>& levels) const {
  TORCH_CHECK(points.dim() == 3 && points.size(2) == largest_.input_dim, "the network expects ",
              largest_.input_dim, " numbers per point, found ", points.sizes());
  std::vector<PointLevel> active = levels;
  for (size_t i = 0; i < active.size(); ++i) {
    const int64_t k = std::min(active_.neighbours[i], active[i].neighbours.size(2));
    active[i].neighbours = active[i].neighbours.narrow(2, 0, k);
  }
  const std::vector<at::Tensor> encoded = Encode(points, active);
  if (largest_.task == CloudTask::kClassification) return fc2_->Forward(encoded.back().mean(1));
  return Decode(encoded, active);
}

at::Tensor PointTransformerBody::RunBlock(size_t index, const PointLevel& level,
                                          const at::Tensor& features) const {
  const PointTransformerArch::Block& block = active_.blocks[index];
  if (!block.runs) return features;
  return blocks_[index]->Forward(level, features, block.model_dim);
}

std::vector<at::Tensor> PointTransformerBody::Encode(const at::Tensor& points,
                                                     const std::vector<PointLevel>& levels) const {
  std::vector<at::Tensor> encoded = {RunBlock(0, levels[0], fc1_->Forward(points))};
  for (size_t i = 0; i < downs_.size(); ++i) {
    const at::Tensor x = downs_[i]->Forward(levels[i], levels[i + 1], encoded[i]);
    encoded.push_back(RunBlock(i + 1, levels[i + 1], x));
  }
  return encoded;
}

at::Tensor PointTransformerBody::Decode(const std::vector<at::Tensor>& encoded,
                                        const std::vector<PointLevel>& levels) const {
  size_t block = encoded.size();  // the first of the decoder
  at::Tensor x = RunBlock(block++, levels.back(), fc2_->Forward(encoded.back()));
  for (size_t i = 0; i < ups_.size(); ++i) {
    const size_t fine = ups_.size() - 1 - i;
    x = ups_[i]->Forward(levels[fine + 1].to_finer, x, encoded[fine]);
    x = RunBlock(block++, levels[fine], x);
  }
  return fc3_->Forward(x);
}

}  // namespace voxbit::supernet
