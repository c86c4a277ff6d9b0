// From a LiDAR scan to the input of a sparse network: augmentation, voxels, features, labels.
#pragma once

#include <cstdint>
#include <vector>

#include "common/rng.h"
#include "common/status.h"
#include "worker/data/lidar/lidar_settings.h"
#include "worker/data/scan.h"

namespace voxbit::data {

// Largest |coordinate / voxel_m| that is accepted; beyond it three coordinates no longer fit one
// 64-bit key.
inline constexpr int32_t kMaxVoxelCoordinate = 1 << 20;

// Prepares one scan. With `augment` (training) it draws from that generator: rotation, scale,
// flip and jitter as the settings say, and a cap of `max_points` voxels. Without (validation)
// nothing is random and nothing is capped.
//
// Order of the steps: drop points at the origin (if set; N counts what is left), centre (if set),
// heights, augmentation, coordinate = round-half-even(xyz / voxel_m) in float32, minimum
// subtracted, the first point of a voxel stands for it, cap by a random subset without
// replacement. Features x, y, z are the augmented metric coordinates.
//
// INVALID_ARGUMENT, naming the scan's source and where one is to blame the first bad point: no
// points, a coordinate or intensity that is not finite, a coordinate beyond kMaxVoxelCoordinate,
// as many labels as points not given, a feature the scan does not carry; with `augment` also a
// scan without a single labelled point. Even so the voxels that a cap leaves may all be ignored:
// a loss must cope with that.
//
// Deterministic in (scan, settings, state of *augment). O(N log N).
// Source: Tang et al., Searching Efficient 3D Architectures with Sparse Point-Voxel Convolution
// (ECCV 2020), published SemanticKITTI loader.
Result<PreparedScan> Prepare(const Scan& scan, const LidarSettings& settings, Rng* augment);

// Voxels of integer coordinates.
struct Quantized {
  std::vector<int64_t> first;    // [M] the first point of each voxel, voxels in (x, y, z) order
  std::vector<int64_t> inverse;  // [N] voxel of each point
};

// De-duplicates `coords` [N,3] int32.
// Requires: every coordinate in [0, 2 * kMaxVoxelCoordinate].
Quantized Quantize(const std::vector<int32_t>& coords);

}  // namespace voxbit::data
