#include "worker/data/lidar/scan_checks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

namespace voxbit::data {
namespace {

bool IsAtOrigin(const float* point) { return point[0] == 0 && point[1] == 0 && point[2] == 0; }

bool HasFinitePosition(const float* point) {
  return std::isfinite(point[0]) && std::isfinite(point[1]) && std::isfinite(point[2]);
}

// Judges the values of a point that the network is given. `scan` outlives it.
class ValueJudge {
 public:
  ValueJudge(const Scan& scan, const LidarSettings& settings)
      : scan_(scan),
        intensity_(settings.HasFeature("intensity")),
        intensity_scale_(static_cast<float>(settings.intensity_scale)) {
    for (const ExtraChannel& channel : scan.extra) {
      if (settings.HasFeature(channel.name)) channels_.push_back(&channel);
    }
  }

  // What of point i is not finite; "" if all is.
  std::string BadValue(size_t i) const {
    const float* point = &scan_.points[4 * i];
    if (!HasFinitePosition(point)) return "a coordinate";
    if (intensity_ && !std::isfinite(point[3])) return "an intensity";
    if (intensity_ && !std::isfinite(point[3] * intensity_scale_)) {
      return "an intensity times intensity_scale";
    }
    for (const ExtraChannel* channel : channels_) {
      if (!std::isfinite(channel->values[i])) return "a value of " + channel->name;
    }
    return "";
  }

