#include "supernet/models/point_transformer/spec.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/config.h"

namespace voxbit::supernet {
namespace {

constexpr double kModelDim = 512;
constexpr int64_t kMaxNeighbours = 256;

const Fields<PointTransformerConfig>& ConfigFields() {
  using Config = PointTransformerConfig;
  static const Fields<Config> fields = [] {
    Fields<Config> table;
    table.Text("kind", &Config::kind, {"point_transformer"}, "which supernet")
        .Text("task", &Config::task, CloudTaskNames(), "labels for points or for whole clouds")
        .Number("width", &Config::width, {0.0078125, 4.0}, "",
                "multiplies 512, the model dimension of attention blocks")
        .Int("channels", &Config::channels, {4, 256}, "channels",
             "of the input's level; doubled at each coarser one")
        .Int("levels", &Config::levels, {1, 6}, "levels",
             "coarser than the input, each with a quarter of the points before it");
    AddChoices(table, "neighbours", &Config::neighbours, kMaxNeighbours,
               "choices for every level: neighbours of a point, itself included; from 1 to 256");
    AddRatios(table, "model_dim_ratios", &Config::model_dim_ratios,
              "choices for every attention block: share of the model dimension; "
              "[0.25, 0.5, 0.75, 1] is a sensible space");
    table.TextList("optional_blocks", &Config::optional_blocks, {"encoder", "decoder"},
                   "attention blocks that a candidate may leave out");
    return table;
  }();
  return fields;
}

// Rows of one network, in the order of registration.
class Rows {
 public:
  explicit Rows(const PointTransformerArch& arch) : arch_(arch) {}

  void Sequence(const std::string& path, const std::vector<int64_t>& widths,
                const std::string& workload) {
    for (size_t i = 0; i + 1 < widths.size(); ++i) {  // ReLUs have numbers as well
      search::LayerSpec row =
          LinearRow(path + "." + std::to_string(2 * i), widths[i], widths[i + 1], workload);
      row.signed_input = i == 0;  // a ReLU stands before all others
      Add(std::move(row));
    }
  }

  void Block(const BlockPlace& place, const PointTransformerArch::Block& block) {
    if (!block.runs) return;
    const int64_t channels = arch_.ChannelsOf(place.level);
    const int64_t dim = block.model_dim;
    const std::string points = search::LevelPointsKey(place.level);
    const std::string pairs = search::NeighboursKey(place.level, NeighboursOf(place.level));
    Add(LinearRow(place.path + ".fc1", channels, dim, points));
    Add(LinearRow(place.path + ".fc2", dim, channels, points));
    Sequence(place.path + ".fc_delta", {3, dim, dim}, pairs);
    Sequence(place.path + ".fc_gamma", {dim, dim, dim}, pairs);
    for (const char* name : {".w_qs", ".w_ks", ".w_vs"}) {
      Add(LinearRow(place.path + name, dim, dim, points, /*bias=*/false));
    }
  }

  void Down(int64_t index) {
    const std::string path = "backbone.transition_downs." + std::to_string(index) + ".sa.mlp_";
    const std::string convs = path + "convs.";
    const std::string norms = path + "bns.";
    const int64_t out = arch_.ChannelsOf(index + 1);
    const std::string groups = search::GroupsKey(index + 1, NeighboursOf(index));
    for (int64_t i = 0; i < 2; ++i) {
      const std::string name = std::to_string(i);
      const int64_t in = i == 0 ? arch_.ChannelsOf(index) + 3 : out;
      search::LayerSpec row = LinearRow(convs + name, in, out, groups, true, norms + name);
      row.signed_input = i == 0;
      Add(std::move(row));
    }
  }

  void Up(int64_t index) {
    const std::string path = "transition_ups." + std::to_string(index);
    const int64_t level = arch_.last_level() - 1 - index;
    const int64_t out = arch_.ChannelsOf(level);
    Add(LinearRow(path + ".fc1.0", 2 * out, out, search::LevelPointsKey(level + 1), true,
                  path + ".fc1.2"));
    Add(LinearRow(path + ".fc2.0", out, out, search::LevelPointsKey(level), true, path + ".fc2.2"));
  }

  search::LayerTable table() { return std::move(table_); }

 private:
  void Add(search::LayerSpec row) { table_.push_back(std::move(row)); }
  int64_t NeighboursOf(int64_t level) const { return arch_.neighbours[static_cast<size_t>(level)]; }

