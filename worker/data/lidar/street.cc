#include "worker/data/lidar/street.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "worker/data/dataset.h"

namespace voxbit::data {
namespace {

constexpr double kHalfLengthM = 70;
constexpr double kLaneM = 3.2;
constexpr double kParkingM = 2.1;
// No obstacle stands closer to the scanner along the street than this.
constexpr double kOwnCarM = 6;

// Puts things on the ground of one street.
class Builder {
 public:
  explicit Builder(Rng& rng) : rng_(rng) {}

  Street Build() {
    MakeGround();
    for (const double side : {-1.0, 1.0}) {
      Buildings(side);
      ParkedCars(side);
      Trees(side);
      Lamps(side);
    }
    Signs();
    DrivingCars();
    People();
    Clutter();
    Gardens();
    PlaceScanner();
    return std::move(street_);
  }

 private:
  double In(double low, double high) { return rng_.Uniform(low, high); }

  // A solid whose lower end is `base` above the ground at (x, y).
  void Add(Shape shape, double x, double y, double base, std::array<double, 3> half, double yaw,
           int32_t label, double reflectance, double extinction = 0) {
    const double z = street_.ground.Height(x, y) + base + half[2];
    street_.solids.push_back({shape, {x, y, z}, half, yaw, label, reflectance, extinction});
  }

  bool InCrossing(double x, double margin) const {
    const Ground& ground = street_.ground;
    return std::fabs(x - ground.crossing_x) < ground.crossing_half_m + margin;
  }

  void MakeGround() {
    Ground& ground = street_.ground;
    for (int i = 0; i < 3; ++i) {
      const double length = In(25, 90);
      const double heading = In(0, std::numbers::pi);
      const double k = 2 * std::numbers::pi / length;
      ground.waves.push_back({In(0.02, 0.2) * length / 90, k * std::cos(heading),
                              k * std::sin(heading), In(0, 2 * std::numbers::pi)});
    }
    has_parking_ = rng_.Bernoulli(0.75);
    ground.road_half_m = kLaneM + (has_parking_ ? kParkingM : 0) + In(0, 0.5);
    ground.sidewalk_m = In(1.5, 3.5);
    ground.curb_m = In(0.06, 0.16);
    if (rng_.Bernoulli(0.6)) {
      ground.crossing_x = In(-45, 45);
      ground.crossing_half_m = In(2.5, 4.5);
    }
    ground.road_reflectance = In(0.12, 0.3);
    ground.sidewalk_reflectance = In(0.18, 0.4);
    ground.terrain_reflectance = In(0.25, 0.5);
  }

  double SidewalkEnd() const { return street_.ground.road_half_m + street_.ground.sidewalk_m; }

  void Buildings(double side) {
    double x = -kHalfLengthM - In(0, 10);
    double setback = rng_.Bernoulli(0.65) ? In(1.5, 6) : 0;
    while (x < kHalfLengthM) {
      const double length = In(8, 24);
      const double middle = x + length / 2;
      if (InCrossing(middle, length / 2 + street_.ground.sidewalk_m)) {
        x += 2;
        continue;
      }
      House(side, middle, length, setback);
      if (setback > 1) FrontGarden(side, middle, length, setback);
      x += length + (rng_.Bernoulli(0.4) ? In(2, 8) : 0);
      if (rng_.Bernoulli(0.3)) setback = rng_.Bernoulli(0.65) ? In(1.5, 6) : 0;
    }
  }

  void House(double side, double x, double length, double setback) {
    const double front = SidewalkEnd() + setback + In(0, 0.4);
    const double depth = In(7, 14);
    const double height = In(3.5, 16);
    const double reflectance = In(0.2, 0.6);
    // A sunk base hides the gap that an uneven ground would leave.
    Add(Shape::kBox, x, side * (front + depth / 2), -1, {length / 2, depth / 2, height / 2 + 0.5},
        0, kBuilding, reflectance);
    const int64_t bays = rng_.Below(4);
    for (int64_t i = 0; i < bays; ++i) {
      const double bay = In(0.5, 1.6);
      const double out = In(0.15, 0.7);
      Add(Shape::kBox, x + In(-0.4, 0.4) * length, side * (front - out / 2),
          rng_.Bernoulli(0.5) ? -0.3 : In(2.4, 3.2), {bay, out / 2, In(0.5, 1.4)}, 0, kBuilding,
          reflectance);
    }
  }

