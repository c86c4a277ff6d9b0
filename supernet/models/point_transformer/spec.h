// The Point Transformer (Zhao et al., ICCV 2021) as the repository of the seed has it: its numbers,
// names and layer table, and its search space. No torch.
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

// One network. Level 0 is the input; every level has a quarter of the points of the one before
// (rounded down) and twice its channels.
struct PointTransformerArch {
  // An attention block; where it does not run, its input passes on.
  struct Block {
    bool runs = true;
    int64_t model_dim = 512;  // channels inside it
    friend bool operator==(const Block&, const Block&) = default;
  };

  CloudTask task = CloudTask::kSegmentation;
  int64_t input_dim = 22;  // numbers per point, of which the first three are the position
  int64_t num_classes = 50;
  int64_t channels = 32;            // of level 0
  std::vector<int64_t> neighbours;  // of a point among its level's, itself included; by level
  std::vector<Block> blocks;        // in the order of BlockPlaces()

  // The coarsest one.
  int64_t last_level() const { return static_cast<int64_t>(neighbours.size()) - 1; }
  int64_t ChannelsOf(int64_t level) const { return channels << level; }
  friend bool operator==(const PointTransformerArch&, const PointTransformerArch&) = default;
};

// The published network for 22 inputs and 50 classes, or one of other sizes: `levels` below the
// input's, all blocks of `model_dim`, `neighbours` everywhere.
PointTransformerArch UniformPointTransformer(CloudTask task, int64_t levels = 4,
                                             int64_t model_dim = 512, int64_t neighbours = 16);

// Where the attention blocks stand: encoder, finest level first, then decoder, coarsest first.
struct BlockPlace {
  std::string path;
  int64_t level = 0;
  bool decoder = false;
};
std::vector<BlockPlace> BlockPlaces(CloudTask task, int64_t last_level);

// Fewest points per cloud: the coarsest level has one.
int64_t FewestPoints(int64_t last_level);

// Widths of the layer sequences around the blocks. Their inner widths are 512, 256 and 64 for the
// published 32 channels, and in proportion for others.
std::vector<int64_t> StemWidths(const PointTransformerArch& arch);      // backbone.fc1
std::vector<int64_t> CoarsestWidths(const PointTransformerArch& arch);  // fc2, of either task
std::vector<int64_t> FinestWidths(const PointTransformerArch& arch);    // fc3, of segmentation

// Every layer in the order of registration: 114 of the published network. Products are counted per
// point and per neighbour (search/space/layer_table.h: keys of clouds), attention itself is not.
// Source: point_transformer models/model.py, models/transformer.py.
search::LayerTable PointTransformerLayers(const PointTransformerArch& arch);

// A study's "supernet" object of kind "point_transformer". The defaults are the published
// segmentation network; lists of more than one choice make a space.
struct PointTransformerConfig {
  std::string kind = "point_transformer";
  std::string task = "segmentation";
  double width = 1.0;     // multiplies 512, the model dimension of attention blocks
  int64_t channels = 32;  // of level 0
  int64_t levels = 4;     // below the input's
  std::vector<int64_t> neighbours = {16};
  std::vector<double> model_dim_ratios = {1.0};
  std::vector<std::string> optional_blocks;
};

Result<PointTransformerConfig> ParsePointTransformerConfig(const Json& config,
                                                           const std::string& pointer);

// Dimensions: "<path of a block>" (0: it does not run) for optional blocks, then
// "<path>.model_dim", for every block; "level<i>.neighbours" for every level.
class PointTransformerSpec final : public search::SupernetSpec {
 public:
  explicit PointTransformerSpec(const PointTransformerConfig& config);

  const search::SearchSpace& space() const override { return space_; }
  search::InputForm input_form() const override { return search::InputForm::kClouds; }
  bool classifies_clouds() const override { return config_.task == "classification"; }
  int64_t min_points() const override { return FewestPoints(config_.levels); }
  std::map<std::string, int64_t> CloudWorkload(int64_t points) const override;
  Json config() const override;
  search::LayerTable Expand(const search::Candidate& candidate, int64_t in_channels,
                            int64_t num_classes) const override;
  Json Describe(const search::Candidate& candidate) const override;

  const PointTransformerConfig& settings() const { return config_; }
  PointTransformerArch Arch(const search::Candidate& candidate, int64_t in_channels,
                            int64_t num_classes) const;
  // The architecture that weights are allocated for.
  PointTransformerArch Largest(int64_t in_channels, int64_t num_classes) const {
    return Arch(space_.Largest(), in_channels, num_classes);
  }

 private:
  bool IsOptional(const BlockPlace& place) const;

  PointTransformerConfig config_;
  std::vector<BlockPlace> places_;
  search::SearchSpace space_;
};

}  // namespace voxbit::supernet
