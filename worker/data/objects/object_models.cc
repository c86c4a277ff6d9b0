#include "worker/data/objects/object_models.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>

#include "common/check.h"
#include "worker/data/geometry/mesh_builder.h"
#include "worker/data/objects/object_categories.h"

namespace voxbit::data {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kQuarter = kPi / 2;

// The axis y of a body laid along x, backwards along x, and along z; and z put upright.
const Affine kAlongX = TurnZ(-kQuarter);
const Affine kBackX = TurnZ(kQuarter);
const Affine kAlongZ = TurnX(kQuarter);
const Affine kUpright = TurnX(-kQuarter);

// Makes one object. Parts are counted within the category, in the order of ShapeNetCategories.
// At most one argument of a call draws random numbers: compilers may evaluate arguments in any
// order.
class Modeller : private MeshBuilder {
 public:
  explicit Modeller(Rng& rng) : rng_(rng) {}
  using MeshBuilder::Take;

  void Airplane() {
    enum { kBody, kWing, kTail, kEngine };
    const double r = In(0.08, 0.16);
    Lathe(kBody, kAlongX,
          {{0, -1}, {0.3 * r, -0.9}, {r, In(-0.5, -0.2)}, {r, 0.55}, {0.75 * r, 0.85}, {0, 1}});
    const double span = In(0.6, 1.1), root = In(0.25, 0.5), sweep = In(-0.05, 0.5);
    const double wing_x = In(-0.1, 0.25), wing_y = In(-0.8, 0.8) * r, dihedral = In(-0.1, 0.15);
    const int64_t kind = rng_.Below(4);  // none, propeller, under the wings, at the rear
    const int64_t pairs = 1 + rng_.Below(2);
    const double engine = In(0.05, 0.08);
    for (const double side : {-1.0, 1.0}) {
      const Affine wing = Move(wing_x, wing_y, 0) * Stretch(1, 1, side) * TurnX(-dihedral);
      Fin(kWing, wing, root, root * 0.5, span, sweep, 0.03);
      for (int64_t i = 0; kind == 2 && i < pairs; ++i) {
        const double out = (0.35 + 0.3 * static_cast<double>(i)) * span;
        Cone(kEngine, wing * Move(0.1 - sweep * out / span, -engine, out) * kAlongX, engine,
             0.8 * engine, 0.25);
      }
      if (kind == 3) {
        Cone(kEngine, Move(-0.75, 0.3 * r, side * (0.8 * r + engine)) * kAlongX, engine, engine,
             0.3);
      }
    }
    if (kind == 1) {
      const double turn = In(0, kPi), blade = In(0.18, 0.3);
      Ball(kEngine, Move(1, 0, 0), {0.06, 0.04, 0.04});
      Box(kEngine, Move(1.02, 0, 0) * TurnX(turn), {0.01, blade, 0.025});
    }
    const double fin = In(0.2, 0.35);
    Fin(kTail, Move(-0.82, 0.2 * r, 0) * kUpright, 0.28, 0.14, fin, In(0.05, 0.2), 0.02);
    const double tail_y = Chance(0.25) ? fin : 0.2 * r;
    for (const double side : {-1.0, 1.0}) {
      Fin(kTail, Move(-0.85, tail_y, 0) * Stretch(1, 1, side), 0.22, 0.12, In(0.25, 0.4), 0.1,
          0.02);
    }
  }

  void Bag() {
    enum { kHandle, kBody };
    const double x = In(0.15, 0.4), y = In(0.35, 0.8), z = In(0.5, 0.8);
    if (Chance(0.7)) {
      Plate(kBody, {}, Rectangle(x, z), 2 * y, In(0.55, 1));
    } else {
      Ball(kBody, Move(0, y, 0), {1.2 * x, y, z});
    }
    const double width = In(0.3, 0.8) * z, height = In(0.15, 0.7), thick = In(0.02, 0.05);
    const int64_t handles = 1 + rng_.Below(2);
    for (int64_t i = 0; i < handles; ++i) {
      const double shift = handles == 1 ? 0 : (i == 0 ? -0.5 : 0.5) * x;
      Arch(kHandle, Move(shift, 1.95 * y, 0), width, height, thick);
    }
    if (Chance(0.25)) {
      Bar(kHandle, Move(0, y, 0), {{0, 0.8 * y, -z}, {0, 2.5 * y, 0}, {0, 0.8 * y, z}}, thick);
    }
  }

