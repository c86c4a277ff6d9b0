#include "supernet/models/pct/spec.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/config.h"

namespace voxbit::supernet {
namespace {

constexpr int64_t kMaxCategories = 255;
constexpr int64_t kMaxNeighbours = 256;
constexpr int64_t kMaxPoints = 65536;

const std::vector<std::string>& PortNames() {  // in the order of PctPort
  static const std::vector<std::string> names = {"menghao", "pct_pytorch", "pct_pytorch_positions"};
  return names;
}

PctPort PortOf(const std::string& name) {
  const std::vector<std::string>& names = PortNames();
  return static_cast<PctPort>(std::find(names.begin(), names.end(), name) - names.begin());
}

Status ParsePicked(const Json& found, const std::string& pointer, PctConfig& out) {
  const auto is_count = [](const Json& value) {
    return value.is_number_integer() && value >= 1 && value <= kMaxPoints;
  };
  const bool fits = found.is_array() && found.size() == 2 && is_count(found[0]) &&
                    is_count(found[1]) && found[1] <= found[0];
  if (!fits)
    return ExpectedError(pointer, "two numbers of points, the second not above the first", found);
  out.picked = found.get<std::vector<int64_t>>();
  return OkStatus();
}

Status ParseChannels(const Json& found, const std::string& pointer, PctConfig& out) {
  if (!found.is_number_integer() || found < 2 || found > 512 || found.get<int64_t>() % 2 != 0) {
    return ExpectedError(pointer, "an even number from 2 to 512", found);
  }
  out.channels = found.get<int64_t>();
  return OkStatus();
}

const Fields<PctConfig>& ConfigFields() {
  static const Fields<PctConfig> fields = [] {
    Fields<PctConfig> table;
    table.Text("kind", &PctConfig::kind, {"pct"}, "which supernet")
        .Text("task", &PctConfig::task, CloudTaskNames(),
              "labels for points or for whole clouds; segmentation reads the category, one-hot, in "
              "the last columns")
        .Text("port", &PctConfig::port, PortNames(), "which published classification network")
        .Int("categories", &PctConfig::categories, {1, kMaxCategories}, "",
             "segmentation: how many categories the dataset has, 16 in ShapeNet-part")
        .Custom("channels", "even integer",
                "of the first layer of classification, 2 to 512; all widths are in proportion",
                &ParseChannels, [](const PctConfig& in) { return Json(in.channels); })
        .Custom("picked", "list", "classification: points that are picked, twice", &ParsePicked,
                [](const PctConfig& in) { return Json(in.picked); });
    AddChoices(table, "neighbours", &PctConfig::neighbours, kMaxNeighbours,
               "classification: choices for each picking: neighbours of a picked point; 1 to 256");
    AddChoices(table, "attention_layers", &PctConfig::attention_layers, kPctAttention,
               "choices: attention layers that run; 1 to 4");
    AddRatios(table, "query_ratios", &PctConfig::query_ratios,
              "choices for every attention layer: share of the channels of queries and keys; "
              "[0.25, 0.5, 0.75, 1] is a sensible space");
    table.Number("dropout", &PctConfig::dropout, {0.0, 0.9}, "",
                 "share of features dropped in the head while training");
    return table;
  }();
  return fields;
}

// Rows of convolutions, named as the network registers them.
class Rows {
 public:
  explicit Rows(const PctArch& arch) : arch_(arch) {}

  // A layer with a batch norm.
  void Conv(const std::string& path, const std::string& norm, int64_t in, int64_t out,
            const std::string& workload, bool bias = false) {
    table_.push_back(LinearRow(path, in, out, workload, bias, norm));
  }
  void Linear(const std::string& path, int64_t in, int64_t out, const std::string& workload) {
    table_.push_back(LinearRow(path, in, out, workload));
  }

  void LocalOp(const std::string& path, int64_t width, const std::string& workload) {
    Conv(path + ".conv1", path + ".bn1", width, width, workload);
    Conv(path + ".conv2", path + ".bn2", width, width, workload);
  }

  void Attention(const std::string& workload) {
    for (size_t i = 0; i < arch_.queries.size(); ++i) {
      Attention(PctAttentionPath(arch_.task, static_cast<int64_t>(i)), arch_.queries[i], workload);
    }
  }

  search::LayerTable table() { return std::move(table_); }