  void FrontGarden(double side, double x, double length, double setback) {
    const double y = side * (SidewalkEnd() + 0.25);
    const double border = In(0, 1);
    if (border < 0.45) {
      Add(Shape::kBox, x, y, 0, {length / 2, 0.04, In(0.4, 0.8)}, 0, kFence, In(0.15, 0.5),
          In(8, 30));
    } else if (border < 0.65) {
      Add(Shape::kBox, x, y + side * 0.3, 0, {length / 2, 0.35, In(0.4, 0.9)}, 0, kVegetation,
          In(0.3, 0.55), In(3, 7));
    }
    const int64_t bushes = rng_.Below(4);
    for (int64_t i = 0; i < bushes; ++i) {
      Bush(x + In(-0.5, 0.5) * length, side * (SidewalkEnd() + In(0.5, setback)));
    }
  }

  void Bush(double x, double y) {
    const double radius = In(0.3, 0.9);
    Add(Shape::kEllipsoid, x, y, -0.2 * radius,
        {radius, radius * In(0.8, 1.2), radius * In(0.7, 1.3)}, 0, kVegetation, In(0.3, 0.55),
        In(2, 6));
  }

  void Car(double x, double y, double yaw) {
    const double paint = In(0.05, 0.75);
    const double glass = In(0.05, 0.25);
    const double c = std::cos(yaw);
    const double s = std::sin(yaw);
    const auto part = [&](double forward, double left, double base, std::array<double, 3> half,
                          double reflectance) {
      Add(Shape::kBox, x + c * forward - s * left, y + s * forward + c * left, base, half, yaw,
          kCar, reflectance);
    };
    const bool van = rng_.Bernoulli(0.15);
    const double half_length = van ? In(2.3, 2.9) : In(1.8, 2.35);
    const double half_width = van ? In(0.9, 1.0) : In(0.8, 0.92);
    if (van) {
      part(-0.35, 0, 0.35, {half_length - 0.35, half_width, In(0.75, 1.0)}, paint);
      part(half_length - 0.4, 0, 0.35, {0.4, half_width, 0.4}, paint);
    } else {
      const double body = In(0.27, 0.36);
      part(0, 0, 0.25, {half_length, half_width, body}, paint);
      part(-0.2 * half_length, 0, 0.25 + 2 * body,
           {half_length * In(0.45, 0.65), half_width - 0.1, In(0.24, 0.36)}, glass);
    }
    for (const double forward : {-0.62, 0.62}) {
      for (const double left : {-1.0, 1.0}) {
        part(forward * half_length, left * (half_width - 0.1), 0, {0.3, 0.09, 0.3}, 0.08);
      }
    }
  }

  void ParkedCars(double side) {
    if (!has_parking_) return;
    const double y = side * (street_.ground.road_half_m - 1.05);
    double x = -kHalfLengthM + In(0, 5);
    while (x < kHalfLengthM) {
      if (!InCrossing(x, 5) && rng_.Bernoulli(0.55)) {
        Car(x, y + In(-0.15, 0.15), (side > 0 ? std::numbers::pi : 0) + 0.03 * rng_.Normal());
      }
      x += In(5.6, 7);
    }
  }

  void DrivingCars() {
    const int64_t count = 1 + rng_.Below(5);
    for (int64_t i = 0; i < count; ++i) {
      const double lane = rng_.Bernoulli(0.5) ? -1 : 1;
      const double x = In(kOwnCarM + 3, 55) * (rng_.Bernoulli(0.5) ? -1 : 1);
      Car(x, lane * kLaneM / 2 + In(-0.3, 0.3),
          (lane > 0 ? std::numbers::pi : 0) + 0.05 * rng_.Normal());
    }
  }

