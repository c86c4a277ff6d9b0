#include "supernet/models/pct/pct.h"

#include <torch/torch.h>

#include "common/check.h"
#include "supernet/nn/module_tree.h"

namespace voxbit::supernet {
namespace {

constexpr double kLeakySlope = 0.2;
constexpr int64_t kNumCategories = 16;  // of ShapeNetPart
constexpr int kNumAttention = 4;
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

// "sa1" ... "sa4" below `prefix`.
std::vector<std::shared_ptr<OffsetAttention>> AddAttention(torch::nn::Module& root,
                                                           const std::string& prefix,
                                                           int64_t channels,
                                                           const std::string& wrapper) {
  std::vector<std::shared_ptr<OffsetAttention>> layers;
  for (int i = 1; i <= kNumAttention; ++i) {
    layers.push_back(
        AddModule<OffsetAttention>(root, prefix + "sa" + std::to_string(i), channels, wrapper));
  }
  return layers;
}

// The outputs of all layers, run in series, side by side. `position` is added to the input of
// every layer where it is defined.
at::Tensor InSeries(const std::vector<std::shared_ptr<OffsetAttention>>& layers, at::Tensor x,
                    const at::Tensor& position) {
  std::vector<at::Tensor> outputs;
  for (const auto& layer : layers) {
    x = layer->Forward(position.defined() ? x + position : x);
    outputs.push_back(x);
  }
  return at::cat(outputs, -1);
}

at::Tensor MaxOver(const at::Tensor& x, int64_t axis) { return std::get<0>(x.max(axis)); }

}  // namespace

at::Tensor PctConv::Forward(const at::Tensor& x, double slope) const {
  const at::Tensor y = norm->Forward(conv->Forward(x), {}, /*relu=*/slope == 0.0);
  return slope == 0.0 ? y : at::leaky_relu(y, slope);
}

// ---- layers ----

OffsetAttention::OffsetAttention(int64_t channels, const std::string& wrapper) {
  q_conv_ = AddModule<ElasticLinear>(*this, "q_conv" + wrapper, channels, channels / 4, kConv);
  AddModule<SharedWeight>(*this, "k_conv" + wrapper, q_conv_->weight);
  v_conv_ = AddModule<ElasticLinear>(*this, "v_conv" + wrapper, channels, channels, kConvWithBias);
  trans_conv_ =
      AddModule<ElasticLinear>(*this, "trans_conv" + wrapper, channels, channels, kConvWithBias);
  after_norm_ = AddModule<ElasticBatchNorm>(*this, "after_norm", channels);
}

at::Tensor OffsetAttention::Forward(const at::Tensor& x, Maps* maps) const {
  const at::Tensor queries = q_conv_->Forward(x);  // and keys
  const at::Tensor energy = at::bmm(queries, queries.transpose(1, 2));
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

// ---- classification ----

PctConfig MenghaoConfig(int64_t input_dim, int64_t num_classes) {
  PctConfig config;
  config.input_dim = input_dim;
  config.num_classes = num_classes;
  return config;
}

PctConfig PctPytorchConfig(bool positions, int64_t num_classes) {
  PctConfig config;
  config.num_classes = num_classes;
  config.sampling = Sampling::kSkipNearOrigin;
  config.head_slope = kLeakySlope;
  config.positions = positions;
  return config;
}

PctClassification::PctClassification(const PctConfig& config) : config_(config) {
  VOXBIT_CHECK(config.num_picked.size() == 2, "PCT embeds neighbours twice");
  constexpr int64_t kChannels = 256;
  conv1_ = AddConv(*this, "conv1", "bn1", config.input_dim, 64);
  conv2_ = AddConv(*this, "conv2", "bn2", 64, 64);
  local0_ = AddModule<LocalOp>(*this, "gather_local_0", 128, 128);
  local1_ = AddModule<LocalOp>(*this, "gather_local_1", kChannels, kChannels);
  last1_ = AddConv(*this, "pt_last.conv1", "pt_last.bn1", kChannels, kChannels);
  if (config.positions) {
    pos_xyz_ = AddModule<ElasticLinear>(*this, "pt_last.pos_xyz", 3, kChannels, kConvWithBias);
  } else {
    last2_ = AddConv(*this, "pt_last.conv2", "pt_last.bn2", kChannels, kChannels);
  }
  attention_ = AddAttention(*this, "pt_last.", kChannels, "");
  fuse_ = AddConv(*this, "conv_fuse.0", "conv_fuse.1", (kNumAttention + 1) * kChannels, 1024);
  linear1_ = AddConv(*this, "linear1", "bn6", 1024, 512, kMatrix);
  linear2_ = AddConv(*this, "linear2", "bn7", 512, 256, {});
  linear3_ = AddModule<ElasticLinear>(*this, "linear3", 256, config.num_classes);
}

std::vector<PctGroups> PctClassification::Groups(const at::Tensor& xyz) const {
  std::vector<PctGroups> groups;
  for (const int64_t num : config_.num_picked) {
    groups.push_back(MakeGroups(groups.empty() ? xyz : groups.back().xyz, num,
                                config_.num_neighbours, config_.sampling));
  }
  return groups;
}

at::Tensor PctClassification::Forward(const at::Tensor& points) const {
  return Forward(points, Groups(points.slice(2, 0, 3).contiguous()));
}

at::Tensor PctClassification::Forward(const at::Tensor& points,
                                      const std::vector<PctGroups>& groups) const {
  TORCH_CHECK(points.dim() == 3 && points.size(2) == config_.input_dim, "the network expects ",
              config_.input_dim, " numbers per point, found ", points.sizes());
  at::Tensor x = conv2_.Forward(conv1_.Forward(points));
  x = local0_->Forward(GroupFeatures(x, groups[0]));
  const at::Tensor embedded = local1_->Forward(GroupFeatures(x, groups[1]));
  x = at::cat({Attend(embedded, groups[1].xyz), embedded}, 2);
  return Classify(MaxOver(fuse_.Forward(x, kLeakySlope), 1));
}

at::Tensor PctClassification::Attend(const at::Tensor& embedded, const at::Tensor& xyz) const {
  const at::Tensor x = last1_.Forward(embedded);
  if (config_.positions) return InSeries(attention_, x, pos_xyz_->Forward(xyz));
  return InSeries(attention_, last2_.Forward(x), {});
}

at::Tensor PctClassification::Classify(const at::Tensor& pooled) const {
  const double slope = config_.head_slope;
  at::Tensor x = at::dropout(linear1_.Forward(pooled, slope), config_.dropout, is_training());
  x = at::dropout(linear2_.Forward(x, slope), config_.dropout, is_training());
  return linear3_->Forward(x);
}

// ---- part segmentation ----

PctPartSegmentation::PctPartSegmentation(int64_t num_parts, double dropout) : dropout_(dropout) {
  constexpr int64_t kChannels = 128;
  constexpr int64_t kFused = 1024;
  constexpr int64_t kLabel = 64;
  conv1_ = AddConv(*this, "conv1.conv", "bn1", 3, kChannels);
  conv2_ = AddConv(*this, "conv2.conv", "bn2", kChannels, kChannels);
  attention_ = AddAttention(*this, "", kChannels, ".conv");
  fuse_ = AddConv(*this, "conv_fuse.0.conv", "conv_fuse.1", kNumAttention * kChannels, kFused);
  label_ = AddConv(*this, "label_conv.0.conv", "label_conv.1", kNumCategories, kLabel);
  convs1_ = AddConv(*this, "convs1.conv", "bns1", 3 * kFused + kLabel, 512, kConvWithBias);
  convs2_ = AddConv(*this, "convs2.conv", "bns2", 512, 256, kConvWithBias);
  convs3_ = AddModule<ElasticLinear>(*this, "convs3.conv", 256, num_parts, kConvWithBias);
}

at::Tensor PctPartSegmentation::Forward(const at::Tensor& xyz, const at::Tensor& category) const {
  TORCH_CHECK(xyz.dim() == 3 && xyz.size(2) == 3 && category.dim() == 2 &&
                  category.size(1) == kNumCategories,
              "the network expects positions and one-hot categories");
  at::Tensor x = conv2_.Forward(conv1_.Forward(xyz));
  x = fuse_.Forward(InSeries(attention_, x, {}), kLeakySlope);
  const at::Tensor global =
      at::cat({MaxOver(x, 1), x.mean(1), label_.Forward(category, kLeakySlope)}, 1);
  x = at::cat({x, global.unsqueeze(1).expand({-1, x.size(1), -1})}, 2);
  x = at::dropout(convs1_.Forward(x), dropout_, is_training());
  return convs3_->Forward(convs2_.Forward(x));
}

}  // namespace voxbit::supernet
