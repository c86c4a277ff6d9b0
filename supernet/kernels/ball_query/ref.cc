// Ball query that looks at the points in order: the specification.
#include <cstdint>

#include "supernet/kernels/ball_query/variants.h"

namespace voxbit::kernels::ref {
namespace {

void Within(const PointTreeView& points, const float* query, float square, int64_t num,
            int64_t begin, int64_t end, int64_t* index) {
  for (int64_t q = begin; q < end; ++q) {
    int64_t* row = index + q * num;
    int64_t found = 0;
    for (int64_t i = 0; i < points.num_points && found < num; ++i) {
      const float dx = points.xyz[3 * i] - query[3 * q];
      const float dy = points.xyz[3 * i + 1] - query[3 * q + 1];
      const float dz = points.xyz[3 * i + 2] - query[3 * q + 2];
      if (dx * dx + dy * dy + dz * dz <= square) row[found++] = i;
    }
    if (found == 0) {
      row[0] = -1;
      continue;
    }
    for (int64_t j = found; j < num; ++j) row[j] = row[0];
  }
}

}  // namespace

BallQueryKernels BallQuery() { return {&Within}; }

}  // namespace voxbit::kernels::ref