  void Tree(double x, double y) {
    const double trunk = In(1.8, 3.4);
    const double radius = In(0.09, 0.28);
    Add(Shape::kCylinder, x, y, -0.2, {radius, radius, trunk / 2 + 0.4}, 0, kTrunk, In(0.2, 0.5));
    const double crown = In(1.1, 2.6);
    const double extinction = In(0.8, 2.5);
    const double reflectance = In(0.3, 0.55);
    for (int i = 0; i < 3; ++i) {
      const double size = crown * In(0.6, 1);
      Add(Shape::kEllipsoid, x + In(-0.5, 0.5) * crown, y + In(-0.5, 0.5) * crown,
          trunk - 0.3 + In(0, 0.8) * crown, {size, size, size * In(0.7, 1.2)}, 0, kVegetation,
          reflectance, extinction);
    }
  }

  void Trees(double side) {
    if (rng_.Bernoulli(0.15)) return;
    const double y = side * (street_.ground.road_half_m +
                             (rng_.Bernoulli(0.5) ? 0.7 : street_.ground.sidewalk_m + 0.6));
    const double spacing = In(7, 13);
    double x = -kHalfLengthM + In(0, spacing);
    while (x < kHalfLengthM) {
      if (!InCrossing(x, 3) && rng_.Bernoulli(0.75)) Tree(x + In(-1, 1), y + In(-0.2, 0.2));
      x += spacing;
    }
  }

  void Lamps(double side) {
    const double y = side * (street_.ground.road_half_m + 0.45);
    const double spacing = In(16, 30);
    double x = -kHalfLengthM + In(0, spacing);
    while (x < kHalfLengthM) {
      if (!InCrossing(x, 1)) Lamp(x, y, side);
      x += spacing;
    }
  }

  void Lamp(double x, double y, double side) {
    const double height = In(4, 8);
    const double radius = In(0.05, 0.12);
    const double reflectance = In(0.25, 0.6);
    Add(Shape::kCylinder, x, y, -0.2, {radius, radius, height / 2}, 0, kPole, reflectance);
    Add(Shape::kBox, x, y - side * 0.8, height - 0.3, {0.12, 0.9, 0.06}, 0, kPole, reflectance);
  }

  void Sign(double x, double y) {
    const double height = In(1.9, 2.8);
    const double size = In(0.28, 0.45);
    const double yaw = 0.15 * rng_.Normal();
    Add(Shape::kCylinder, x, y, -0.2, {0.035, 0.035, height / 2 + 0.3}, 0, kPole, In(0.4, 0.7));
    Add(Shape::kBox, x, y, height - size, {0.02, size, size}, yaw, kTrafficSign, In(0.75, 1));
  }

  void Signs() {
    const int64_t count = 3 + rng_.Below(5);
    for (int64_t i = 0; i < count; ++i) {
      const double side = rng_.Bernoulli(0.5) ? -1 : 1;
      const double x = In(-35, 35);
      if (InCrossing(x, 0.5)) continue;
      Sign(x, side * (street_.ground.road_half_m + In(0.3, 0.6)));
    }
  }

  void Person(double x, double y) {
    const double height = In(1.1, 1.9);
    const double yaw = In(0, std::numbers::pi);
    const double clothes = In(0.1, 0.6);
    const double spread = In(0.05, 0.2);
    const double c = std::cos(yaw);
    const double s = std::sin(yaw);
    for (const double leg : {-1.0, 1.0}) {
      Add(Shape::kCylinder, x + c * leg * spread, y + s * leg * spread, 0,
          {0.08, 0.08, 0.24 * height}, 0, kPerson, clothes);
    }
    Add(Shape::kEllipsoid, x, y, 0.42 * height, {0.16, 0.25, 0.23 * height}, yaw, kPerson,
        In(0.1, 0.6));
    Add(Shape::kEllipsoid, x, y, 0.86 * height, {0.1, 0.1, 0.07 * height}, 0, kPerson, 0.4);
  }

