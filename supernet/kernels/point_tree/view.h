// A point cloud in tree order with bounding boxes, as the search kernels read it: plain memory.
//
// Points are sorted so that every kLeafPoints neighbours in memory are neighbours in space (a
// leaf), and so are every 8 leaves, every 64 leaves and so on. A node of level 0 is a leaf; node i
// of level l + 1 holds the nodes 8 i to 8 i + 7 of level l. The top level has at most 8 nodes.
//
// Squared distances are computed as (dx dx + dy dy) + dz dz in float32 without contraction to FMA,
// everywhere. The bound of a box is computed in the same order; rounding is monotone, so no point
// of the box has a smaller computed distance, and skipping a box is exact without any margin.
#pragma once

#include <cstdint>

namespace voxbit::kernels {

constexpr int64_t kLeafPoints = 16;      // a multiple of 8
constexpr int kMaxTreeLevels = 10;       // 8^9 leaves of 16 points exceed 2^31 points
constexpr int32_t kNoPoint = INT32_MAX;  // index of padding

// Boxes of 8 nodes with the same parent; those past the last node are undefined.
struct BoxGroup {
  float low[3][8];  // x, y, z
  float high[3][8];
  int32_t lowest[8];  // smallest index of a point in the node
};

struct PointTreeView {
  const float* xyz;  // [num_points, 3] in the order given
  int64_t num_points;

  // In tree order, num_nodes[0] * kLeafPoints long. Padding has infinite coordinates and kNoPoint.
  const float* x;
  const float* y;
  const float* z;
  const int32_t* index;  // into xyz

  int num_levels;
  int64_t num_nodes[kMaxTreeLevels];
  const BoxGroup* groups[kMaxTreeLevels];  // ceil(num_nodes / 8) each
};

}  // namespace voxbit::kernels
