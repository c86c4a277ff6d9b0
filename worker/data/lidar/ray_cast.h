// A spinning scanner in a street scene.
#pragma once

#include <cstdint>
#include <vector>

#include "common/rng.h"
#include "worker/data/lidar/street.h"

namespace voxbit::data {

struct Scanner {
  int64_t beams = 32;           // rays above one another, evenly spaced in elevation
  int64_t azimuth_steps = 512;  // rays in a full turn
  double low_rad = -0.44;       // elevation of the lowest beam
  double high_rad = 0.17;       // and of the highest
  double max_range_m = 50;
  double noise_m = 0.02;  // standard deviation of the range
  double dropout = 0.03;  // share of returns lost at any range
};

// What came back, at most one return a ray, beam by beam from the lowest.
struct Returns {
  std::vector<float> points;    // [N,4] x, y, z in metres in the scanner's frame, intensity [0,1]
  std::vector<int32_t> labels;  // [N] StreetClass or kIgnoredLabel of what was hit
};

// Casts every ray to the nearest opaque surface, or to where foliage or mesh stops it. Weak and
// far returns are lost more often than `dropout` says. Deterministic in the generator's state.
Returns CastRays(const Street& street, const Scanner& scanner, Rng& rng);

}  // namespace voxbit::data
