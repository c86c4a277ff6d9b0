// Which points of a recorded scan count, whether its values can be used, and what its user should
// know of it. The pipeline and whoever looks at data beforehand ask here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"
#include "worker/data/lidar/lidar_settings.h"
#include "worker/data/scan.h"

namespace voxbit::data {

// The points of a scan that the settings leave, and how many each of them took away.
struct ChosenPoints {
  std::vector<int64_t> kept;  // ascending
  int64_t at_origin = 0;      // drop_origin
  int64_t invalid = 0;        // drop_invalid
  int64_t beyond_range = 0;   // max_range_m

  int64_t num_dropped() const { return at_origin + invalid + beyond_range; }
};

// Applies drop_origin, then drop_invalid, then max_range_m. The range counts from the origin or,
// with `center`, from the medians of x, y and z of the points that are left: stray ones, however
// far away, do not move it. Requires: channels that the settings use have a value for each point.
ChosenPoints ChoosePoints(const Scan& scan, const LidarSettings& settings);

// INVALID_ARGUMENT naming the scan's source and the first of the `kept` points whose coordinates or
// features that the settings use are not finite. Other columns are not looked at.
Status CheckValues(const Scan& scan, const LidarSettings& settings,
                   const std::vector<int64_t>& kept);

// Share of the points at exactly (0, 0, 0); 0 of a scan without points.
double ShareAtOrigin(const Scan& scan);
// From this share on the points at the origin are pulses without a return, or no scan at all.
inline constexpr double kMuchAtOrigin = 0.1;

// How finely float32 can tell positions apart where most of a scan lies.
struct CoordinateStep {
  char axis = 'x';
  double at_m = 0;    // median distance from 0 along the axis
  double step_m = 0;  // spacing of float32 there
};
// Of the axis with the coarsest step; points at the origin or that are not finite do not count.
CoordinateStep CoarsestStep(const Scan& scan);
// A step above this share of a voxel blurs where in its voxel a point lies: worth a warning.
inline constexpr double kCoarseStepShare = 0.1;

// INVALID_ARGUMENT naming file, step and voxel when the step of the coordinates exceeds a voxel:
// points of different voxels have become one.
Status CheckStep(const Scan& scan, double voxel_m);

// The point that lies farthest from the medians of x, y and z, and the distance that 99 % of the
// points do not exceed. Points that are not finite do not count.
struct FarthestPoint {
  int64_t index = -1;  // -1: no point counts
  double distance_m = 0;
  double usual_m = 0;
};
FarthestPoint FindFarthest(const Scan& scan, const std::vector<int64_t>& rows);
// Stray: beyond a kilometre and so many times as far as 99 % of the points.
inline constexpr double kStrayM = 1000;
inline constexpr double kStrayTimes = 20;

// Much at the origin without drop_origin; a coarse step; a stray point that is kept; points dropped
// as invalid; more than half of the points beyond max_range_m.
std::vector<ScanWarning> WarningsOf(const Scan& scan, const LidarSettings& settings);

// A number for a message, with as many digits as float32 has.
std::string ShortNumber(double value);

}  // namespace voxbit::data