  void Cap() {
    enum { kPanels, kPeak };
    const double height = In(0.45, 0.9);
    std::vector<Vec2> dome;
    for (int i = 0; i <= 8; ++i) {
      const double angle = kQuarter * i / 8;
      dome.push_back({std::cos(angle), height * std::sin(angle)});
    }
    Lathe(kPanels, Stretch(In(1, 1.2), 1, 1), dome);
    if (Chance(0.6)) Ball(kPanels, Move(0, height, 0), {0.06, 0.05, 0.06});
    const double length = In(0.3, 0.8), drop = In(0, 0.25), half_angle = In(0.6, 1.2);
    const bool all_round = Chance(0.15);
    Lathe(kPeak, Stretch(1.1, 1, 1),
          {{0.97, 0}, {1 + length, -drop}, {1 + length, 0.03 - drop}, {0.97, 0.05}},
          all_round ? 0 : -half_angle, all_round ? kFullTurn : half_angle);
  }

  void Car() {
    enum { kRoof, kHood, kWheel, kBody };
    const double length = In(0.8, 1.1), width = In(0.35, 0.48), body = In(0.12, 0.2);
    const double wheel = In(0.13, 0.22), base = wheel;
    Box(kBody, Move(0, base + body, 0), {length, body, width});
    const double top = base + 2 * body;
    const double hood = Chance(0.2) ? In(0.1, 0.2) : In(0.35, 0.6);  // a van's is short
    Box(kHood, Move(length - hood / 2, top + 0.02, 0), {hood / 2, 0.025, 0.95 * width});
    const double trunk = Chance(0.5) ? In(0.2, 0.5) : 0.02;
    const double cabin = (2 * length - hood - trunk) / 2, height = In(0.2, 0.4);
    const double middle = -length + trunk + cabin, taper = In(0.6, 0.92);
    Plate(kBody, Move(middle, top, 0), Rectangle(cabin, 0.93 * width), height, taper);
    if (!Chance(0.1)) {  // not a convertible
      Box(kRoof, Move(middle, top + height + 0.015, 0),
          {taper * cabin, 0.02, taper * 0.93 * width});
    }
    const double axle = In(0.5, 0.7) * length, tyre = In(0.1, 0.18);
    for (const double x : {-axle, axle}) {
      for (const double z : {-width - 0.02, width + 0.02 - tyre}) {
        Cone(kWheel, Move(x, wheel, z) * kAlongZ, wheel, wheel, tyre);
      }
    }
    if (Chance(0.3)) Box(kBody, Move(-length, top + 0.12, 0), {0.1, 0.015, 0.9 * width});  // wing
  }

  void Chair() {
    enum { kBack, kSeat, kLeg, kArm };
    const double x = In(0.4, 0.55), z = In(0.4, 0.55), seat = In(0.03, 0.12);
    const double height = In(0.35, 1), back = In(0.35, 1.1);
    Plate(kSeat, Move(0, height, 0), Chance(0.3) ? Ellipse(x, z) : Rectangle(x, z), seat);
    const Affine behind = Move(-x + 0.05, height + seat, 0) * TurnZ(In(0, 0.3));
    const int64_t kind = rng_.Below(3);
    if (kind == 0) {
      Box(kBack, behind * Move(0, back / 2, 0), {0.04, back / 2, z * In(0.7, 1)});
    } else if (kind == 1) {  // slats between two posts
      const int64_t slats = 2 + rng_.Below(3);
      for (const double side : {-0.9, 0.9}) {
        Box(kBack, behind * Move(0, back / 2, side * z), {0.03, back / 2, 0.03});
      }
      for (int64_t i = 0; i < slats; ++i) {
        const double y = back * (static_cast<double>(i) + 1) / static_cast<double>(slats);
        Box(kBack, behind * Move(0, y - 0.05, 0), {0.02, 0.05, 0.9 * z});
      }
    } else {  // a bent shell
      Lathe(kBack, Move(0.3 * x, height + seat, 0) * Stretch(1.2 * x, back, z),
            {{1, 0}, {1.05, 1}, {0.95, 1}, {0.9, 0}}, kPi - 1.1, kPi + 1.1);
    }
    Legs(kLeg, x, z, height, Chance(0.25));
    if (!Chance(0.45)) return;
    const double arm = In(0.2, 0.35), reach = In(0.6, 1);
    for (const double side : {-1.0, 1.0}) {
      Box(kArm, Move(0, height + seat + arm, side * z), {reach * x, 0.025, 0.05});
      if (Chance(0.2)) {  // closed below
        Box(kArm, Move(0, height + seat + arm / 2, side * z), {reach * x, arm / 2, 0.03});
      } else {
        Box(kArm, Move(reach * x - 0.06, height + seat + arm / 2, side * z), {0.03, arm / 2, 0.03});
      }
    }
  }

