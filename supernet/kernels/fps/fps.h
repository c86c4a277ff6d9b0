// Farthest-point sampling of one cloud.
#pragma once

#include <cstdint>

#include "supernet/kernels/isa.h"
#include "supernet/kernels/point_tree/view.h"

namespace voxbit::kernels {

// Squared distance from the origin up to which FpsOptions::skip_near_origin leaves points out.
constexpr float kNearOrigin = 1e-3F;

struct FpsOptions {
  int64_t first = 0;              // index of the first pick
  bool skip_near_origin = false;  // points within kNearOrigin are picked only as the first
};

// out [num] int64: `first`, then each time the point whose nearest pick is farthest, the lower
// index of equals. When no distance is left above 0 that is the first point that may be picked, and
// when none may, `first` again. Every instruction set gives the same indices.
// Requires: IsaAvailable(isa), 0 < num <= points.num_points, first in range.
// O(num * num_points) at worst; boxes make it near O(num * log) for spread points.
// Source: Qi et al., PointNet++ (NeurIPS 2017), sec. 3.2; skipping boxes after Han et al., QuickFPS
// (IEEE TCAD 2023). The references start from distance 1e10 instead of infinity, which is the same
// for clouds below 100 km.
void FarthestPointSample(Isa isa, const PointTreeView& points, int64_t num,
                         const FpsOptions& options, int64_t* out);

}  // namespace voxbit::kernels