 private:
  const Scan& scan_;
  const bool intensity_;
  const float intensity_scale_;
  std::vector<const ExtraChannel*> channels_;  // that are used
};

// The value that half of `values` do not exceed; the lower of two in the middle. Requires: one or
// more values.
float LowerMedian(std::vector<float> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The medians of x, y and z over the points at `rows` with finite positions.
std::array<double, 3> Middle(const Scan& scan, const std::vector<int64_t>& rows) {
  std::array<double, 3> middle{};
  for (size_t axis = 0; axis < 3; ++axis) {
    std::vector<float> values;
    values.reserve(rows.size());
    for (const int64_t row : rows) {
      const float* point = &scan.points[4 * static_cast<size_t>(row)];
      if (HasFinitePosition(point)) values.push_back(point[axis]);
    }
    if (!values.empty()) middle[axis] = LowerMedian(std::move(values));
  }
  return middle;
}

void DropBeyondRange(const Scan& scan, const LidarSettings& settings, ChosenPoints& chosen) {
  const std::array<double, 3> from =
      settings.center ? Middle(scan, chosen.kept) : std::array<double, 3>{};
  const auto is_beyond = [&](int64_t row) {
    const float* point = &scan.points[4 * static_cast<size_t>(row)];
    return HasFinitePosition(point) && std::hypot(point[0] - from[0], point[1] - from[1],
                                                  point[2] - from[2]) > settings.keep_range_m;
  };
  chosen.beyond_range = static_cast<int64_t>(std::erase_if(chosen.kept, is_beyond));
}

// The distance from `value` to the next larger magnitude that float32 has.
double StepAt(float value) {
  const float magnitude = std::fabs(value);
  return static_cast<double>(std::nextafter(magnitude, std::numeric_limits<float>::infinity())) -
         magnitude;
}

// "41 % (53364 of 131072)".
std::string ShareText(int64_t count, int64_t of) {
  const double share = 100.0 * static_cast<double>(count) / static_cast<double>(of);
  char percent[32];
  std::snprintf(percent, sizeof(percent), "%.3g", share);
  return std::string(percent) + " % (" + std::to_string(count) + " of " + std::to_string(of) + ")";
}

std::string StepText(const CoordinateStep& step, double voxel_m) {
  return std::string("coordinates around ") + step.axis + " = " + ShortNumber(step.at_m) +
         " m are stored as float32 in steps of " + ShortNumber(step.step_m) +
         " m, where a voxel has " + ShortNumber(voxel_m) + " m";
}

const char* const kStepAdvice =
    "; subtract an offset near the data, such as the corner of the tile, in double precision "
    "before the scan is written as float32 (\"center\" comes too late for that)";

}  // namespace

std::string ShortNumber(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.7g", value);
  return text;
}

ChosenPoints ChoosePoints(const Scan& scan, const LidarSettings& settings) {
  ChosenPoints chosen;
  const ValueJudge judge(scan, settings);
  const auto num_points = static_cast<size_t>(scan.num_points());
  chosen.kept.reserve(num_points);
  for (size_t i = 0; i < num_points; ++i) {
    if (settings.drop_origin && IsAtOrigin(&scan.points[4 * i])) {
      ++chosen.at_origin;
    } else if (settings.drop_invalid && !judge.BadValue(i).empty()) {
      ++chosen.invalid;
    } else {
      chosen.kept.push_back(static_cast<int64_t>(i));
    }
  }
  if (settings.keep_range_m > 0) DropBeyondRange(scan, settings, chosen);
  return chosen;
}

Status CheckValues(const Scan& scan, const LidarSettings& settings,
                   const std::vector<int64_t>& kept) {
  const ValueJudge judge(scan, settings);
  for (const int64_t row : kept) {
    const std::string bad = judge.BadValue(static_cast<size_t>(row));
    if (bad.empty()) continue;
    return ScanError(scan, "point " + std::to_string(row) + " has " + bad +
                               " that is not finite; drop_invalid leaves such points out");
  }
  return OkStatus();
}

FarthestPoint FindFarthest(const Scan& scan, const std::vector<int64_t>& rows) {
  const std::array<double, 3> middle = Middle(scan, rows);
  std::vector<std::pair<double, int64_t>> by_distance;
  by_distance.reserve(rows.size());
  for (const int64_t row : rows) {
    const float* point = &scan.points[4 * static_cast<size_t>(row)];
    if (!HasFinitePosition(point)) continue;
    by_distance.emplace_back(
        std::hypot(point[0] - middle[0], point[1] - middle[1], point[2] - middle[2]), row);
  }
  if (by_distance.empty()) return {};
  const auto [distance, index] = *std::max_element(by_distance.begin(), by_distance.end());
  const auto usual =
      by_distance.begin() + static_cast<std::ptrdiff_t>((by_distance.size() - 1) * 99 / 100);
  std::nth_element(by_distance.begin(), usual, by_distance.end());
  return {index, distance, usual->first};
}

double ShareAtOrigin(const Scan& scan) {
  if (scan.points.empty()) return 0;
  int64_t count = 0;
  for (size_t i = 0; i < scan.points.size(); i += 4) count += IsAtOrigin(&scan.points[i]) ? 1 : 0;
  return static_cast<double>(count) / static_cast<double>(scan.num_points());
}

CoordinateStep CoarsestStep(const Scan& scan) {
  CoordinateStep coarsest;
  for (size_t axis = 0; axis < 3; ++axis) {
    std::vector<float> magnitudes;
    magnitudes.reserve(scan.points.size() / 4);
    for (size_t i = 0; i < scan.points.size(); i += 4) {
      const float* point = &scan.points[i];
      if (!HasFinitePosition(point) || IsAtOrigin(point)) continue;
      magnitudes.push_back(std::fabs(point[axis]));
    }
    if (magnitudes.empty()) return coarsest;
    const float median = LowerMedian(std::move(magnitudes));
    if (StepAt(median) <= coarsest.step_m) continue;
    coarsest = {"xyz"[axis], median, StepAt(median)};
  }
  return coarsest;
}

Status CheckStep(const Scan& scan, double voxel_m) {
  // The medians are looked for only where the largest value gives reason to.
  double largest = 0;
  for (size_t i = 0; i < scan.points.size(); ++i) {
    if (i % 4 != 3) largest = std::max<double>(largest, std::fabs(scan.points[i]));
  }
  if (StepAt(static_cast<float>(largest)) <= voxel_m) return OkStatus();
  const CoordinateStep step = CoarsestStep(scan);
  if (step.step_m <= voxel_m) return OkStatus();
  return ScanError(
      scan, StepText(step, voxel_m) + ": points of different voxels have become one" + kStepAdvice);
}

std::vector<ScanWarning> WarningsOf(const Scan& scan, const LidarSettings& settings) {
  std::vector<ScanWarning> warnings;
  const auto warn = [&](const char* kind, const std::string& message) {
    warnings.push_back({kind, scan.origin() + ": " + message});
  };
  const int64_t num_points = scan.num_points();
  const double at_origin = ShareAtOrigin(scan);
  if (!settings.drop_origin && at_origin >= kMuchAtOrigin) {
    const auto count = std::llround(at_origin * static_cast<double>(num_points));
    warn(kOriginWarning, ShareText(count, num_points) +
                             " of the points lie at exactly (0, 0, 0): pulses without a return, or "
                             "values that were lost on the way; drop_origin leaves them out");
  }
  const CoordinateStep step = CoarsestStep(scan);
  if (step.step_m > kCoarseStepShare * settings.voxel_m) {
    warn("step", StepText(step, settings.voxel_m) + ": precision is lost" + kStepAdvice);
  }
  const ChosenPoints chosen = ChoosePoints(scan, settings);
  const FarthestPoint farthest = FindFarthest(scan, chosen.kept);
  if (farthest.distance_m > std::max(kStrayM, kStrayTimes * farthest.usual_m)) {
    warn("stray", "point " + std::to_string(farthest.index) + " lies " +
                      ShortNumber(farthest.distance_m) +
                      " m from the middle of the scan, where 99 % of the points lie within " +
                      ShortNumber(farthest.usual_m) + " m; max_range_m leaves stray points out");
  }
  if (chosen.invalid > 0) {
    warn(kInvalidWarning,
         ShareText(chosen.invalid, num_points) +
             " of the points are dropped: a coordinate or a used feature is not finite");
  }
  if (2 * chosen.beyond_range > num_points) {
    warn("range", ShareText(chosen.beyond_range, num_points) +
                      " of the points are dropped: they lie beyond max_range_m = " +
                      ShortNumber(settings.keep_range_m));
  }
  return warnings;
}

}  // namespace voxbit::data
