#include "worker/data/geometry/occlusion.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <unordered_map>

namespace voxbit::data {

Vec3 RandomDirection(Rng& rng) {
  const double x = rng.Normal(), y = rng.Normal(), z = rng.Normal();
  return Normalised({x, y, z});
}

std::vector<SurfacePoint> SeenFromAside(const std::vector<SurfacePoint>& points, Rng& rng) {
  constexpr double kSquare = 0.04;
  constexpr double kDepth = 0.06;
  const Vec3 sight = RandomDirection(rng);
  const Vec3 right = Normalised(Cross(sight, RandomDirection(rng)));
  const Vec3 up = Cross(right, sight);
  const auto square = [&](const SurfacePoint& point) {
    const auto column = static_cast<int64_t>(std::floor(Dot(point.position, right) / kSquare));
    const auto row = static_cast<int64_t>(std::floor(Dot(point.position, up) / kSquare));
    return column * (int64_t{1} << 32) + row;
  };
  std::unordered_map<int64_t, double> nearest;
  for (const SurfacePoint& point : points) {
    const double depth = Dot(point.position, sight);
    double& least = nearest.emplace(square(point), depth).first->second;
    least = std::min(least, depth);
  }
  std::vector<SurfacePoint> seen;
  std::copy_if(points.begin(), points.end(), std::back_inserter(seen),
               [&](const SurfacePoint& point) {
                 return Dot(point.position, sight) <= nearest.at(square(point)) + kDepth;
               });
  return seen;
}

std::vector<SurfacePoint> WithoutAPiece(const std::vector<SurfacePoint>& points, double share,
                                        Rng& rng) {
  if (points.empty()) return points;
  const Vec3 towards = RandomDirection(rng);
  const Vec3 middle =
      points[static_cast<size_t>(rng.Below(static_cast<int64_t>(points.size())))].position;
  const bool plane = rng.Bernoulli(0.5);
  // The larger, the sooner a point goes.
  const auto rank = [&](const SurfacePoint& point) {
    return plane ? Dot(point.position, towards) : -Length(point.position - middle);
  };
  std::vector<double> ranks;
  ranks.reserve(points.size());
  for (const SurfacePoint& point : points) ranks.push_back(rank(point));
  const auto num_kept =
      static_cast<std::ptrdiff_t>(std::ceil((1 - share) * static_cast<double>(points.size())));
  const auto last = ranks.begin() + std::max<std::ptrdiff_t>(num_kept - 1, 0);
  std::nth_element(ranks.begin(), last, ranks.end());
  std::vector<SurfacePoint> kept;
  std::copy_if(points.begin(), points.end(), std::back_inserter(kept),
               [&](const SurfacePoint& point) { return rank(point) <= *last; });
  return kept;
}

}  // namespace voxbit::data