  void Earphone() {
    enum { kEarcup, kHeadband, kWire };
    const double gap = In(0.55, 0.8), radius = In(0.18, 0.35), depth = In(0.1, 0.25);
    const bool in_ear = Chance(0.2);
    for (const double side : {-1.0, 1.0}) {
      const Affine at = Move(0, 0, side * gap) * Stretch(1, In(0.9, 1.3), side);
      const double scale = in_ear ? 0.45 : 1;
      Cone(kEarcup, at * kAlongZ, scale * radius, In(0.6, 1) * scale * radius, scale * depth);
      if (in_ear || Chance(0.5)) {
        Ball(kEarcup, at, {0.8 * scale * radius, 0.8 * scale * radius, 0.3 * radius});
      }
    }
    if (!in_ear) {
      const double height = In(0.7, 1.1), band = In(0.02, 0.07);
      const double flat = In(1, 4);
      Arch(kHeadband, Move(0, 0.5 * radius, 0) * Stretch(flat, 1, 1), gap + 0.5 * depth, height,
           band);
    }
    if (!in_ear && !Chance(0.45)) return;
    const double drop = In(0.6, 1.3), thick = In(0.015, 0.03), bend = In(-0.3, 0.3);
    const Vec3 join{bend, -0.6 * drop, 0};
    Bar(kWire, {}, {{0, -0.3 * radius, gap}, {0.1, -0.3 * drop, 0.7 * gap}, join}, thick);
    if (in_ear || Chance(0.3)) {
      Bar(kWire, {}, {{0, -0.3 * radius, -gap}, {0.1, -0.3 * drop, -0.7 * gap}, join}, thick);
    }
    Bar(kWire, {}, {join, {-bend, -drop, In(-0.3, 0.3)}}, thick);
  }

  void Guitar() {
    enum { kHead, kNeck, kBody };
    const double length = In(0.8, 1.1), width = In(0.3, 0.42), waist = In(0.55, 0.95);
    const double depth = In(0.06, 0.2), half = In(0.4, 0.5), horns = Chance(0.3) ? In(0.1, 0.3) : 0;
    std::vector<Vec2> outline;
    constexpr int kPoints = 40;
    for (int i = 0; i < kPoints; ++i) {  // x along the neck; narrow in the middle and above
      const double angle = kFullTurn * i / kPoints;
      const double along = std::cos(angle);
      const double narrow = 1 - (1 - waist) * std::exp(-8 * (along - 0.15) * (along - 0.15));
      const double upper = 1 - 0.15 * (along + 1);
      const double horn = horns * std::exp(-20 * (along - 0.75) * (along - 0.75));
      outline.push_back({half * (along + horn), width * std::sin(angle) * narrow * upper});
    }
    Plate(kBody, Move(0, -depth / 2, 0), outline, depth);
    if (Chance(0.6)) Box(kBody, Move(-0.5 * half, depth / 2 + 0.01, 0), {0.02, 0.012, 0.12});
    const double neck = In(0.04, 0.06), low = depth / 2;
    Box(kNeck, Move(half + length / 2 - 0.15, low, 0), {length / 2 + 0.15, 0.025, neck});
    const double head = In(0.12, 0.2), end = half + length, tilt = In(-0.25, 0);
    const Affine at = Move(end, low - 0.025, 0) * TurnZ(tilt);
    Plate(kHead, at,
          {{0, -neck}, {0, neck}, {2 * head, In(1, 1.8) * neck}, {2 * head, -In(1, 1.8) * neck}},
          0.04);
    const int64_t pegs = 2 + rng_.Below(2);
    for (int64_t i = 0; i < pegs; ++i) {
      const double x = 2 * head * (static_cast<double>(i) + 0.5) / static_cast<double>(pegs);
      Box(kHead, at * Move(x, 0.02, 0), {0.015, 0.012, 1.9 * neck});
    }
  }

