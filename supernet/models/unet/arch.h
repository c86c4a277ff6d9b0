// Architecture of the sparse U-Net that MinkUNet, SPVCNN and SPVNAS share: numbers only.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "search/space/layer_table.h"

namespace voxbit::supernet {

// One of the eight stages: a stride-2 (or transposed) convolution and one or two residual blocks.
struct UNetStage {
  int64_t transition = 0;               // channels after the strided or transposed convolution
  int64_t depth = 2;                    // residual blocks
  std::array<int64_t, 2> mid = {0, 0};  // channels inside each block
  friend bool operator==(const UNetStage&, const UNetStage&) = default;
};

struct UNetArch {
  int64_t in_channels = 4;
  int64_t num_classes = 19;
  // Stem, then the output of each stage: 4 down, 4 up.
  std::array<int64_t, 9> output_channels{};
  std::array<UNetStage, 8> stages{};
  friend bool operator==(const UNetArch&, const UNetArch&) = default;
};

enum class UNetKind {
  kMinkUNet,  // voxels only; point transforms are allocated, as in the original, and never used
  kSpvcnn,    // with a point branch
  kSpvnas,    // the same graph, elastic, with the names of the supernet
};

// Transitions as wide as the stage's input (down) or output (up), mids as wide as the output: the
// layers of the fixed networks, and the largest network of a supernet.
UNetArch PlainArch(const std::array<int64_t, 9>& output_channels, int64_t in_channels,
                   int64_t num_classes);

// cs of MinkUNet and SPVCNN: int(cr * base). Source: spvnas core/models/semantic_kitti.
std::array<int64_t, 9> FixedChannels(double cr);

// Channels that enter stage `i` and the skip that up stage `i` (4..7) concatenates.
int64_t StageInput(const UNetArch& arch, int stage);
int64_t SkipChannels(const UNetArch& arch, int stage);
// Tensor stride of the finer grid that stage `i` touches: 1, 2, 4, 8, 8, 4, 2, 1.
int64_t FineStride(int stage);

// True when the first residual block of `stage` has a 1^3 projection in `largest`, the
// architecture that the weights were allocated for. A supernet always has one.
bool HasProjection(const UNetArch& largest, UNetKind kind, int stage);

// Where a layer lives in the state dict.
struct LayerPath {
  std::string name;    // the official module path, as layer tables and samples show it
  std::string weight;  // holds "kernel" (or "weight" and "bias" of a linear layer)
  std::string norm;    // holds the batch norm behind it; "" for the classifier
};

LayerPath StemPath(int layer);  // 0, 1
LayerPath TransitionPath(UNetKind kind, int stage);
// Conv 0 or 1 of residual block 0 or 1.
LayerPath BlockPath(UNetKind kind, int stage, int block, int conv);
LayerPath ProjectionPath(UNetKind kind, int stage);
LayerPath PointPath(UNetKind kind, int index);
LayerPath ClassifierPath(UNetKind kind);

// Every layer that a forward pass runs, in order, with the workload that counts its products.
// `largest` as in HasProjection. Source of the conventions: spvnas.md 9.1.
search::LayerTable UNetLayers(const UNetArch& arch, const UNetArch& largest, UNetKind kind);

// Parameters that exist: UNetLayers plus what MinkUNet allocates without using.
int64_t AllocatedParameters(const UNetArch& arch, UNetKind kind);

// Widths of the three point transforms' inputs and outputs: outputs 0, 4, 6, 8.
constexpr std::array<int, 4> kPointOutputs = {0, 4, 6, 8};

}  // namespace voxbit::supernet
