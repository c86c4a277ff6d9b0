#include "worker/data/lidar/ray_cast.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <optional>

namespace voxbit::data {
namespace {

using Vec = std::array<double, 3>;

constexpr double kMinRangeM = 2;  // nearer is the scanner's own car
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Vec Rotate(double cosine, double sine, const Vec& v) {
  return {cosine * v[0] - sine * v[1], sine * v[0] + cosine * v[1], v[2]};
}

// Roll, then pitch, then yaw.
Vec ToStreet(const Pose& pose, const Vec& v) {
  const double cr = std::cos(pose.roll), sr = std::sin(pose.roll);
  const Vec rolled = {v[0], cr * v[1] - sr * v[2], sr * v[1] + cr * v[2]};
  const double cp = std::cos(pose.pitch), sp = std::sin(pose.pitch);
  const Vec pitched = {cp * rolled[0] + sp * rolled[2], rolled[1],
                       -sp * rolled[0] + cp * rolled[2]};
  return Rotate(std::cos(pose.yaw), std::sin(pose.yaw), pitched);
}

// The stretch of a ray inside a body, and the cosine of incidence where it enters.
struct Chord {
  double enter = 0;
  double exit = 0;
  double cosine = 1;
};

// Narrows `chord` to the slab |origin + t * direction| <= half. False when nothing is left.
bool Clip(double origin, double direction, double half, Chord& chord) {
  if (std::fabs(direction) < 1e-12) return std::fabs(origin) <= half;
  const double a = (-half - origin) / direction;
  const double b = (half - origin) / direction;
  if (std::min(a, b) > chord.enter) {
    chord.enter = std::min(a, b);
    chord.cosine = std::fabs(direction);
  }
  chord.exit = std::min(chord.exit, std::max(a, b));
  return chord.enter <= chord.exit;
}

// The roots of |o + t d|^2 = 1 over the first `axes` axes, everything scaled by the half extents.
std::optional<Chord> ScaledSphere(const Vec& origin, const Vec& direction, const Vec& half,
                                  size_t axes) {
  double a = 0, b = 0, c = -1;
  for (size_t i = 0; i < axes; ++i) {
    const double o = origin[i] / half[i];
    const double d = direction[i] / half[i];
    a += d * d;
    b += o * d;
    c += o * o;
  }
  const double discriminant = b * b - a * c;
  if (a < 1e-18 || discriminant < 0) return std::nullopt;
  const double root = std::sqrt(discriminant);
  Chord chord{(-b - root) / a, (-b + root) / a, 1};
  Vec normal{};
  double length = 0;
  double along = 0;
  for (size_t i = 0; i < axes; ++i) {
    normal[i] = (origin[i] + chord.enter * direction[i]) / (half[i] * half[i]);
    length += normal[i] * normal[i];
    along += normal[i] * direction[i];
  }
  chord.cosine = std::fabs(along) / std::sqrt(length);
  return chord;
}

// `direction` has length 1.
std::optional<Chord> Intersect(const Solid& solid, const Vec& from, const Vec& direction) {
  const double cosine = std::cos(solid.yaw);
  const double sine = -std::sin(solid.yaw);
  const Vec offset = {from[0] - solid.center[0], from[1] - solid.center[1],
                      from[2] - solid.center[2]};
  const Vec o = Rotate(cosine, sine, offset);
  const Vec d = Rotate(cosine, sine, direction);
  Chord chord{-kInfinity, kInfinity, 1};
  if (solid.shape == Shape::kBox) {
    for (size_t axis = 0; axis < 3; ++axis) {
      if (!Clip(o[axis], d[axis], solid.half[axis], chord)) return std::nullopt;
    }
    return chord;
  }
  const auto round = ScaledSphere(o, d, solid.half, solid.shape == Shape::kCylinder ? 2 : 3);
  if (!round) return std::nullopt;
  chord = *round;
  if (solid.shape == Shape::kCylinder && !Clip(o[2], d[2], solid.half[2], chord)) {
    return std::nullopt;
  }
  return chord;
}

// The solids by the azimuth under which the scanner sees them.
class AzimuthIndex {
 public:
  AzimuthIndex(const std::vector<Solid>& solids, const Vec& from, double max_range_m)
      : sectors_(kSectors) {
    for (size_t i = 0; i < solids.size(); ++i) {
      const double dx = solids[i].center[0] - from[0];
      const double dy = solids[i].center[1] - from[1];
      const double distance = std::hypot(dx, dy);
      const double radius = std::hypot(solids[i].half[0], solids[i].half[1]);
      if (distance - radius > max_range_m) continue;
      if (distance <= radius) {
        for (auto& sector : sectors_) sector.push_back({0, i});
        continue;
      }
      const double middle = std::atan2(dy, dx);
      const double spread = std::asin(radius / distance);
      const auto first = static_cast<int64_t>(std::floor((middle - spread) / kSectorRad));
      const auto last = static_cast<int64_t>(std::floor((middle + spread) / kSectorRad));
      for (int64_t k = first; k <= last; ++k) At(k).push_back({distance - radius, i});
    }
    for (auto& sector : sectors_) {
      std::sort(sector.begin(), sector.end(), [](const Seen& a, const Seen& b) {
        return a.nearest != b.nearest ? a.nearest < b.nearest : a.solid < b.solid;
      });
    }
  }

  struct Seen {
    double nearest;  // horizontal distance at which a ray may first meet the solid
    size_t solid;
  };