  void Knife() {
    enum { kBlade, kHandle };
    const double blade = In(0.6, 1.4), width = In(0.06, 0.2), tip = In(0, 1), belly = In(0.6, 1);
    // In the plane x, z; the edge towards +z.
    Plate(kBlade, Move(0, -0.012, 0),
          {{-0.05, -width},
           {-0.05, width * belly},
           {0.65 * blade, width * belly},
           {0.9 * blade, width * (0.4 * tip + 0.2)},
           {blade, width * (tip - 1)},
           {0.8 * blade, -width}},
          0.024);
    const double length = In(0.35, 0.8), grip = In(0.5, 1.1) * width, thick = In(0.03, 0.06);
    const double shift = width * In(-0.2, 0.2), bend = In(-0.25, 0.25);
    const Affine back = Move(0, 0, shift) * TurnY(bend);
    if (Chance(0.5)) {
      Box(kHandle, back * Move(-length / 2, 0, 0), {length / 2, thick, grip});
    } else {
      Cone(kHandle, back * Stretch(1, 0.5, 1) * kBackX, grip, In(0.7, 1.2) * grip, length);
    }
    if (Chance(0.35)) Box(kHandle, Move(0, 0, 0), {0.02, thick, In(1.2, 1.8) * width});
  }

  void Lamp() {
    enum { kBase, kShade, kBracket, kStem };
    const double shade = In(0.25, 0.5), high = In(0.3, 0.6), narrow = In(0.3, 0.95);
    const double height = In(0.6, 1.5), thin = In(0.015, 0.05), tilt = In(-0.9, 0.9);
    const std::vector<Vec2> hood = {{shade, 0}, {narrow * shade, high}};
    const int64_t kind = rng_.Below(3);  // hanging, standing, with a joint
    if (kind == 0) {
      const double low = In(0.1, 0.25), high_radius = In(0.05, 0.2);
      Cone(kBracket, Move(0, height, 0), low, high_radius, 0.08);
      Cone(kStem, Move(0, 0.6 * high, 0), thin, thin, height - 0.6 * high);
      if (Chance(0.5)) {
        Lathe(kShade, {}, hood);
      } else {
        Ball(kShade, Move(0, 0.3 * high, 0), {shade, high * In(0.4, 0.9), shade});
      }
      return;
    }
    const double foot = In(0.2, 0.4), foot_high = Chance(0.3) ? In(0.15, 0.5) : In(0.03, 0.08);
    Cone(kBase, {}, foot, In(0.3, 1) * foot, foot_high);
    if (kind == 1) {
      Cone(kStem, Move(0, foot_high, 0), In(1, 2) * thin, thin, height);
      Lathe(kShade, Move(0, height + foot_high - 0.7 * high, 0), hood);
      return;
    }
    const Vec3 elbow{-In(0.1, 0.4), 0.6 * height, 0};
    const Vec3 hand = elbow + Vec3{In(0.3, 0.7), In(0, 0.5) * height, 0};
    Bar(kStem, {}, {{0, foot_high, 0}, elbow}, thin);
    Bar(kStem, {}, {elbow, hand}, thin);
    Ball(kBracket, Move(elbow.x, elbow.y, elbow.z), {2 * thin, 2 * thin, 2 * thin});
    Ball(kBracket, Move(hand.x, hand.y, hand.z), {2.5 * thin, 2.5 * thin, 2.5 * thin});
    Lathe(kShade,
          Move(hand.x, hand.y, hand.z) * TurnZ(tilt) * Move(0, -0.6 * high, 0) *
              Stretch(0.7, 0.7, 0.7),
          hood);
  }