  const PointTransformerArch& arch_;
  search::LayerTable table_;
};

}  // namespace

PointTransformerArch UniformPointTransformer(CloudTask task, int64_t levels, int64_t model_dim,
                                             int64_t neighbours) {
  PointTransformerArch arch;
  arch.task = task;
  arch.neighbours.assign(static_cast<size_t>(levels) + 1, neighbours);
  arch.blocks.assign(BlockPlaces(task, levels).size(), {true, model_dim});
  return arch;
}

std::vector<BlockPlace> BlockPlaces(CloudTask task, int64_t last_level) {
  std::vector<BlockPlace> places = {{"backbone.transformer1", 0, false}};
  for (int64_t level = 1; level <= last_level; ++level) {
    places.push_back({"backbone.transformers." + std::to_string(level - 1), level, false});
  }
  if (task == CloudTask::kClassification) return places;
  places.push_back({"transformer2", last_level, true});
  for (int64_t level = last_level - 1; level >= 0; --level) {
    places.push_back({"transformers." + std::to_string(last_level - 1 - level), level, true});
  }
  return places;
}

int64_t FewestPoints(int64_t last_level) { return int64_t{1} << (2 * last_level); }

std::vector<int64_t> StemWidths(const PointTransformerArch& arch) {
  return {arch.input_dim, arch.channels, arch.channels};
}

std::vector<int64_t> CoarsestWidths(const PointTransformerArch& arch) {
  const int64_t coarsest = arch.ChannelsOf(arch.last_level());
  if (arch.task == CloudTask::kClassification) {
    return {coarsest, 8 * arch.channels, 2 * arch.channels, arch.num_classes};
  }
  return {coarsest, 16 * arch.channels, 16 * arch.channels, coarsest};
}

std::vector<int64_t> FinestWidths(const PointTransformerArch& arch) {
  return {arch.channels, 2 * arch.channels, 2 * arch.channels, arch.num_classes};
}

search::LayerTable PointTransformerLayers(const PointTransformerArch& arch) {
  const int64_t last = arch.last_level();
  const std::vector<BlockPlace> places = BlockPlaces(arch.task, last);
  Rows rows(arch);
  size_t next = 0;
  const auto blocks = [&](int64_t num) {
    for (int64_t i = 0; i < num; ++i, ++next) rows.Block(places[next], arch.blocks[next]);
  };
  rows.Sequence("backbone.fc1", StemWidths(arch), search::LevelPointsKey(0));
  blocks(1);
  for (int64_t i = 0; i < last; ++i) rows.Down(i);
  blocks(last);
  if (arch.task == CloudTask::kClassification) {
    rows.Sequence("fc2", CoarsestWidths(arch), search::CloudsKey());
    return rows.table();
  }
  rows.Sequence("fc2", CoarsestWidths(arch), search::LevelPointsKey(last));
  blocks(1);
  for (int64_t i = 0; i < last; ++i) rows.Up(i);
  blocks(last);
  rows.Sequence("fc3", FinestWidths(arch), search::LevelPointsKey(0));
  return rows.table();
}

Result<PointTransformerConfig> ParsePointTransformerConfig(const Json& config,
                                                           const std::string& pointer) {
  return ConfigFields().Parse(config, pointer);
}

PointTransformerSpec::PointTransformerSpec(const PointTransformerConfig& config)
    : config_(config), places_(BlockPlaces(CloudTaskOf(config.task), config.levels)) {
  const std::vector<int64_t> dims = Shares(config.width * kModelDim, config.model_dim_ratios);
  std::vector<search::Dimension> dimensions;
  for (const BlockPlace& place : places_) {
    int32_t parent = -1;
    if (IsOptional(place)) {
      parent = static_cast<int32_t>(dimensions.size());
      dimensions.push_back({place.path, {0, 1}, -1, 0});
    }
    dimensions.push_back({place.path + ".model_dim", dims, parent, parent < 0 ? 0 : 1});
  }
  for (int64_t level = 0; level <= config.levels; ++level) {
    dimensions.push_back(
        {"level" + std::to_string(level) + ".neighbours", config.neighbours, -1, 0});
  }
  space_ = search::SearchSpace(std::move(dimensions));
}

bool PointTransformerSpec::IsOptional(const BlockPlace& place) const {
  const std::vector<std::string>& optional = config_.optional_blocks;
  return std::find(optional.begin(), optional.end(), place.decoder ? "decoder" : "encoder") !=
         optional.end();
}

Json PointTransformerSpec::config() const { return ConfigFields().ToJson(config_); }

PointTransformerArch PointTransformerSpec::Arch(const search::Candidate& candidate,
                                                int64_t in_channels, int64_t num_classes) const {
  PointTransformerArch arch;
  arch.task = CloudTaskOf(config_.task);
  arch.input_dim = in_channels;
  arch.num_classes = num_classes;
  arch.channels = config_.channels;
  size_t at = 0;
  for (const BlockPlace& place : places_) {
    PointTransformerArch::Block block;
    if (IsOptional(place)) block.runs = space_.Value(candidate, at++) == 1;
    block.model_dim = space_.Value(candidate, at++);
    arch.blocks.push_back(block);
  }
  while (at < space_.size()) arch.neighbours.push_back(space_.Value(candidate, at++));
  return arch;
}

search::LayerTable PointTransformerSpec::Expand(const search::Candidate& candidate,
                                                int64_t in_channels, int64_t num_classes) const {
  return PointTransformerLayers(Arch(candidate, in_channels, num_classes));
}

std::map<std::string, int64_t> PointTransformerSpec::CloudWorkload(int64_t points) const {
  std::map<std::string, int64_t> counts = {{search::CloudsKey(), 1}};
  int64_t finer = 0;
  for (int64_t level = 0; level <= config_.levels; ++level) {
    const int64_t num = points >> (2 * level);
    counts[search::LevelPointsKey(level)] = num;
    for (const int64_t k : config_.neighbours) {
      counts[search::NeighboursKey(level, k)] = num * std::min(k, num);
      if (level > 0) counts[search::GroupsKey(level, k)] = num * std::min(k, finer);
    }
    finer = num;
  }
  return counts;
}

Json PointTransformerSpec::Describe(const search::Candidate& candidate) const {
  const PointTransformerArch arch = Arch(candidate, 3, 1);
  Json dims = Json::object();  // of the blocks that run
  for (size_t i = 0; i < places_.size(); ++i) {
    if (arch.blocks[i].runs) dims[places_[i].path] = arch.blocks[i].model_dim;
  }
  return {{"task", config_.task}, {"model_dim", dims}, {"neighbours", arch.neighbours}};
}

Result<std::unique_ptr<search::SupernetSpec>> MakePointTransformerSpec(const Json& config,
                                                                       const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(const PointTransformerConfig parsed,
                          ParsePointTransformerConfig(config, pointer));
  return std::unique_ptr<search::SupernetSpec>(std::make_unique<PointTransformerSpec>(parsed));
}

}  // namespace voxbit::supernet
