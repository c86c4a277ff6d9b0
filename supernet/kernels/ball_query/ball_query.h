// Points within a radius, lowest index first.
#pragma once

#include <cstdint>

#include "supernet/kernels/isa.h"
#include "supernet/kernels/point_tree/view.h"

namespace voxbit::kernels {

struct BallQueryKernels {
  // For the queries [begin, end), the `num` lowest indices of points whose squared distance is at
  // most `square`, ascending; fewer: the first is repeated; none: the row starts with -1 and the
  // rest of it is not written.
  //   query  [*,3] float32, finite
  //   index  [*,num] int64, into points.xyz
  // Requires: num > 0, square finite and >= 0. Every instruction set gives the same indices.
  // Source: PointNet++ query_ball_point.
  void (*within)(const PointTreeView& points, const float* query, float square, int64_t num,
                 int64_t begin, int64_t end, int64_t* index);
};

// Requires: IsaAvailable(isa).
const BallQueryKernels& BallQueryKernelsFor(Isa isa);

}  // namespace voxbit::kernels