  void Laptop() {
    enum { kKeyboard, kScreen };
    const double x = In(0.3, 0.45), z = In(0.45, 0.6), thick = In(0.015, 0.04);
    Box(kKeyboard, Move(x, 0, 0), {x, thick, z});
    if (Chance(0.4)) Box(kKeyboard, Move(0.7 * x, thick, 0), {0.4 * x, 0.01, 0.85 * z});  // keys
    const double open = In(1, 2.6);  // radians; flat at pi
    const double half = In(0.85, 1.05) * x;
    Box(kScreen, Move(0, thick, 0) * TurnZ(open) * Move(half, 0, 0),
        {half, 0.7 * thick, z * In(0.93, 1)});
  }

  void Motorbike() {
    enum { kTank, kSeat, kWheel, kHandlebar, kLight, kFrame };
    const double axle = In(0.6, 0.8), wheel = In(0.25, 0.38), tyre = In(0.03, 0.09);
    for (const double x : {-axle, axle}) {
      const Affine at = Move(x, wheel, 0) * kAlongZ;
      Ring(kWheel, at, wheel - tyre, tyre);
      Cone(kWheel, at * Move(0, -0.02, 0), 0.6 * wheel, 0.6 * wheel, 0.04);
    }
    const double top = 2 * wheel + In(0, 0.15), bar = In(0.02, 0.04), wide = In(0.08, 0.14);
    const Vec3 steer{axle - 0.25, top + 0.15, 0};
    for (const double side : {-1.0, 1.0}) {
      const double z = side * (tyre + bar);
      Bar(kFrame, {}, {{axle, wheel, z}, {steer.x, steer.y, z}}, bar);
      Bar(kFrame, {}, {{-axle, wheel, z}, {-0.1, 0.8 * wheel, z}}, bar);
      if (Chance(0.5)) Bar(kFrame, {}, {{0, 0.5 * wheel, 2 * z}, {-axle, 0.7 * wheel, 2 * z}}, bar);
    }
    Bar(kFrame, {}, {steer, {0, wheel, 0}}, bar);
    Bar(kFrame, {}, {{-0.1, wheel, 0}, {-0.7 * axle, top, 0}}, bar);
    Box(kFrame, Move(0, wheel, 0), {In(0.15, 0.25), 0.5 * wheel, wide});
    Ball(kTank, Move(0.12, top, 0) * TurnZ(0.2), {In(0.22, 0.32), In(0.09, 0.15), wide + 0.03});
    const double seat = In(0.2, 0.4);
    Box(kSeat, Move(-0.12 - seat, top - 0.03, 0) * TurnZ(In(-0.2, 0.05)), {seat, 0.05, wide});
    const double reach = In(0.25, 0.45), rise = In(0, 0.25);
    Bar(kHandlebar, {},
        {{steer.x - 0.15, steer.y + rise, -reach},
         {steer.x, steer.y + rise, -0.1},
         {steer.x, steer.y, 0},
         {steer.x, steer.y + rise, 0.1},
         {steer.x - 0.15, steer.y + rise, reach}},
        bar);
    if (!Chance(0.8)) return;
    const double lamp = In(0.07, 0.12);
    Ball(kLight, Move(steer.x + 0.12, steer.y - 0.05, 0), {lamp, lamp, lamp});
  }

  void Mug() {
    enum { kHandle, kCup };
    const double low = In(0.35, 0.55), high = low * In(0.85, 1.3), height = In(0.6, 1.3);
    const double wall = In(0.03, 0.06);
    Lathe(kCup, {},
          {{0, 0}, {low, 0}, {high, height}, {high - wall, height}, {low - wall, wall}, {0, wall}});
    const double reach = In(0.2, 0.4), half = In(0.25, 0.42) * height, thick = In(0.03, 0.07);
    const Affine at = Move(0.95 * std::min(low, high), height * In(0.45, 0.55), 0);
    if (Chance(0.7)) {
      Arch(kHandle, at * kAlongX * TurnY(kQuarter), half, reach, thick);
    } else {
      Bar(kHandle, at, {{0, -half, 0}, {reach, -half, 0}, {reach, half, 0}, {0, half, 0}}, thick);
    }
  }

