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
// Order of the steps: choose points (scan_checks.h; N counts what is left), centre (if set),
// heights, augmentation, coordinate = round-half-even(xyz / voxel_m) in float32, minimum
// subtracted, cap by a random subset without replacement. The point nearest to the centre of a
// voxel gives its features, of equally near ones that with the smaller features; its label is that
// of MajorityLabels. Features x, y, z are the augmented metric coordinates. The published loader
// keeps the first point of a voxel, with its label, whatever the order of the points in the file
// has made of it.
//
// INVALID_ARGUMENT, naming the scan's source and where one is to blame the first bad point as the
// scan counts it: a coordinate or a used feature that is not finite, a coordinate beyond
// kMaxVoxelCoordinate (with `center` the point that strays most), coordinates that float32 stores
// in steps above a voxel, as many labels as points not given, a feature the scan does not carry;
// with kEmptyScanReason: no points, none left, with `augment` also none with a label that counts.
// Even so the voxels that a cap leaves may all be ignored: a loss must cope with that.
//
// Deterministic in (scan, settings, state of *augment). O(N log N).
// Source: Tang et al., Searching Efficient 3D Architectures with Sparse Point-Voxel Convolution
// (ECCV 2020), published SemanticKITTI loader.
Result<PreparedScan> Prepare(const Scan& scan, const LidarSettings& settings, Rng* augment);

// [num_voxels] the class of most of a voxel's points, of equally frequent ones the lowest. Points
// with kIgnoredLabel have no vote: a voxel is ignored only if all its points are.
//   inverse       [N] voxel of each point; -1: of none
//   point_labels  [N]
std::vector<int32_t> MajorityLabels(const std::vector<int64_t>& inverse,
                                    const std::vector<int32_t>& point_labels, size_t num_voxels);

// Voxels of integer coordinates.
struct Quantized {
  std::vector<int64_t> first;    // [M] the first point of each voxel, voxels in (x, y, z) order
  std::vector<int64_t> inverse;  // [N] voxel of each point
};

// De-duplicates `coords` [N,3] int32.
// Requires: every coordinate in [0, 2 * kMaxVoxelCoordinate].
Quantized Quantize(const std::vector<int32_t>& coords);

}  // namespace voxbit::data
