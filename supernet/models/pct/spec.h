// PCT (Guo et al., Computational Visual Media 2021), for classification and part segmentation: its
// numbers, names and layer tables, and its search space. No torch.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/status.h"
#include "search/space/supernet_spec.h"
#include "supernet/models/cloud_spec.h"

namespace voxbit::supernet {

// The published classification networks. kPytorch samples as the CUDA extension does and has leaky
// activations in its head; kPytorchPositions adds the positions to the input of every attention
// layer, in the place of one convolution.
// Source: qq456cvb/Point-Transformers models/Menghao; Strawberry-Eat-Mango/PCT_Pytorch model.py,
// model_new.py.
enum class PctPort { kMenghao, kPytorch, kPytorchPositions };

// Those of ShapeNet-part.
inline constexpr int64_t kPctCategories = 16;

// One network. All widths are multiples of `channels`.
struct PctArch {
  CloudTask task = CloudTask::kClassification;
  int64_t input_dim = 3;  // numbers per point, of which the first three are the position
  int64_t num_classes = 40;
  int64_t categories = kPctCategories;  // part segmentation: the last columns are these, one-hot
  int64_t channels = 64;
  // Channels of queries and keys, by attention layer. There are places for kPctAttention layers;
  // where one is missing, the output of the layer before stands for its own.
  std::vector<int64_t> queries;
  // Classification: how many points are picked, twice, and of what number of neighbours each of
  // them then sees the features.
  PctPort port = PctPort::kPytorch;
  std::vector<int64_t> picked = {512, 256};
  std::vector<int64_t> neighbours = {32, 32};

  // Features that attention layers work on.
  int64_t attention_channels() const {
    return (task == CloudTask::kClassification ? 4 : 2) * channels;
  }
  friend bool operator==(const PctArch&, const PctArch&) = default;
};

inline constexpr int64_t kPctAttention = 4;

// The published networks. The one for part segmentation is the only network of the official
// (Jittor) repository that runs as published. Source: MenghaoGuo/PCT networks/seg/pct_partseg.py.
PctArch PublishedPct(PctPort port, int64_t input_dim, int64_t num_classes);
PctArch PublishedPctSegmentation(int64_t num_classes);

// Path of an attention layer, 0 to kPctAttention - 1, and what stands behind the names of its
// convolutions in the state dict.
std::string PctAttentionPath(CloudTask task, int64_t index);
std::string PctConvSuffix(CloudTask task);

// Every layer in the order of registration. Queries and keys share one weight and are computed
// once: one row, whose tensors are both names. Products of queries with keys and of attention with
// values are no layers and not counted.
search::LayerTable PctLayers(const PctArch& arch);

// A study's "supernet" object of kind "pct". The defaults are the network of PCT_Pytorch; lists of
// more than one choice make a space.
struct PctConfig {
  std::string kind = "pct";
  std::string task = "classification";
  std::string port = "pct_pytorch";
  int64_t categories = kPctCategories;
  int64_t channels = 64;
  std::vector<int64_t> picked = {512, 256};
  std::vector<int64_t> neighbours = {32};
  std::vector<int64_t> attention_layers = {kPctAttention};
  std::vector<double> query_ratios = {1.0};
  double dropout = 0.5;
};

Result<PctConfig> ParsePctConfig(const Json& config, const std::string& pointer);

// Dimensions: "attention_layers"; "<path of an attention layer>.query_channels" for each; for
// classification "group<i>.neighbours".
class PctSpec final : public search::SupernetSpec {
 public:
  explicit PctSpec(const PctConfig& config);

  const search::SearchSpace& space() const override { return space_; }
  search::InputForm input_form() const override { return search::InputForm::kClouds; }
  bool classifies_clouds() const override { return config_.task == "classification"; }
  int64_t min_points() const override { return classifies_clouds() ? config_.picked[0] : 1; }
  std::map<std::string, int64_t> CloudWorkload(int64_t points) const override;
  Json config() const override;
  search::LayerTable Expand(const search::Candidate& candidate, int64_t in_channels,
                            int64_t num_classes) const override;
  Json Describe(const search::Candidate& candidate) const override;

  const PctConfig& settings() const { return config_; }
  // Fewest input channels: positions, and the category for segmentation.
  int64_t min_channels() const;
  PctArch Arch(const search::Candidate& candidate, int64_t in_channels, int64_t num_classes) const;
  // The architecture that weights are allocated for.
  PctArch Largest(int64_t in_channels, int64_t num_classes) const {
    return Arch(space_.Largest(), in_channels, num_classes);
  }

 private:
  PctConfig config_;
  search::SearchSpace space_;
};

}  // namespace voxbit::supernet