  void Pistol() {
    enum { kBarrel, kHandle, kTrigger };
    const double length = In(0.6, 1.1), high = In(0.07, 0.13), wide = In(0.05, 0.09);
    if (Chance(0.6)) {
      Box(kBarrel, Move(length / 2, 0, 0), {length / 2 + 0.15, high, wide});
    } else {  // a revolver
      Cone(kBarrel, Move(0.1, 0.3 * high, 0) * kAlongX, 0.6 * high, 0.6 * high, length);
      Cone(kBarrel, Move(-0.05, 0, 0) * kAlongX, 1.3 * high, 1.3 * high, 0.3);
      Box(kBarrel, Move(0, 0, 0), {0.2, 1.2 * high, 0.6 * wide});
    }
    if (Chance(0.2)) Cone(kBarrel, Move(length, 0, 0) * kAlongX, high, high, In(0.3, 0.6));
    const double grip = In(0.4, 0.65), slant = In(-0.5, 0);
    Box(kHandle, Move(0, -0.5 * high, 0) * TurnZ(slant) * Move(0, -grip / 2, 0),
        {In(0.09, 0.15), grip / 2, In(0.8, 1.1) * wide});
    const double guard = In(0.1, 0.15), x = In(0.18, 0.25);
    Ring(kTrigger, Move(x + guard / 2, -high, 0) * kAlongZ, guard, 0.02, 0, kPi);
    Bar(kTrigger, Move(x + 0.04, -high, 0), {{0, 0, 0}, {0.03, -0.6 * guard, 0}}, 0.02);
  }

  void Rocket() {
    enum { kBody, kFin, kNose };
    const double r = In(0.08, 0.25), length = In(0.9, 1.6), nose = In(0.2, 0.6);
    Cone(kBody, {}, In(0.8, 1.1) * r, r, length);
    Lathe(kNose, Move(0, length, 0),
          {{r, 0}, {0.8 * r, 0.4 * nose}, {In(0.1, 0.45) * r, 0.85 * nose}, {0, nose}});
    if (Chance(0.4)) Cone(kBody, Move(0, -0.12, 0), 0.9 * r, 0.5 * r, 0.12);  // nozzle
    const int64_t fins = 3 + rng_.Below(2);
    const double root = In(0.2, 0.6), out = In(0.12, 0.4), sweep = In(-0.1, 0.35);
    const double turn = In(0, kQuarter), tip = In(0.3, 0.9) * root;
    for (int64_t i = 0; i < fins; ++i) {
      const double angle = turn + kFullTurn * static_cast<double>(i) / static_cast<double>(fins);
      // The root upwards, the span away from the axis.
      Fin(kFin, TurnY(angle) * Move(0, root / 2, 0.8 * r) * kBackX, root, tip, out + 0.2 * r, sweep,
          0.03);
    }
    if (!Chance(0.25)) return;
    for (const double side : {-1.0, 1.0}) {  // boosters
      Cone(kBody, Move(side * 1.5 * r, 0, 0), 0.5 * r, 0.45 * r, 0.55 * length);
      Cone(kNose, Move(side * 1.5 * r, 0.55 * length, 0), 0.45 * r, 0, 0.15);
    }
  }

  void Skateboard() {
    enum { kWheel, kDeck, kBelt };
    const double half = In(0.6, 0.9), width = In(0.15, 0.28), thick = In(0.015, 0.035);
    const double wheel = In(0.05, 0.1), top = 2 * wheel + In(0.02, 0.1), kick = In(0, 0.5);
    Box(kDeck, Move(0, top, 0), {half, thick, width});
    for (const double side : {-1.0, 1.0}) {
      Plate(kDeck, Move(side * half, top - thick, 0) * Stretch(side, 1, 1) * TurnZ(kick),
            Ellipse(In(0.15, 0.3), width), 2 * thick);
      const double axle = side * In(0.55, 0.75) * half;
      for (const double z : {-0.85, 0.85}) {
        Cone(kWheel, Move(axle, wheel, z * width - 0.04) * kAlongZ, wheel, wheel, 0.08);
      }
    }
    if (!Chance(0.5)) return;
    const double x = In(0.1, 0.4) * half, high = In(0.08, 0.2);
    for (const double side : {-1.0, 1.0}) {
      Arch(kBelt, Move(side * x, top, 0) * Stretch(2, 1, 1), width, high, 0.03);
    }
  }

