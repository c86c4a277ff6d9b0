#include "worker/data/geometry/mesh_builder.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace voxbit::data {
namespace {

constexpr int kSides = 20;  // of what is round
constexpr int kBarSides = 8;

double Share(int i, int of) { return static_cast<double>(i) / of; }

}  // namespace

void MeshBuilder::Skin(int32_t part, const Affine& at, const std::vector<Loop>& loops) {
  const bool mirrored = at.Determinant() < 0;
  const auto base = static_cast<int32_t>(mesh_.vertices.size());
  const auto width = static_cast<int32_t>(loops.front().size());
  for (const Loop& loop : loops) {
    for (const Vec3& point : loop) mesh_.vertices.push_back(at(point));
  }
  const auto add = [&](int32_t a, int32_t b, int32_t c) {
    if (mirrored) std::swap(b, c);
    mesh_.triangles.push_back({a, b, c});
    mesh_.parts.push_back(part);
  };
  for (int32_t row = 0; row + 1 < static_cast<int32_t>(loops.size()); ++row) {
    for (int32_t i = 0; i + 1 < width; ++i) {
      const int32_t low = base + row * width + i;
      const int32_t high = low + width;
      add(low, high, low + 1);
      add(high, high + 1, low + 1);
    }
  }
}

void MeshBuilder::Lathe(int32_t part, const Affine& at, const std::vector<Vec2>& profile,
                        double from, double to) {
  const int sides = std::max(3, static_cast<int>(std::ceil(kSides * (to - from) / kFullTurn)));
  std::vector<Loop> loops;
  loops.reserve(profile.size());
  for (const auto& [radius, y] : profile) {
    Loop loop;
    for (int i = 0; i <= sides; ++i) {
      const double angle = from + (to - from) * Share(i, sides);
      loop.push_back({radius * std::cos(angle), y, radius * std::sin(angle)});
    }
    loops.push_back(std::move(loop));
  }
  Skin(part, at, loops);
}

void MeshBuilder::Cone(int32_t part, const Affine& at, double low_radius, double high_radius,
                       double height) {
  Lathe(part, at, {{0, 0}, {low_radius, 0}, {high_radius, height}, {0, height}});
}

void MeshBuilder::Ball(int32_t part, const Affine& at, const Vec3& radii) {
  std::vector<Vec2> profile;
  for (int i = 0; i <= kSides / 2; ++i) {
    const double angle = std::numbers::pi * (Share(i, kSides / 2) - 0.5);
    profile.push_back({std::cos(angle), std::sin(angle)});
  }
  Lathe(part, at * Stretch(radii.x, radii.y, radii.z), profile);
}

void MeshBuilder::Ring(int32_t part, const Affine& at, double radius, double thickness, double from,
                       double to) {
  std::vector<Vec2> profile;
  for (int i = 0; i <= kBarSides; ++i) {
    const double angle = kFullTurn * Share(i, kBarSides);
    profile.push_back({radius + thickness * std::cos(angle), thickness * std::sin(angle)});
  }
  Lathe(part, at, profile, from, to);
}

void MeshBuilder::Plate(int32_t part, const Affine& at, std::vector<Vec2> outline, double height,
                        double top_scale) {
  double doubled_area = 0;
  Vec2 mean{};
  for (size_t i = 0; i < outline.size(); ++i) {
    const Vec2& next = outline[(i + 1) % outline.size()];
    doubled_area += outline[i][0] * next[1] - next[0] * outline[i][1];
    for (size_t axis = 0; axis < 2; ++axis) {
      mean[axis] += outline[i][axis] / static_cast<double>(outline.size());
    }
  }
  if (doubled_area < 0) std::reverse(outline.begin(), outline.end());
  outline.push_back(outline.front());
  std::vector<Loop> loops(4);
  for (const auto& [x, z] : outline) {
    loops[0].push_back({mean[0], 0, mean[1]});
    loops[1].push_back({x, 0, z});
    loops[2].push_back(
        {mean[0] + top_scale * (x - mean[0]), height, mean[1] + top_scale * (z - mean[1])});
    loops[3].push_back({mean[0], height, mean[1]});
  }
  Skin(part, at, loops);
}

void MeshBuilder::Box(int32_t part, const Affine& at, const Vec3& half) {
  Plate(part, at * Move(0, -half.y, 0), Rectangle(half.x, half.z), 2 * half.y);
}

void MeshBuilder::Bar(int32_t part, const Affine& at, const std::vector<Vec3>& path,
                      double radius) {
  std::vector<Loop> loops = {Loop(kBarSides + 1, path.front())};
  Vec3 side{0.36, 0.48, 0.8};  // any direction that no bar has
  for (size_t i = 0; i < path.size(); ++i) {
    const Vec3 along =
        Normalised(path[std::min(i + 1, path.size() - 1)] - path[i == 0 ? 0 : i - 1]);
    side = Normalised(side - Dot(side, along) * along);  // turns as little as the path allows
    const Vec3 other = Cross(side, along);
    Loop loop;
    for (int k = 0; k <= kBarSides; ++k) {
      const double angle = kFullTurn * Share(k, kBarSides);
      loop.push_back(path[i] + radius * std::cos(angle) * side + radius * std::sin(angle) * other);
    }
    loops.push_back(std::move(loop));
  }
  loops.emplace_back(kBarSides + 1, path.back());
  Skin(part, at, loops);
}

void MeshBuilder::Arch(int32_t part, const Affine& at, double half_width, double height,
                       double radius) {
  std::vector<Vec3> path;
  for (int i = 0; i <= kSides; ++i) {
    const double angle = std::numbers::pi * Share(i, kSides);
    path.push_back({0, height * std::sin(angle), -half_width * std::cos(angle)});
  }
  Bar(part, at, path, radius);
}

std::vector<Vec2> Ellipse(double half_x, double half_z) {
  std::vector<Vec2> outline;
  for (int i = 0; i < kSides; ++i) {
    const double angle = MeshBuilder::kFullTurn * Share(i, kSides);
    outline.push_back({half_x * std::cos(angle), half_z * std::sin(angle)});
  }
  return outline;
}

std::vector<Vec2> Rectangle(double half_x, double half_z) {
  return {{half_x, half_z}, {-half_x, half_z}, {-half_x, -half_z}, {half_x, -half_z}};
}

}  // namespace voxbit::data
