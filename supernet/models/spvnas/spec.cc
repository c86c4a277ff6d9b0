// The SPVNAS search space. Source: spvnas core/models/semantic_kitti/spvnas.py.
#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "common/config.h"
#include "supernet/models/spvnas/spvnas.h"

namespace voxbit::supernet {
namespace {

constexpr std::array<int64_t, 9> kUpper = {32, 48, 96, 192, 384, 384, 192, 128, 128};
constexpr std::array<int64_t, 9> kLower = {32, 16, 32, 64, 128, 128, 64, 48, 48};
constexpr double kSmallestRatio = 0.125;  // of a transition or mid to its maximum

const Fields<SpvnasConfig>& ConfigFields() {
  static const Fields<SpvnasConfig> fields =
      Fields<SpvnasConfig>()
          .Text("kind", &SpvnasConfig::kind, {"spvnas"}, "which supernet")
          .Number("width", &SpvnasConfig::width, {0.03125, 4.0}, "",
                  "multiplies the published channel tables")
          .Int("channel_divisor", &SpvnasConfig::channel_divisor, {1, 64}, "channels",
               "every channel count is a multiple of this")
          .Int("channel_floor", &SpvnasConfig::channel_floor, {0, 64}, "channels",
               "smallest channel count")
          .Int("min_depth", &SpvnasConfig::min_depth, {1, 2}, "blocks",
               "fewest residual blocks of a stage; 2 fixes the depth")
          .Number("dropout", &SpvnasConfig::dropout, {0.0, 0.9}, "",
                  "share of features dropped before two up stages while training");
  return fields;
}

// All multiples between the two ends.
std::vector<int64_t> Choices(int64_t low, int64_t high, const SpvnasConfig& config) {
  std::vector<int64_t> choices;
  for (int64_t value = low; value <= high; ++value) {
    const int64_t allowed = MakeDivisible(static_cast<double>(value), config);
    if (choices.empty() || allowed > choices.back()) choices.push_back(allowed);
  }
  return choices;
}

std::vector<int64_t> RatioChoices(int64_t largest, const SpvnasConfig& config) {
  const auto low = static_cast<int64_t>(kSmallestRatio * static_cast<double>(largest));
  return Choices(std::min(largest, MakeDivisible(static_cast<double>(low), config)), largest,
                 config);
}

std::string StageName(int stage) {
  return (stage < 4 ? "downsample." : "upsample.") + std::to_string(stage % 4);
}

std::string OutputName(int index) { return "output_channels." + std::to_string(index); }

std::string MidName(int stage, int block) {
  return StageName(stage) + ".feature.layers." + std::to_string(block) + ".net.layers.0";
}

std::vector<search::Dimension> MakeDimensions(const SpvnasConfig& config, const UNetArch& largest,
                                              const std::array<int64_t, 9>& lower) {
  std::vector<search::Dimension> dimensions;
  for (int i = 1; i < 9; ++i) {
    const auto at = static_cast<size_t>(i);
    dimensions.push_back(
        {OutputName(i), Choices(lower[at], largest.output_channels[at], config), -1, 0});
  }
  for (int stage = 0; stage < 8; ++stage) {
    const UNetStage& s = largest.stages[static_cast<size_t>(stage)];
    dimensions.push_back(
        {StageName(stage) + ".transition", RatioChoices(s.transition, config), -1, 0});
    std::vector<int64_t> depths;
    for (int64_t depth = config.min_depth; depth <= 2; ++depth) depths.push_back(depth);
    const auto depth_at = static_cast<int32_t>(dimensions.size());
    dimensions.push_back({StageName(stage) + ".feature", depths, -1, 0});
    dimensions.push_back({MidName(stage, 0), RatioChoices(s.mid[0], config), -1, 0});
    dimensions.push_back({MidName(stage, 1), RatioChoices(s.mid[1], config), depth_at, 2});
  }
  return dimensions;
}

// A positive integer of the sample.
Result<int64_t> Entry(const Json& sample, const std::string& key) {
  const auto it = sample.find(key);
  if (it == sample.end()) return InvalidArgument("sample: " + key + " is missing");
  if (!it->is_number_integer() || it->get<int64_t>() <= 0) {
    return InvalidArgument("sample: " + key + " must be a positive integer, found " +
                           voxbit::Describe(*it));
  }
  return it->get<int64_t>();
}

Result<UNetStage> ParseStage(const Json& sample, int stage) {
  UNetStage parsed;
  VOXBIT_ASSIGN_OR_RETURN(parsed.transition, Entry(sample, StageName(stage) + ".transition"));
  VOXBIT_ASSIGN_OR_RETURN(parsed.depth, Entry(sample, StageName(stage) + ".feature"));
  if (parsed.depth > 2) {
    return InvalidArgument("sample: " + StageName(stage) + ".feature must be 1 or 2");
  }
  for (int block = 0; block < static_cast<int>(parsed.depth); ++block) {
    VOXBIT_ASSIGN_OR_RETURN(parsed.mid[static_cast<size_t>(block)],
                            Entry(sample, MidName(stage, block)));
  }
  return parsed;
}

}  // namespace

Result<SpvnasConfig> ParseSpvnasConfig(const Json& config, const std::string& pointer) {
  return ConfigFields().Parse(config, pointer);
}

int64_t MakeDivisible(double channels, const SpvnasConfig& config) {
  const auto whole = static_cast<int64_t>(channels);
  const int64_t divisor = config.channel_divisor;
  const int64_t smallest = (std::max<int64_t>(config.channel_floor, 1) + divisor - 1) / divisor;
  return std::max(whole / divisor, smallest) * divisor;
}

SpvnasSpec::SpvnasSpec(const SpvnasConfig& config) : config_(config) {
  for (size_t i = 0; i < kUpper.size(); ++i) {
    upper_[i] = MakeDivisible(config.width * static_cast<double>(kUpper[i]), config);
    lower_[i] = MakeDivisible(config.width * static_cast<double>(kLower[i]), config);
  }
  space_ = search::SearchSpace(MakeDimensions(config_, Largest(4, 1), lower_));
}

Json SpvnasSpec::config() const { return ConfigFields().ToJson(config_); }

UNetArch SpvnasSpec::Largest(int64_t in_channels, int64_t num_classes) const {
  return PlainArch(upper_, in_channels, num_classes);
}

UNetArch SpvnasSpec::Arch(const search::Candidate& candidate, int64_t in_channels,
                          int64_t num_classes) const {
  UNetArch arch = Largest(in_channels, num_classes);
  size_t at = 0;
  for (size_t i = 1; i < arch.output_channels.size(); ++i) {
    arch.output_channels[i] = space_.Value(candidate, at++);
  }
  for (UNetStage& stage : arch.stages) {
    stage.transition = space_.Value(candidate, at++);
    stage.depth = space_.Value(candidate, at++);
    stage.mid[0] = space_.Value(candidate, at++);
    stage.mid[1] = stage.depth < 2 ? 0 : space_.Value(candidate, at);
    ++at;
  }
  return arch;
}

search::LayerTable SpvnasSpec::Expand(const search::Candidate& candidate, int64_t in_channels,
                                      int64_t num_classes) const {
  return UNetLayers(Arch(candidate, in_channels, num_classes), Largest(in_channels, num_classes),
                    UNetKind::kSpvnas);
}

Json SpvnasSpec::Describe(const search::Candidate& candidate) const {
  return SampleOf(Arch(candidate, 4, 1));
}

Json SampleOf(const UNetArch& arch) {
  Json sample = {{"output_channels", arch.output_channels}};
  for (int stage = 0; stage < 8; ++stage) {
    const UNetStage& s = arch.stages[static_cast<size_t>(stage)];
    const int64_t out = arch.output_channels[static_cast<size_t>(stage) + 1];
    const std::string feature = StageName(stage) + ".feature";
    sample[StageName(stage) + ".transition"] = s.transition;
    sample[feature] = s.depth;
    for (int block = 0; block < 2; ++block) {
      const std::string net = feature + ".layers." + std::to_string(block) + ".net";
      const bool active = block < static_cast<int>(s.depth);
      sample[net] = active ? Json(2) : Json();
      sample[net + ".layers.0"] = active ? Json(s.mid[static_cast<size_t>(block)]) : Json();
      sample[net + ".layers.1"] = active ? Json(out) : Json();
    }
    sample[feature + ".layers.0.downsample"] = out;
  }
  for (size_t i = 0; i < 3; ++i) {
    sample["point_transforms." + std::to_string(i)] =
        arch.output_channels[static_cast<size_t>(kPointOutputs[i + 1])];
  }
  return sample;
}

Result<UNetArch> ParseSample(const Json& sample, int64_t in_channels, int64_t num_classes) {
  if (!sample.is_object()) return InvalidArgument("a sample must be an object");
  UNetArch arch;
  arch.in_channels = in_channels;
  arch.num_classes = num_classes;
  const auto outputs = sample.find("output_channels");
  if (outputs == sample.end() || !outputs->is_array() || outputs->size() != 9) {
    return InvalidArgument("sample: output_channels must be a list of 9 channel counts");
  }
  for (size_t i = 0; i < arch.output_channels.size(); ++i) {
    if (!(*outputs)[i].is_number_integer() || (*outputs)[i].get<int64_t>() <= 0) {
      return InvalidArgument("sample: output_channels must be positive integers");
    }
    arch.output_channels[i] = (*outputs)[i].get<int64_t>();
  }
  for (int stage = 0; stage < 8; ++stage) {
    VOXBIT_ASSIGN_OR_RETURN(arch.stages[static_cast<size_t>(stage)], ParseStage(sample, stage));
  }
  return arch;
}

Result<std::unique_ptr<search::SupernetSpec>> MakeSpvnasSpec(const Json& config,
                                                             const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(const SpvnasConfig parsed, ParseSpvnasConfig(config, pointer));
  return std::unique_ptr<search::SupernetSpec>(std::make_unique<SpvnasSpec>(parsed));
}

}  // namespace voxbit::supernet
