#include "supernet/models/pct/pct.h"

#include <torch/torch.h>

#include <algorithm>

#include "common/check.h"
#include "supernet/nn/module_tree.h"
#include "supernet/ops/cloud_cache.h"

namespace voxbit::supernet {
namespace {

constexpr double kLeakySlope = 0.2;
constexpr LinearForm kMatrix = {false, 0};
constexpr LinearForm kConv = {false, 1};
constexpr LinearForm kConvWithBias = {true, 1};

// The name that a module has beside its parameter's owner: q_conv and k_conv are one weight. As a
// buffer it is in the state dict under both names and yet only one parameter.
class SharedWeight : public torch::nn::Module {
 public:
  explicit SharedWeight(const at::Tensor& weight) { register_buffer("weight", weight); }
};

PctConv AddConv(torch::nn::Module& root, const std::string& conv, const std::string& norm,
                int64_t in, int64_t out, const LinearForm& form = kConv) {
  return {AddModule<ElasticLinear>(root, conv, in, out, form),
          AddModule<ElasticBatchNorm>(root, norm, out)};
}

at::Tensor MaxOver(const at::Tensor& x, int64_t axis) { return std::get<0>(x.max(axis)); }

}  // namespace

at::Tensor PctConv::Forward(const at::Tensor& x, double slope) const {
  const at::Tensor y = norm->Forward(conv->Forward(x), {}, /*relu=*/slope == 0.0);
  return slope == 0.0 ? y : at::leaky_relu(y, slope);
}

// ---- layers ----

OffsetAttention::OffsetAttention(int64_t channels, int64_t queries, const std::string& wrapper) {
  q_conv_ = AddModule<ElasticLinear>(*this, "q_conv" + wrapper, channels, queries, kConv);
  AddModule<SharedWeight>(*this, "k_conv" + wrapper, q_conv_->weight);
  v_conv_ = AddModule<ElasticLinear>(*this, "v_conv" + wrapper, channels, channels, kConvWithBias);
  trans_conv_ =
      AddModule<ElasticLinear>(*this, "trans_conv" + wrapper, channels, channels, kConvWithBias);
  after_norm_ = AddModule<ElasticBatchNorm>(*this, "after_norm", channels);
}

at::Tensor OffsetAttention::Forward(const at::Tensor& x, int64_t queries, Maps* maps) const {
  const at::Tensor both = q_conv_->Forward(x, queries);  // queries, and keys
  const at::Tensor energy = at::bmm(both, both.transpose(1, 2));
  at::Tensor attention = at::softmax(energy, 2);
  attention = attention / (1e-9 + attention.sum(1, /*keepdim=*/true));
  if (maps != nullptr) *maps = {energy, attention};
  const at::Tensor read = at::bmm(attention.transpose(1, 2), v_conv_->Forward(x));
  return x + after_norm_->Forward(trans_conv_->Forward(x - read), {}, /*relu=*/true);
}

PctGroups MakeGroups(const at::Tensor& xyz, int64_t num, int64_t num_neighbours,
                     Sampling sampling) {
  PctGroups groups;
  groups.picked = FarthestPointSample(xyz, num, /*first=*/0, sampling);
  groups.xyz = GatherPoints(xyz, groups.picked);
  groups.neighbours = NearestNeighbours(groups.xyz, xyz, num_neighbours);
  return groups;
}

at::Tensor GroupFeatures(const at::Tensor& features, const PctGroups& groups) {
  const at::Tensor centres = GatherPoints(features, groups.picked).unsqueeze(2);
  const at::Tensor near = GatherPoints(features, groups.neighbours);
  return at::cat({near - centres, centres.expand_as(near)}, 3);
}

LocalOp::LocalOp(int64_t in, int64_t out) {
  conv1_ = AddConv(*this, "conv1", "bn1", in, out);
  conv2_ = AddConv(*this, "conv2", "bn2", out, out);
}

at::Tensor LocalOp::Forward(const at::Tensor& grouped) const {
  return MaxOver(conv2_.Forward(conv1_.Forward(grouped)), 2);
}

// ---- what both networks have ----

void PctBody::SetActive(const PctArch& arch) {
  PctArch elsewhere = arch;  // but for what may differ
  elsewhere.queries = largest_.queries;
  elsewhere.neighbours = largest_.neighbours;
  bool fits = elsewhere == largest_ && !arch.queries.empty() &&
              arch.queries.size() <= largest_.queries.size() &&
              arch.neighbours.size() == largest_.neighbours.size();
  for (size_t i = 0; fits && i < arch.queries.size(); ++i) {
    fits = arch.queries[i] > 0 && arch.queries[i] <= largest_.queries[i];
  }
  for (size_t i = 0; fits && i < arch.neighbours.size(); ++i) {
    fits = arch.neighbours[i] > 0 && arch.neighbours[i] <= largest_.neighbours[i];
  }
  VOXBIT_CHECK(fits, "the architecture does not fit into this network");
  active_ = arch;
}

void PctBody::AddAttention() {
  for (size_t i = 0; i < largest_.queries.size(); ++i) {
    attention_.push_back(AddModule<OffsetAttention>(
        root_, PctAttentionPath(largest_.task, static_cast<int64_t>(i)),
        largest_.attention_channels(), largest_.queries[i], PctConvSuffix(largest_.task)));
  }
}

at::Tensor PctBody::InSeries(at::Tensor x, const at::Tensor& position) const {
  std::vector<at::Tensor> outputs;
  for (size_t i = 0; i < static_cast<size_t>(kPctAttention); ++i) {
    if (i < active_.queries.size()) {
      x = attention_[i]->Forward(position.defined() ? x + position : x, active_.queries[i]);
    }
    outputs.push_back(x);
  }
  return at::cat(outputs, -1);
}

at::Tensor PctBody::Dropout(const at::Tensor& x) const {
  return at::dropout(x, dropout_, root_.is_training() && dropout_ > 0);
}

std::unique_ptr<PctBody> MakePctBody(torch::nn::Module& root, const PctArch& largest,
                                     double dropout) {
  if (largest.task == CloudTask::kSegmentation) {
    return std::make_unique<PctPartSegmentation>(root, largest, dropout);
  }
  return std::make_unique<PctClassification>(root, largest, dropout);
}

// ---- classification ----

PctClassification::PctClassification(torch::nn::Module& root, const PctArch& largest,
                                     double dropout)
    : PctBody(root, largest, dropout) {
  VOXBIT_CHECK(largest.picked.size() == 2 && largest.neighbours.size() == 2,
               "PCT embeds neighbours twice");
  const int64_t unit = largest.channels;
  const int64_t width = largest.attention_channels();
  conv1_ = AddConv(root, "conv1", "bn1", largest.input_dim, unit);
  conv2_ = AddConv(root, "conv2", "bn2", unit, unit);
  local0_ = AddModule<LocalOp>(root, "gather_local_0", 2 * unit, 2 * unit);
  local1_ = AddModule<LocalOp>(root, "gather_local_1", width, width);
  last1_ = AddConv(root, "pt_last.conv1", "pt_last.bn1", width, width);
  if (largest.port == PctPort::kPytorchPositions) {
    pos_xyz_ = AddModule<ElasticLinear>(root, "pt_last.pos_xyz", 3, width, kConvWithBias);
  } else {
    last2_ = AddConv(root, "pt_last.conv2", "pt_last.bn2", width, width);
  }
  AddAttention();
  fuse_ = AddConv(root, "conv_fuse.0", "conv_fuse.1", (kPctAttention + 1) * width, 16 * unit);
  linear1_ = AddConv(root, "linear1", "bn6", 16 * unit, 8 * unit, kMatrix);
  linear2_ = AddConv(root, "linear2", "bn7", 8 * unit, 4 * unit, {});
  linear3_ = AddModule<ElasticLinear>(root, "linear3", 4 * unit, largest.num_classes);
  groups_key_ = largest.port == PctPort::kMenghao ? "pct" : "pct cuda";
  for (size_t i = 0; i < 2; ++i) {
    groups_key_ +=
        " " + std::to_string(largest.picked[i]) + "/" + std::to_string(largest.neighbours[i]);
  }
}

std::vector<PctGroups> PctClassification::Groups(const at::Tensor& xyz) const {
  const Sampling sampling =
      largest().port == PctPort::kMenghao ? Sampling::kAll : Sampling::kSkipNearOrigin;
  std::vector<PctGroups> groups;
  for (size_t i = 0; i < 2; ++i) {
    groups.push_back(MakeGroups(i == 0 ? xyz : groups[0].xyz, largest().picked[i],
                                largest().neighbours[i], sampling));
  }
  return groups;
}

at::Tensor PctClassification::Forward(const NetInput& input) const {
  CheckClouds(input, largest().input_dim, largest().picked[0]);
  const auto groups = input.cloud_cache->Get<std::vector<PctGroups>>(
      groups_key_ + " " + input.clouds.device().str(),
      [&] { return Groups(CloudPositions(input.clouds)); });
  return Forward(input.clouds, *groups);
}

at::Tensor PctClassification::Forward(const at::Tensor& points) const {
  return Forward(points, Groups(points.slice(2, 0, 3).contiguous()));
}

at::Tensor PctClassification::Forward(const at::Tensor& points,
                                      const std::vector<PctGroups>& groups) const {
  TORCH_CHECK(points.dim() == 3 && points.size(2) == largest().input_dim, "the network expects ",
              largest().input_dim, " numbers per point, found ", points.sizes());
  std::vector<PctGroups> near = groups;
  for (size_t i = 0; i < near.size(); ++i) {
    const int64_t k = std::min(active().neighbours[i], near[i].neighbours.size(2));
    near[i].neighbours = near[i].neighbours.narrow(2, 0, k);
  }
  at::Tensor x = conv2_.Forward(conv1_.Forward(points));
  x = local0_->Forward(GroupFeatures(x, near[0]));
  const at::Tensor embedded = local1_->Forward(GroupFeatures(x, near[1]));
  x = at::cat({Attend(embedded, near[1].xyz), embedded}, 2);
  return Classify(MaxOver(fuse_.Forward(x, kLeakySlope), 1));
}

at::Tensor PctClassification::Attend(const at::Tensor& embedded, const at::Tensor& xyz) const {
  const at::Tensor x = last1_.Forward(embedded);
  if (pos_xyz_ != nullptr) return InSeries(x, pos_xyz_->Forward(xyz));
  return InSeries(last2_.Forward(x), {});
}

at::Tensor PctClassification::Classify(const at::Tensor& pooled) const {
  const double slope = largest().port == PctPort::kMenghao ? 0.0 : kLeakySlope;
  const at::Tensor x = Dropout(linear1_.Forward(pooled, slope));
  return linear3_->Forward(Dropout(linear2_.Forward(x, slope)));
}

// ---- part segmentation ----

PctPartSegmentation::PctPartSegmentation(torch::nn::Module& root, const PctArch& largest,
                                         double dropout)
    : PctBody(root, largest, dropout) {
  const int64_t unit = largest.channels;
  const int64_t width = largest.attention_channels();
  const int64_t fused = 16 * unit;
  conv1_ = AddConv(root, "conv1.conv", "bn1", 3, width);
  conv2_ = AddConv(root, "conv2.conv", "bn2", width, width);
  AddAttention();
  fuse_ = AddConv(root, "conv_fuse.0.conv", "conv_fuse.1", kPctAttention * width, fused);
  label_ = AddConv(root, "label_conv.0.conv", "label_conv.1", largest.categories, unit);
  convs1_ = AddConv(root, "convs1.conv", "bns1", 3 * fused + unit, 8 * unit, kConvWithBias);
  convs2_ = AddConv(root, "convs2.conv", "bns2", 8 * unit, 4 * unit, kConvWithBias);
  convs3_ =
      AddModule<ElasticLinear>(root, "convs3.conv", 4 * unit, largest.num_classes, kConvWithBias);
}

at::Tensor PctPartSegmentation::Forward(const NetInput& input) const {
  CheckClouds(input, largest().input_dim, /*min_points=*/1);
  const auto xyz = input.cloud_cache->Get<at::Tensor>("positions " + input.clouds.device().str(),
                                                      [&] { return CloudPositions(input.clouds); });
  const at::Tensor category = input.clouds.select(1, 0).slice(1, -largest().categories);
  return Forward(*xyz, category).flatten(0, 1);
}

at::Tensor PctPartSegmentation::Forward(const at::Tensor& xyz, const at::Tensor& category) const {
  TORCH_CHECK(xyz.dim() == 3 && xyz.size(2) == 3 && category.dim() == 2 &&
                  category.size(1) == largest().categories,
              "the network expects positions and one-hot categories");
  at::Tensor x = conv2_.Forward(conv1_.Forward(xyz));
  x = fuse_.Forward(InSeries(x, {}), kLeakySlope);
  const at::Tensor global =
      at::cat({MaxOver(x, 1), x.mean(1), label_.Forward(category, kLeakySlope)}, 1);
  x = at::cat({x, global.unsqueeze(1).expand({-1, x.size(1), -1})}, 2);
  return convs3_->Forward(convs2_.Forward(Dropout(convs1_.Forward(x))));
}

}  // namespace voxbit::supernet
