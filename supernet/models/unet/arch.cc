#include "supernet/models/unet/arch.h"

namespace voxbit::supernet {
namespace {

using search::LayerKind;
using search::LayerSpec;

constexpr std::array<int64_t, 9> kBaseChannels = {32, 32, 64, 128, 256, 256, 128, 96, 96};

size_t At(int i) { return static_cast<size_t>(i); }

void AddNormTensors(const LayerPath& path, LayerSpec& layer) {
  for (const char* name : {".weight", ".bias", ".running_mean", ".running_var"}) {
    layer.tensors.push_back(path.norm + name);
  }
}

LayerSpec Conv(const LayerPath& path, int64_t in, int64_t out, int64_t volume,
               int64_t tensor_stride, std::string workload) {
  LayerSpec layer;
  layer.name = path.name;
  layer.tensors = {path.weight + ".kernel"};
  AddNormTensors(path, layer);
  layer.in_channels = in;
  layer.out_channels = out;
  layer.kernel_volume = volume;
  layer.tensor_stride = tensor_stride;
  layer.batch_norm = true;
  layer.workload = std::move(workload);
  return layer;
}

LayerSpec Linear(const LayerPath& path, int64_t in, int64_t out, std::string workload) {
  LayerSpec layer = Conv(path, in, out, 1, 1, std::move(workload));
  layer.kind = LayerKind::kLinear;
  layer.bias = true;
  layer.batch_norm = !path.norm.empty();
  layer.tensors = {path.weight + ".weight", path.weight + ".bias"};
  if (layer.batch_norm) AddNormTensors(path, layer);
  return layer;
}

std::string ElasticStage(int stage) {
  return (stage < 4 ? "downsample." : "upsample.") + std::to_string(stage % 4);
}

std::string FixedStage(int stage) {
  return (stage < 4 ? "stage" : "up") + std::to_string(stage % 4 + 1);
}

// A fixed down stage is [transition, block, block], an up stage [transition, [block, block]].
std::string FixedBlock(int stage, int block) {
  return FixedStage(stage) +
         (stage < 4 ? "." + std::to_string(block + 1) : ".1." + std::to_string(block));
}

LayerPath ElasticPath(const std::string& name) {
  return {name, name + ".net.conv", name + ".net.bn.bn"};
}

// Entry `first` of a sequence and the norm behind it.
LayerPath SequencePath(const std::string& sequence, int first) {
  const std::string conv = sequence + "." + std::to_string(first);
  return {conv, conv, sequence + "." + std::to_string(first + 1)};
}

void AppendStage(const UNetArch& arch, const UNetArch& largest, UNetKind kind, int stage,
                 search::LayerTable& table) {
  const UNetStage& s = arch.stages[At(stage)];
  const bool up = stage >= 4;
  const int64_t fine = FineStride(stage);
  const int64_t at = up ? fine : 2 * fine;
  const int64_t out = arch.output_channels[At(stage + 1)];
  LayerSpec transition = Conv(TransitionPath(kind, stage), StageInput(arch, stage), s.transition, 8,
                              fine, search::Pairs2Key(fine));
  transition.kind = up ? LayerKind::kSparseConvTransposed : LayerKind::kSparseConv;
  transition.stride = 2;
  table.push_back(transition);
  const int64_t joined = s.transition + (up ? SkipChannels(arch, stage) : 0);
  for (int block = 0; block < static_cast<int>(s.depth); ++block) {
    const int64_t in = block == 0 ? joined : out;
    const int64_t mid = s.mid[At(block)];
    table.push_back(Conv(BlockPath(kind, stage, block, 0), in, mid, 27, at, search::Pairs3Key(at)));
    table.push_back(
        Conv(BlockPath(kind, stage, block, 1), mid, out, 27, at, search::Pairs3Key(at)));
    if (block == 0 && HasProjection(largest, kind, stage)) {
      table.push_back(Conv(ProjectionPath(kind, stage), in, out, 1, at, search::VoxelsKey(at)));
    }
  }
}

LayerSpec PointLayer(const UNetArch& arch, UNetKind kind, int index) {
  return Linear(PointPath(kind, index), arch.output_channels[At(kPointOutputs[At(index)])],
                arch.output_channels[At(kPointOutputs[At(index + 1)])], search::PointsKey());
}

}  // namespace

UNetArch PlainArch(const std::array<int64_t, 9>& output_channels, int64_t in_channels,
                   int64_t num_classes) {
  UNetArch arch;
  arch.in_channels = in_channels;
  arch.num_classes = num_classes;
  arch.output_channels = output_channels;
  for (int stage = 0; stage < 8; ++stage) {
    const int64_t out = output_channels[At(stage + 1)];
    arch.stages[At(stage)] = {stage < 4 ? output_channels[At(stage)] : out, 2, {out, out}};
  }
  return arch;
}

std::array<int64_t, 9> FixedChannels(double cr) {
  std::array<int64_t, 9> channels{};
  for (size_t i = 0; i < channels.size(); ++i) {
    channels[i] = static_cast<int64_t>(cr * static_cast<double>(kBaseChannels[i]));
  }
  return channels;
}

int64_t StageInput(const UNetArch& arch, int stage) { return arch.output_channels[At(stage)]; }

int64_t SkipChannels(const UNetArch& arch, int stage) {
  return arch.output_channels[At(7 - stage)];
}

int64_t FineStride(int stage) { return int64_t{1} << (stage < 4 ? stage : 7 - stage); }

bool HasProjection(const UNetArch& largest, UNetKind kind, int stage) {
  if (kind == UNetKind::kSpvnas || stage >= 4) return true;
  return largest.stages[At(stage)].transition != largest.output_channels[At(stage + 1)];
}

LayerPath StemPath(int layer) {
  const std::string conv = layer == 0 ? "stem.0" : "stem.3";
  return {conv, conv, layer == 0 ? "stem.1" : "stem.4"};
}

LayerPath TransitionPath(UNetKind kind, int stage) {
  if (kind == UNetKind::kSpvnas) return ElasticPath(ElasticStage(stage) + ".transition");
  return SequencePath(FixedStage(stage) + ".0.net", 0);
}

LayerPath BlockPath(UNetKind kind, int stage, int block, int conv) {
  if (kind == UNetKind::kSpvnas) {
    return ElasticPath(ElasticStage(stage) + ".feature.layers." + std::to_string(block) +
                       ".net.layers." + std::to_string(conv));
  }
  // Conv, norm, ReLU, conv, norm.
  return SequencePath(FixedBlock(stage, block) + ".net", 3 * conv);
}

LayerPath ProjectionPath(UNetKind kind, int stage) {
  if (kind == UNetKind::kSpvnas) {
    return ElasticPath(ElasticStage(stage) + ".feature.layers.0.downsample");
  }
  return SequencePath(FixedBlock(stage, 0) + ".downsample", 0);
}

LayerPath PointPath(UNetKind kind, int index) {
  const std::string name = "point_transforms." + std::to_string(index);
  if (kind == UNetKind::kSpvnas) return {name, name + ".net.conv.linear", name + ".net.bn.bn"};
  return SequencePath(name, 0);
}

LayerPath ClassifierPath(UNetKind kind) {
  const std::string name = kind == UNetKind::kSpvnas ? "classifier.linear" : "classifier.0";
  return {name, name, ""};
}

search::LayerTable UNetLayers(const UNetArch& arch, const UNetArch& largest, UNetKind kind) {
  search::LayerTable table;
  const int64_t stem = arch.output_channels[0];
  table.push_back(Conv(StemPath(0), arch.in_channels, stem, 27, 1, search::Pairs3Key(1)));
  table.push_back(Conv(StemPath(1), stem, stem, 27, 1, search::Pairs3Key(1)));
  for (int stage = 0; stage < 8; ++stage) {
    AppendStage(arch, largest, kind, stage, table);
    const bool joins_points = stage == 3 || stage == 5 || stage == 7;
    if (kind != UNetKind::kMinkUNet && joins_points) {
      table.push_back(PointLayer(arch, kind, (stage - 3) / 2));
    }
  }
  table.push_back(Linear(ClassifierPath(kind), arch.output_channels[8], arch.num_classes,
                         kind == UNetKind::kMinkUNet ? search::VoxelsKey(1) : search::PointsKey()));
  // Everything else reads outputs of ReLUs, their sums, concatenations and means.
  for (size_t i = 1; i < table.size(); ++i) table[i].signed_input = false;
  return table;
}

int64_t AllocatedParameters(const UNetArch& arch, UNetKind kind) {
  int64_t total = 0;
  for (const LayerSpec& layer : UNetLayers(arch, arch, kind)) total += layer.ParameterCount();
  if (kind == UNetKind::kMinkUNet) {
    for (int i = 0; i < 3; ++i) total += PointLayer(arch, kind, i).ParameterCount();
  }
  return total;
}

}  // namespace voxbit::supernet
