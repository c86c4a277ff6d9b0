#include "worker/data/geometry/vec3.h"

#include <cmath>

namespace voxbit::data {

double Length(const Vec3& v) { return std::sqrt(Dot(v, v)); }

Vec3 Normalised(const Vec3& v) {
  const double length = Length(v);
  return length > 0 ? (1 / length) * v : v;
}

Affine operator*(const Affine& second, const Affine& first) {
  const Vec3 origin = second.offset;
  return {second(first.x) - origin, second(first.y) - origin, second(first.z) - origin,
          second(first.offset)};
}

Affine Move(double x, double y, double z) {
  Affine map;
  map.offset = {x, y, z};
  return map;
}

Affine Stretch(double x, double y, double z) { return {{x, 0, 0}, {0, y, 0}, {0, 0, z}, {}}; }

Affine TurnX(double radians) {
  const double c = std::cos(radians), s = std::sin(radians);
  return {{1, 0, 0}, {0, c, s}, {0, -s, c}, {}};
}

Affine TurnY(double radians) {
  const double c = std::cos(radians), s = std::sin(radians);
  return {{c, 0, -s}, {0, 1, 0}, {s, 0, c}, {}};
}

Affine TurnZ(double radians) {
  const double c = std::cos(radians), s = std::sin(radians);
  return {{c, s, 0}, {-s, c, 0}, {0, 0, 1}, {}};
}

}  // namespace voxbit::data