 private:
  void Attention(const std::string& path, int64_t num_queries, const std::string& workload) {
    const int64_t channels = arch_.attention_channels();
    const std::string conv = "_conv" + PctConvSuffix(arch_.task);
    search::LayerSpec queries =
        LinearRow(path + ".q" + conv, channels, num_queries, workload, /*bias=*/false);
    queries.tensors.push_back(path + ".k" + conv + ".weight");
    table_.push_back(std::move(queries));
    Linear(path + ".v" + conv, channels, channels, workload);
    Conv(path + ".trans" + conv, path + ".after_norm", channels, channels, workload, /*bias=*/true);
  }

  const PctArch& arch_;
  search::LayerTable table_;
};

search::LayerTable ClassificationLayers(const PctArch& arch) {
  const int64_t unit = arch.channels;
  const int64_t width = arch.attention_channels();
  const std::string points = search::LevelPointsKey(0);
  const std::string picked = search::LevelPointsKey(2);
  const std::string clouds = search::CloudsKey();
  Rows rows(arch);
  rows.Conv("conv1", "bn1", arch.input_dim, unit, points);
  rows.Conv("conv2", "bn2", unit, unit, points);
  rows.LocalOp("gather_local_0", 2 * unit, search::GroupsKey(1, arch.neighbours[0]));
  rows.LocalOp("gather_local_1", width, search::GroupsKey(2, arch.neighbours[1]));
  rows.Conv("pt_last.conv1", "pt_last.bn1", width, width, picked);
  if (arch.port == PctPort::kPytorchPositions) {
    rows.Linear("pt_last.pos_xyz", 3, width, picked);
  } else {
    rows.Conv("pt_last.conv2", "pt_last.bn2", width, width, picked);
  }
  rows.Attention(picked);
  rows.Conv("conv_fuse.0", "conv_fuse.1", (kPctAttention + 1) * width, 16 * unit, picked);
  rows.Conv("linear1", "bn6", 16 * unit, 8 * unit, clouds);
  rows.Conv("linear2", "bn7", 8 * unit, 4 * unit, clouds, /*bias=*/true);
  rows.Linear("linear3", 4 * unit, arch.num_classes, clouds);
  return rows.table();
}

search::LayerTable SegmentationLayers(const PctArch& arch) {
  const int64_t unit = arch.channels;
  const int64_t width = arch.attention_channels();
  const int64_t fused = 16 * unit;
  const std::string points = search::LevelPointsKey(0);
  Rows rows(arch);
  rows.Conv("conv1.conv", "bn1", 3, width, points);
  rows.Conv("conv2.conv", "bn2", width, width, points);
  rows.Attention(points);
  rows.Conv("conv_fuse.0.conv", "conv_fuse.1", kPctAttention * width, fused, points);
  rows.Conv("label_conv.0.conv", "label_conv.1", arch.categories, unit, search::CloudsKey());
  rows.Conv("convs1.conv", "bns1", 3 * fused + unit, 8 * unit, points, /*bias=*/true);
  rows.Conv("convs2.conv", "bns2", 8 * unit, 4 * unit, points, /*bias=*/true);
  rows.Linear("convs3.conv", 4 * unit, arch.num_classes, points);
  return rows.table();
}

}  // namespace

PctArch PublishedPct(PctPort port, int64_t input_dim, int64_t num_classes) {
  PctArch arch;
  arch.port = port;
  arch.input_dim = input_dim;
  arch.num_classes = num_classes;
  arch.queries.assign(kPctAttention, arch.attention_channels() / 4);
  return arch;
}

PctArch PublishedPctSegmentation(int64_t num_classes) {
  PctArch arch;
  arch.task = CloudTask::kSegmentation;
  arch.input_dim = 3 + arch.categories;
  arch.num_classes = num_classes;
  arch.queries.assign(kPctAttention, arch.attention_channels() / 4);
  return arch;
}

std::string PctAttentionPath(CloudTask task, int64_t index) {
  return (task == CloudTask::kClassification ? "pt_last.sa" : "sa") + std::to_string(index + 1);
}

std::string PctConvSuffix(CloudTask task) {
  return task == CloudTask::kClassification ? "" : ".conv";
}

search::LayerTable PctLayers(const PctArch& arch) {
  search::LayerTable table = arch.task == CloudTask::kClassification ? ClassificationLayers(arch)
                                                                     : SegmentationLayers(arch);
  // Behind a plain ReLU in every port.
  for (search::LayerSpec& layer : table) {
    for (const char* name : {"conv2", "gather_local_0.conv2", "gather_local_1.conv2",
                             "pt_last.conv1", "pt_last.conv2", "conv2.conv"}) {
      if (layer.name == name) layer.signed_input = false;
    }
  }
  return table;
}

Result<PctConfig> ParsePctConfig(const Json& config, const std::string& pointer) {
  return ConfigFields().Parse(config, pointer);
}

PctSpec::PctSpec(const PctConfig& config) : config_(config) {
  PctArch arch;
  arch.task = CloudTaskOf(config.task);
  arch.channels = config.channels;
  const auto all_queries = static_cast<double>(arch.attention_channels()) / 4;
  const std::vector<int64_t> queries = Shares(all_queries, config.query_ratios);
  std::vector<search::Dimension> dimensions = {
      {"attention_layers", config.attention_layers, -1, 0}};
  for (int64_t i = 0; i < config.attention_layers.back(); ++i) {
    dimensions.push_back({PctAttentionPath(arch.task, i) + ".query_channels", queries, 0, i + 1});
  }
  if (arch.task == CloudTask::kClassification) {
    for (int group = 0; group < 2; ++group) {
      dimensions.push_back(
          {"group" + std::to_string(group) + ".neighbours", config.neighbours, -1, 0});
    }
  }
  space_ = search::SearchSpace(std::move(dimensions));
}

Json PctSpec::config() const { return ConfigFields().ToJson(config_); }

int64_t PctSpec::min_channels() const {
  return CloudTaskOf(config_.task) == CloudTask::kClassification ? 3 : 3 + config_.categories;
}

PctArch PctSpec::Arch(const search::Candidate& candidate, int64_t in_channels,
                      int64_t num_classes) const {
  PctArch arch;
  arch.task = CloudTaskOf(config_.task);
  arch.input_dim = in_channels;
  arch.num_classes = num_classes;
  arch.categories = config_.categories;
  arch.channels = config_.channels;
  arch.port = PortOf(config_.port);
  arch.picked = config_.picked;
  const int64_t layers = space_.Value(candidate, 0);
  const auto places = static_cast<size_t>(config_.attention_layers.back());
  for (size_t i = 0; i < static_cast<size_t>(layers); ++i) {
    arch.queries.push_back(space_.Value(candidate, 1 + i));
  }
  for (size_t i = 1 + places; i < space_.size(); ++i) {
    arch.neighbours[i - 1 - places] = space_.Value(candidate, i);
  }
  return arch;
}

search::LayerTable PctSpec::Expand(const search::Candidate& candidate, int64_t in_channels,
                                   int64_t num_classes) const {
  return PctLayers(Arch(candidate, in_channels, num_classes));
}

std::map<std::string, int64_t> PctSpec::CloudWorkload(int64_t points) const {
  std::map<std::string, int64_t> counts = {{search::CloudsKey(), 1},
                                           {search::LevelPointsKey(0), points}};
  if (!classifies_clouds()) return counts;
  int64_t finer = points;
  for (int64_t level = 1; level <= 2; ++level) {
    const int64_t picked = config_.picked[static_cast<size_t>(level - 1)];
    counts[search::LevelPointsKey(level)] = picked;
    for (const int64_t k : config_.neighbours) {
      counts[search::GroupsKey(level, k)] = picked * std::min(k, finer);
    }
    finer = picked;
  }
  return counts;
}

Json PctSpec::Describe(const search::Candidate& candidate) const {
  const PctArch arch = Arch(candidate, min_channels(), 1);
  Json text = {{"task", config_.task}, {"query_channels", arch.queries}};
  if (arch.task == CloudTask::kClassification) {
    text["port"] = config_.port;
    text["picked"] = arch.picked;
    text["neighbours"] = arch.neighbours;
  }
  return text;
}

Result<std::unique_ptr<search::SupernetSpec>> MakePctSpec(const Json& config,
                                                          const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(const PctConfig parsed, ParsePctConfig(config, pointer));
  return std::unique_ptr<search::SupernetSpec>(std::make_unique<PctSpec>(parsed));
}

}  // namespace voxbit::supernet
