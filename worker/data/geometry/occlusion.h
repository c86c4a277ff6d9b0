// Takes away from a cloud what a scan of the object would not have.
#pragma once

#include <cstdint>
#include <vector>

#include "common/rng.h"
#include "worker/data/geometry/mesh.h"

namespace voxbit::data {

// The points seen from far away in a random direction, in their old order: those not more than
// 0.06 behind the nearest point within the same square of 0.04 across the line of sight. Surfaces
// seen at a flat angle become sparse, as in a real scan.
// Requires: points within a few units of the origin, dense for these lengths. O(N).
std::vector<SurfacePoint> SeenFromAside(const std::vector<SurfacePoint>& points, Rng& rng);

// Takes away `share` of the points, either all beyond a plane or all around a random point.
// Requires: 0 <= share < 1. O(N).
std::vector<SurfacePoint> WithoutAPiece(const std::vector<SurfacePoint>& points, double share,
                                        Rng& rng);

// Uniform on the unit sphere.
Vec3 RandomDirection(Rng& rng);

}  // namespace voxbit::data
