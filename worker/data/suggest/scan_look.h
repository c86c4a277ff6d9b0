// What LiDAR scans look like: the numbers that settings are chosen by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/status.h"

namespace voxbit::data {

// Where the sensor was, as far as the points tell.
enum class Viewpoint {
  kSensor,  // at the origin, points ever sparser away from it: a car, a robot
  kMap,     // nowhere in particular, points evenly spread: airborne, merged scans
  kClose,   // a few metres in all: a room, a table
};

// Of several scans of one folder; lengths in metres, points without a return and those that are not
// finite left out. A quantile of the scans' own values is their median over the scans.
struct ScanLook {
  int64_t num_scans = 0;        // that were looked at
  double points = 0;            // of a scan
  double extent[3] = {};        // from the 0.5th to the 99.5th percentile of x, y, z
  double middle[3] = {};        // median of x, y, z
  double nearest_z = 0;         // smallest z (0.5th percentile)
  double range_median = 0;      // horizontal distance from the origin
  double range_far = 0;         // its 99th percentile
  double origin_share = 0;      // of all points
  double not_finite_share = 0;  // of all points
  double intensity_low = 0;     // 1st percentile
  double intensity_high = 0;    // 99th percentile
  Viewpoint viewpoint = Viewpoint::kMap;
  std::vector<double> voxels;  // of a scan, for each of VoxelSizes()

  Json ToJson() const;
};

// Sizes to choose from, ascending.
const std::vector<double>& VoxelSizes();

// Reads the files of points. INVALID_ARGUMENT when no point of them can be used; what ReadPoints
// says otherwise.
Result<ScanLook> LookAtScans(const std::vector<std::string>& paths);

}  // namespace voxbit::data