  // By `nearest`.
  const std::vector<Seen>& Towards(const Vec& direction) {
    return At(
        static_cast<int64_t>(std::floor(std::atan2(direction[1], direction[0]) / kSectorRad)));
  }

 private:
  static constexpr int64_t kSectors = 720;
  static constexpr double kSectorRad = 2 * std::numbers::pi / kSectors;

  std::vector<Seen>& At(int64_t k) {
    return sectors_[static_cast<size_t>(((k % kSectors) + kSectors) % kSectors)];
  }

  std::vector<std::vector<Seen>> sectors_;
};

struct Hit {
  double range = kInfinity;
  double cosine = 1;
  int32_t label = 0;
  double reflectance = 0;
};

void HitSolids(const Street& street, const Vec& direction, AzimuthIndex& index, Rng& rng,
               Hit& hit) {
  const Vec& from = street.scanner.position;
  const double horizontal = std::hypot(direction[0], direction[1]);
  for (const auto& seen : index.Towards(direction)) {
    if (seen.nearest > hit.range * horizontal) break;
    const Solid& solid = street.solids[seen.solid];
    const auto chord = Intersect(solid, from, direction);
    if (!chord || chord->exit < kMinRangeM) continue;
    double range = std::max(chord->enter, kMinRangeM);
    double cosine = chord->cosine;
    if (solid.extinction_per_m > 0) {
      range -= std::log(1 - rng.Uniform()) / solid.extinction_per_m;
      cosine = 0.7;  // leaves and wires face everywhere
      if (range > chord->exit) continue;
    }
    if (range < hit.range) hit = {range, cosine, solid.label, solid.reflectance};
  }
}

// Marches down to the ground: a step never crosses a surface that rises by less than kSlope; the
// kerb's face does, and the crossing is then found by bisection.
void HitGround(const Street& street, const Vec& direction, Hit& hit) {
  constexpr double kSlope = 0.1;
  constexpr double kCloseM = 0.002;
  const Vec& from = street.scanner.position;
  const Ground& ground = street.ground;
  const double horizontal = std::hypot(direction[0], direction[1]);
  const auto above = [&](double range) {
    return from[2] + range * direction[2] -
           ground.Height(from[0] + range * direction[0], from[1] + range * direction[1]);
  };
  const double approach = kSlope * horizontal - direction[2];
  if (approach <= 0) return;
  double low = kMinRangeM;
  if (direction[2] < 0) low = std::max(low, (from[2] - ground.MaxHeight()) / -direction[2]);
  double gap = above(low);
  if (gap < -kCloseM) {  // the ground is nearer than the scanner measures
    hit.range = kInfinity;
    return;
  }
  while (gap > kCloseM) {
    double next = low + gap / approach;
    if (next >= hit.range) {
      next = hit.range;
      if (!(above(next) <= 0)) return;
    }
    double next_gap = above(next);
    if (next_gap < 0) {
      double high = next;
      for (int i = 0; i < 20; ++i) {
        const double middle = (low + high) / 2;
        (above(middle) > 0 ? low : high) = middle;
      }
      next_gap = 0;
    } else {
      low = next;
    }
    gap = next_gap;
  }
  const auto label = ground.Class(from[0] + low * direction[0], from[1] + low * direction[1]);
  hit = {low, std::fabs(direction[2]), label, ground.Reflectance(label)};
}

void Record(const Scanner& scanner, const Vec& in_scanner, const Hit& hit, Rng& rng, Returns& out) {
  const double intensity =
      std::clamp(hit.reflectance * (0.35 + 0.65 * hit.cosine) * (1 + 0.1 * rng.Normal()), 0.0, 1.0);
  const double far = hit.range / scanner.max_range_m;
  const double range = hit.range + scanner.noise_m * rng.Normal();
  if (rng.Bernoulli(scanner.dropout + 0.3 * far * far * (1 - intensity))) return;
  for (const double axis : in_scanner) out.points.push_back(static_cast<float>(range * axis));
  out.points.push_back(static_cast<float>(intensity));
  out.labels.push_back(hit.label);
}

}  // namespace

Returns CastRays(const Street& street, const Scanner& scanner, Rng& rng) {
  AzimuthIndex index(street.solids, street.scanner.position, scanner.max_range_m);
  Returns out;
  for (int64_t beam = 0; beam < scanner.beams; ++beam) {
    const double share =
        scanner.beams == 1 ? 0 : static_cast<double>(beam) / static_cast<double>(scanner.beams - 1);
    const double elevation = scanner.low_rad + share * (scanner.high_rad - scanner.low_rad);
    for (int64_t step = 0; step < scanner.azimuth_steps; ++step) {
      const double azimuth = 2 * std::numbers::pi * static_cast<double>(step) /
                             static_cast<double>(scanner.azimuth_steps);
      const Vec in_scanner = {std::cos(elevation) * std::cos(azimuth),
                              std::cos(elevation) * std::sin(azimuth), std::sin(elevation)};
      const Vec direction = ToStreet(street.scanner, in_scanner);
      Hit hit;
      hit.range = scanner.max_range_m;
      HitSolids(street, direction, index, rng, hit);
      HitGround(street, direction, hit);
      if (hit.range < scanner.max_range_m) Record(scanner, in_scanner, hit, rng, out);
    }
  }
  return out;
}

}  // namespace voxbit::data
