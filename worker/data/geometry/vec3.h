// Vectors and affine maps of space.
#pragma once

namespace voxbit::data {

struct Vec3 {
  double x = 0;
  double y = 0;
  double z = 0;
};

inline Vec3 operator+(const Vec3& a, const Vec3& b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Vec3 operator-(const Vec3& a, const Vec3& b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vec3 operator*(double s, const Vec3& v) { return {s * v.x, s * v.y, s * v.z}; }
inline double Dot(const Vec3& a, const Vec3& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vec3 Cross(const Vec3& a, const Vec3& b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
double Length(const Vec3& v);
// `v` with length 1; (0, 0, 0) stays.
Vec3 Normalised(const Vec3& v);

// v -> v.x * x + v.y * y + v.z * z + offset.
struct Affine {
  Vec3 x{1, 0, 0};
  Vec3 y{0, 1, 0};
  Vec3 z{0, 0, 1};
  Vec3 offset;

  Vec3 operator()(const Vec3& v) const { return v.x * x + v.y * y + v.z * z + offset; }
  double Determinant() const { return Dot(Cross(x, y), z); }
};

// The right one first, as with matrices.
Affine operator*(const Affine& second, const Affine& first);
Affine Move(double x, double y, double z);
Affine Stretch(double x, double y, double z);
// Right-handed, by radians. TurnX takes y towards z, TurnY z towards x, TurnZ x towards y.
Affine TurnX(double radians);
Affine TurnY(double radians);
Affine TurnZ(double radians);

}  // namespace voxbit::data