  void Table() {
    enum { kTop, kLeg, kDrawer };
    const double x = In(0.35, 0.7), z = In(0.5, 1), height = In(0.35, 0.9), thick = In(0.02, 0.06);
    const bool is_round = Chance(0.3);
    Plate(kTop, Move(0, height, 0), is_round ? Ellipse(x, z) : Rectangle(x, z), 2 * thick);
    if (Chance(0.2) && !is_round) {  // panels instead of legs
      for (const double side : {-0.92, 0.92}) {
        Box(kLeg, Move(0, height / 2, side * z), {0.9 * x, height / 2, 0.03});
      }
    } else {
      Legs(kLeg, 0.9 * x, 0.9 * z, height, is_round || Chance(0.15));
    }
    if (!Chance(0.4)) return;
    const double depth = In(0.08, 0.3) * height, width = In(0.3, 0.8) * z;
    const double middle = Chance(0.5) ? 0 : 0.9 * z - width;
    Box(kDrawer, Move(0.05, height - depth, middle), {0.8 * x, depth, width});
    Box(kDrawer, Move(0.05 + 0.82 * x, height - depth, middle), {0.03, 0.02, 0.08});  // its knob
  }

 private:
  double In(double low, double high) { return rng_.Uniform(low, high); }
  bool Chance(double probability) { return rng_.Bernoulli(probability); }

  // A flat surface with its root along x at z = 0 and its tip at z = span, set back by `sweep`.
  void Fin(int32_t part, const Affine& at, double root, double tip, double span, double sweep,
           double thickness) {
    Plate(part, at * Move(0, -thickness / 2, 0),
          {{root / 2, 0}, {-root / 2, 0}, {-sweep - tip / 2, span}, {-sweep + tip / 2, span}},
          thickness);
  }

  // What carries a seat or a table top of half extents x, z at `height`.
  void Legs(int32_t part, double x, double z, double height, bool central) {
    const double thick = In(0.025, 0.06);
    if (central) {
      Cone(part, {}, In(1, 2) * thick, thick, height);
      const int64_t feet = 3 + rng_.Below(3);
      const double reach = In(0.6, 1) * std::min(x, z);
      if (Chance(0.4)) {
        Cone(part, {}, reach, 0.9 * reach, 0.05);
        return;
      }
      for (int64_t i = 0; i < feet; ++i) {
        const double angle = kFullTurn * static_cast<double>(i) / static_cast<double>(feet);
        Box(part, TurnY(angle) * Move(reach / 2, thick, 0), {reach / 2, thick, thick});
      }
      return;
    }
    const double spread = In(0.85, 1.15);
    for (const double sx : {-0.9, 0.9}) {
      for (const double sz : {-0.9, 0.9}) {
        Bar(part, {}, {{sx * x * spread, 0, sz * z * spread}, {sx * x, height, sz * z}}, thick);
      }
      if (Chance(0.3)) {  // a brace between two legs
        Bar(part, {}, {{sx * x, 0.4 * height, -0.9 * z}, {sx * x, 0.4 * height, 0.9 * z}},
            0.7 * thick);
      }
    }
  }

  Rng& rng_;
};

}  // namespace

Mesh MakeObject(int32_t category, Rng& rng) {
  using Make = void (Modeller::*)();
  constexpr Make kMakers[] = {
      &Modeller::Airplane, &Modeller::Bag,      &Modeller::Cap,        &Modeller::Car,
      &Modeller::Chair,    &Modeller::Earphone, &Modeller::Guitar,     &Modeller::Knife,
      &Modeller::Lamp,     &Modeller::Laptop,   &Modeller::Motorbike,  &Modeller::Mug,
      &Modeller::Pistol,   &Modeller::Rocket,   &Modeller::Skateboard, &Modeller::Table};
  VOXBIT_CHECK(category >= 0 && static_cast<size_t>(category) < std::size(kMakers),
               "no category of this number");
  Modeller modeller(rng);
  (modeller.*kMakers[category])();
  Mesh mesh = modeller.Take();
  const int32_t first = ShapeNetCategories()[static_cast<size_t>(category)].first_part;
  for (int32_t& part : mesh.parts) part += first;
  return mesh;
}

}  // namespace voxbit::data
