// The k nearest points of a cloud.
#pragma once

#include <cstdint>

#include "supernet/kernels/isa.h"
#include "supernet/kernels/point_tree/view.h"

namespace voxbit::kernels {

struct KnnKernels {
  // Points by ascending (squared distance, index), for the queries [begin, end).
  //   query    [*,3] float32, finite
  //   index    [*,k] int64, into points.xyz
  //   squares  [*,k] float32 squared distances (view.h: how computed), or null
  // Requires: 0 < k <= points.num_points. Exact; every instruction set gives the same bits.
  void (*nearest)(const PointTreeView& points, const float* query, int64_t k, int64_t begin,
                  int64_t end, int64_t* index, float* squares);
};

// Requires: IsaAvailable(isa).
const KnnKernels& KnnKernelsFor(Isa isa);

}  // namespace voxbit::kernels
