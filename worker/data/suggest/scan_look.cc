#include "worker/data/suggest/scan_look.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "worker/data/files/scan_files.h"
#include "worker/data/lidar/pipeline.h"

namespace voxbit::data {
namespace {

// A rotating sensor sees a quarter of its points within a tenth of its range; of points that are
// evenly spread over a disc the median lies at 0.7 of it, over a square with the origin in its
// corner at 0.57.
constexpr double kSensorRangeRatio = 0.45;
constexpr double kCloseExtentM = 12;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// The value below which this share lies. Reorders.
double Quantile(std::vector<float>& values, double share) {
  const auto place = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return static_cast<double>(values[static_cast<size_t>(place)]);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct OneScan {
  double points = 0;
  double low[3] = {};
  double high[3] = {};
  double middle[3] = {};
  double range_median = 0;
  double range_far = 0;
  double intensity_low = 0;
  double intensity_high = 0;
  std::vector<double> voxels;
};

// [N,3] counted at one size; kNone where coordinates would not fit.
double CountVoxels(const std::vector<float>& points, const OneScan& scan, double size) {
  std::vector<int32_t> coords;
  coords.reserve(points.size() / 4 * 3);
  for (size_t i = 0; i < points.size(); ++i) {
    const size_t axis = i % 4;
    if (axis == 3) continue;
    // Stray points must not decide: they share the voxels at the borders.
    const double inside =
        std::clamp(static_cast<double>(points[i]), scan.low[axis], scan.high[axis]);
    const double place = std::nearbyint((inside - scan.low[axis]) / size);
    if (place > kMaxVoxelCoordinate) return kNone;
    coords.push_back(static_cast<int32_t>(place));
  }
  return static_cast<double>(Quantize(coords).first.size());
}

// `points` [N,4]: those that can be used.
OneScan Measure(const std::vector<float>& points) {
  OneScan scan;
  const size_t num = points.size() / 4;
  scan.points = static_cast<double>(num);
  std::array<std::vector<float>, 4> columns;
  std::vector<float> ranges;
  for (size_t i = 0; i < points.size(); i += 4) {
    for (size_t c = 0; c < 4; ++c) columns[c].push_back(points[i + c]);
    ranges.push_back(std::hypot(points[i], points[i + 1]));
  }
  for (size_t axis = 0; axis < 3; ++axis) {
    scan.low[axis] = Quantile(columns[axis], 0.005);
    scan.high[axis] = Quantile(columns[axis], 0.995);
    scan.middle[axis] = Quantile(columns[axis], 0.5);
  }
  scan.range_median = Quantile(ranges, 0.5);
  scan.range_far = Quantile(ranges, 0.99);
  scan.intensity_low = Quantile(columns[3], 0.01);
  scan.intensity_high = Quantile(columns[3], 0.99);
  for (const double size : VoxelSizes()) scan.voxels.push_back(CountVoxels(points, scan, size));
  return scan;
}

template <class Get>
double MedianOf(const std::vector<OneScan>& scans, Get get) {
  std::vector<double> values;
  values.reserve(scans.size());
  for (const OneScan& scan : scans) values.push_back(get(scan));
  return Median(std::move(values));
}

Viewpoint ViewpointOf(const ScanLook& look) {
  if (std::max({look.extent[0], look.extent[1], look.extent[2]}) < kCloseExtentM) {
    return Viewpoint::kClose;
  }
  return look.range_median < kSensorRangeRatio * look.range_far ? Viewpoint::kSensor
                                                                : Viewpoint::kMap;
}

}  // namespace

const std::vector<double>& VoxelSizes() {
  static const std::vector<double> sizes = {0.005, 0.01, 0.02, 0.05, 0.1, 0.2,
                                            0.3,   0.4,  0.5,  0.8,  1,   2};
  return sizes;
}

Json ScanLook::ToJson() const {
  const char* names[] = {"sensor", "map", "close"};
  return {{"scans", num_scans},
          {"points", points},
          {"extent_m", Json::array({extent[0], extent[1], extent[2]})},
          {"middle_m", Json::array({middle[0], middle[1], middle[2]})},
          {"range_median_m", range_median},
          {"range_far_m", range_far},
          {"origin_share", origin_share},
          {"not_finite_share", not_finite_share},
          {"intensity", Json::array({intensity_low, intensity_high})},
          {"viewpoint", names[static_cast<size_t>(viewpoint)]}};
}

Result<ScanLook> LookAtScans(const std::vector<std::string>& paths) {
  ScanLook look;
  std::vector<OneScan> scans;
  double all = 0;
  for (const std::string& path : paths) {
    VOXBIT_ASSIGN_OR_RETURN(const std::vector<float> points, ReadPoints(path));
    std::vector<float> usable;
    for (size_t i = 0; i < points.size(); i += 4) {
      const float* p = &points[i];
      if (!std::all_of(p, p + 4, [](float value) { return std::isfinite(value); })) {
        ++look.not_finite_share;
      } else if (p[0] == 0 && p[1] == 0 && p[2] == 0) {
        ++look.origin_share;
      } else {
        usable.insert(usable.end(), p, p + 4);
      }
    }
    all += static_cast<double>(points.size()) / 4;
    if (!usable.empty()) scans.push_back(Measure(usable));
  }
  if (scans.empty()) {
    return InvalidArgument((paths.empty() ? std::string("scans") : paths.front()) +
                           ": no point with finite coordinates away from the origin");
  }
  look.num_scans = static_cast<int64_t>(paths.size());
  look.origin_share /= all;
  look.not_finite_share /= all;
  look.points = MedianOf(scans, [](const OneScan& scan) { return scan.points; });
  for (size_t axis = 0; axis < 3; ++axis) {
    look.extent[axis] =
        MedianOf(scans, [&](const OneScan& scan) { return scan.high[axis] - scan.low[axis]; });
    look.middle[axis] = MedianOf(scans, [&](const OneScan& scan) { return scan.middle[axis]; });
  }
  look.nearest_z = MedianOf(scans, [](const OneScan& scan) { return scan.low[2]; });
  look.range_median = MedianOf(scans, [](const OneScan& scan) { return scan.range_median; });
  look.range_far = MedianOf(scans, [](const OneScan& scan) { return scan.range_far; });
  look.intensity_low = MedianOf(scans, [](const OneScan& scan) { return scan.intensity_low; });
  look.intensity_high = MedianOf(scans, [](const OneScan& scan) { return scan.intensity_high; });
  for (size_t i = 0; i < VoxelSizes().size(); ++i) {
    look.voxels.push_back(MedianOf(scans, [i](const OneScan& scan) { return scan.voxels[i]; }));
  }
  look.viewpoint = ViewpointOf(look);
  return look;
}

}  // namespace voxbit::data