  void People() {
    const int64_t count = 6 + rng_.Below(12);
    for (int64_t i = 0; i < count; ++i) {
      const double side = rng_.Bernoulli(0.5) ? -1 : 1;
      const double x = In(-22, 22);
      const bool on_road = rng_.Bernoulli(0.12) && std::fabs(x) > kOwnCarM;
      const double y =
          on_road ? In(-1, 1) * street_.ground.road_half_m
                  : side * (street_.ground.road_half_m + In(0.3, street_.ground.sidewalk_m - 0.2));
      Person(x, y);
    }
  }

  // Bins, boxes and the like: things that no class describes.
  void Clutter() {
    const int64_t count = 2 + rng_.Below(5);
    for (int64_t i = 0; i < count; ++i) {
      const double side = rng_.Bernoulli(0.5) ? -1 : 1;
      Add(Shape::kBox, In(-30, 30), side * (SidewalkEnd() - In(0.2, 0.6)), 0,
          {In(0.2, 0.5), In(0.2, 0.4), In(0.3, 0.65)}, In(-0.2, 0.2), kIgnoredLabel, In(0.1, 0.6));
    }
  }

  // Trees and bushes behind the houses, seen through the gaps.
  void Gardens() {
    for (int i = 0; i < 24; ++i) {
      const double side = rng_.Bernoulli(0.5) ? -1 : 1;
      const double x = In(-kHalfLengthM, kHalfLengthM);
      const double y = side * (SidewalkEnd() + In(16, 40));
      if (InCrossing(x, street_.ground.sidewalk_m + 1)) continue;
      if (rng_.Bernoulli(0.5)) {
        Tree(x, y);
      } else {
        Bush(x, y);
      }
    }
  }

  void PlaceScanner() {
    const double y = -kLaneM / 2 + In(-0.3, 0.3);
    Pose& pose = street_.scanner;
    pose.position = {0, y, street_.ground.Height(0, y) + In(1.65, 1.95)};
    pose.yaw = 0.06 * rng_.Normal();
    pose.pitch = 0.008 * rng_.Normal();
    pose.roll = 0.008 * rng_.Normal();
  }

  Rng& rng_;
  Street street_;
  bool has_parking_ = false;
};

}  // namespace

const std::vector<std::string>& StreetClassNames() {
  static const std::vector<std::string> names = {
      "road",  "sidewalk", "terrain",      "building", "fence", "vegetation",
      "trunk", "pole",     "traffic-sign", "car",      "person"};
  return names;
}

double Ground::KerbDistance(double x, double y) const {
  const double main = std::fabs(y) - road_half_m;
  return crossing_half_m < 0 ? main : std::min(main, std::fabs(x - crossing_x) - crossing_half_m);
}

double Ground::Height(double x, double y) const {
  constexpr double kRampM = 0.1;  // the kerb's face is steep, not vertical
  double height = curb_m * std::clamp(KerbDistance(x, y) / kRampM, 0.0, 1.0);
  for (const Wave& wave : waves) {
    height += wave.amplitude_m * std::sin(wave.kx * x + wave.ky * y + wave.phase);
  }
  return height;
}

double Ground::MaxHeight() const {
  double height = curb_m;
  for (const Wave& wave : waves) height += wave.amplitude_m;
  return height;
}

StreetClass Ground::Class(double x, double y) const {
  const double distance = KerbDistance(x, y);
  if (distance < 0) return kRoad;
  return distance < sidewalk_m ? kSidewalk : kTerrain;
}

double Ground::Reflectance(StreetClass ground_class) const {
  if (ground_class == kRoad) return road_reflectance;
  return ground_class == kSidewalk ? sidewalk_reflectance : terrain_reflectance;
}

Street MakeStreet(Rng& rng) { return Builder(rng).Build(); }

}  // namespace voxbit::data
