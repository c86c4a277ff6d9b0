// Procedural street scenes: an uneven ground with road and pavements, and solids that stand on it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/rng.h"

namespace voxbit::data {

// Train ids of street scenes; kStreetClassNames follows them.
enum StreetClass : int32_t {
  kRoad = 0,
  kSidewalk,
  kTerrain,
  kBuilding,
  kFence,
  kVegetation,
  kTrunk,
  kPole,
  kTrafficSign,
  kCar,
  kPerson,
};

const std::vector<std::string>& StreetClassNames();

// Street frame: x along the street, y to its left, z up, metres; the street's middle line is y = 0.

enum class Shape { kBox, kCylinder, kEllipsoid };

// A body that rays meet.
struct Solid {
  Shape shape = Shape::kBox;
  std::array<double, 3> center{};
  std::array<double, 3> half{};  // half extents; of a cylinder (upright): radius, radius, height/2
  double yaw = 0;                // radians about z
  int32_t label = 0;             // a StreetClass or kIgnoredLabel
  double reflectance = 0.5;      // [0,1] at perpendicular incidence
  // 0: opaque. Otherwise the body is foliage or mesh: a ray inside is stopped with this
  // probability per metre and may come out at the far side.
  double extinction_per_m = 0;
};

// A height field without overhangs.
struct Ground {
  struct Wave {
    double amplitude_m;
    double kx;  // radians per metre
    double ky;
    double phase;
  };
  std::vector<Wave> waves;
  double road_half_m = 4;       // half width of the street
  double sidewalk_m = 2;        // width of each pavement
  double curb_m = 0.12;         // height of pavement and terrain above the road
  double crossing_x = 0;        // where a side street crosses
  double crossing_half_m = -1;  // half width of the side street; negative: there is none
  double road_reflectance = 0.2;
  double sidewalk_reflectance = 0.3;
  double terrain_reflectance = 0.4;

  // Distance to the nearest kerb in metres, negative on a road.
  double KerbDistance(double x, double y) const;
  double Height(double x, double y) const;
  // No height of this ground exceeds it.
  double MaxHeight() const;
  StreetClass Class(double x, double y) const;
  double Reflectance(StreetClass ground_class) const;
};

// Where the scanner is. Rotations apply in the order roll (x), pitch (y), yaw (z).
struct Pose {
  std::array<double, 3> position{};
  double yaw = 0;
  double pitch = 0;
  double roll = 0;
};

struct Street {
  Ground ground;
  std::vector<Solid> solids;
  Pose scanner;
};

// Draws a street of about 140 m with buildings, front gardens, parked and driving cars, trees,
// lamps, traffic signs, people and unlabelled clutter, and a scanner on a car in the right lane.
// Deterministic in the generator's state.
Street MakeStreet(Rng& rng);

}  // namespace voxbit::data
