// Builds meshes with labelled parts from a few kinds of bodies. Local frame of every body: y up.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "worker/data/geometry/mesh.h"
#include "worker/data/geometry/vec3.h"

namespace voxbit::data {

using Vec2 = std::array<double, 2>;

class MeshBuilder {
 public:
  // A body of revolution about y. `profile` [P] (radius, y) runs upwards along the outside; angles
  // from `from` to `to` in radians, counted from x towards z, a full turn by default.
  void Lathe(int32_t part, const Affine& at, const std::vector<Vec2>& profile, double from = 0,
             double to = kFullTurn);
  // A closed (truncated) cone that stands on y = 0.
  void Cone(int32_t part, const Affine& at, double low_radius, double high_radius, double height);
  void Ball(int32_t part, const Affine& at, const Vec3& radii);
  // A stretch of a torus about y.
  void Ring(int32_t part, const Affine& at, double radius, double thickness, double from = 0,
            double to = kFullTurn);
  // `outline` [P] (x, z), star-shaped as seen from its mean, extruded from y = 0 to `height`, where
  // it is scaled about its mean by `top_scale`.
  void Plate(int32_t part, const Affine& at, std::vector<Vec2> outline, double height,
             double top_scale = 1);
  void Box(int32_t part, const Affine& at, const Vec3& half);
  // A round bar along `path`, at least two points.
  void Bar(int32_t part, const Affine& at, const std::vector<Vec3>& path, double radius);

  // A round bar in the plane x = 0 that rises from z = -half_width to `height` and comes down to
  // z = half_width: half an ellipse.
  void Arch(int32_t part, const Affine& at, double half_width, double height, double radius);

  Mesh Take() { return std::move(mesh_); }

  static constexpr double kFullTurn = 6.283185307179586;

 private:
  using Loop = std::vector<Vec3>;

  // The surface between neighbouring loops of equally many points; counter-clockwise about the way
  // from the first loop to the last, the outside is out. A loop of one point repeated closes an
  // end.
  void Skin(int32_t part, const Affine& at, const std::vector<Loop>& loops);

  Mesh mesh_;
};

// Outlines for Plate.
std::vector<Vec2> Ellipse(double half_x, double half_z);
std::vector<Vec2> Rectangle(double half_x, double half_z);

}  // namespace voxbit::data
