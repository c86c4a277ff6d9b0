// Farthest-point sampling that updates every distance for every pick: the specification.
#include <cstdint>
#include <limits>

#include "supernet/kernels/fps/variants.h"

namespace voxbit::kernels::ref {

void Fps(const PointTreeView& points, int64_t num, const FpsOptions& options,
         const FpsScratch& scratch, int64_t* out) {
  const int64_t n = points.num_points;
  float* distance = scratch.distance;  // squared, to the nearest pick; -1: not to be picked
  for (int64_t i = 0; i < n; ++i) {
    const float* p = points.xyz + 3 * i;
    const bool skip =
        options.skip_near_origin && p[0] * p[0] + p[1] * p[1] + p[2] * p[2] <= kNearOrigin;
    distance[i] = skip ? -1.0F : std::numeric_limits<float>::infinity();
  }
  int64_t pick = options.first;
  for (int64_t s = 0; s < num; ++s) {
    out[s] = pick;
    const float* q = points.xyz + 3 * pick;
    float farthest = -1.0F;
    int64_t next = options.first;
    for (int64_t i = 0; i < n; ++i) {
      const float dx = points.xyz[3 * i] - q[0];
      const float dy = points.xyz[3 * i + 1] - q[1];
      const float dz = points.xyz[3 * i + 2] - q[2];
      const float square = dx * dx + dy * dy + dz * dz;
      if (square < distance[i]) distance[i] = square;
      if (distance[i] > farthest) {
        farthest = distance[i];
        next = i;
      }
    }
    pick = next;
  }
}

}  // namespace voxbit::kernels::ref
