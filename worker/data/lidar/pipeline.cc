#include "worker/data/lidar/pipeline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>
#include <utility>

#include "common/number_text.h"
#include "worker/data/lidar/ground.h"
#include "worker/data/lidar/scan_checks.h"

namespace voxbit::data {
namespace {

// What no setting can put right.
Status CheckShape(const Scan& scan) {
  if (scan.points.size() % 4 != 0) {
    return ScanError(scan,
                     "expected 4 values a point, found " + Counted(scan.points.size(), "value"));
  }
  const auto num_points = static_cast<size_t>(scan.num_points());
  if (!scan.labels.empty() && scan.labels.size() != num_points) {
    return ScanError(scan,
                     Counted(num_points, "point") + " but " + Counted(scan.labels.size(), "label"));
  }
  for (const ExtraChannel& channel : scan.extra) {
    if (channel.values.size() == num_points) continue;
    return ScanError(scan, Counted(num_points, "point") + " but " +
                               Counted(channel.values.size(), "value") + " of " + channel.name);
  }
  return OkStatus();
}

// Whether the points that are left are something to work with.
Status CheckNotEmpty(const Scan& scan, const ChosenPoints& chosen, const LidarSettings& settings,
                     bool training) {
  if (scan.points.empty()) return ScanError(scan, "the scan has no points", kEmptyScanReason);
  if (chosen.kept.empty()) {
    return ScanError(scan,
                     "no point is left; left out are " + std::to_string(chosen.at_origin) +
                         " at the origin, " + std::to_string(chosen.invalid) + " not finite, " +
                         std::to_string(chosen.beyond_range) +
                         " beyond max_range_m = " + ShortNumber(settings.keep_range_m),
                     kEmptyScanReason);
  }
  const bool labelled =
      !scan.labels.empty() && std::any_of(chosen.kept.begin(), chosen.kept.end(), [&](int64_t row) {
        return scan.labels[static_cast<size_t>(row)] != kIgnoredLabel;
      });
  if (training && !labelled) {
    return ScanError(scan, "no point of this training scan has a label that counts",
                     kEmptyScanReason);
  }
  return OkStatus();
}

// The points of a scan at `rows`.
Scan SelectRows(const Scan& scan, const std::vector<int64_t>& rows) {
  Scan kept;
  kept.name = scan.name;
  kept.source = scan.source;
  kept.category = scan.category;
  kept.points.reserve(4 * rows.size());
  for (const int64_t row : rows) {
    const auto point = scan.points.begin() + 4 * row;
    kept.points.insert(kept.points.end(), point, point + 4);
  }
  const auto select = [&rows](const auto& from, auto& to) {
    to.reserve(rows.size());
    for (const int64_t row : rows) to.push_back(from[static_cast<size_t>(row)]);
  };
  if (!scan.labels.empty()) select(scan.labels, kept.labels);
  for (const ExtraChannel& channel : scan.extra) {
    kept.extra.push_back({channel.name, {}});
    select(channel.values, kept.extra.back().values);
  }
  return kept;
}

void Center(std::vector<float>& points) {
  const size_t num = points.size() / 4;
  double sum_x = 0;
  double sum_y = 0;
  std::vector<float> z(num);
  for (size_t i = 0; i < num; ++i) {
    sum_x += points[4 * i];
    sum_y += points[4 * i + 1];
    z[i] = points[4 * i + 2];
  }
  const auto percentile = z.begin() + static_cast<std::ptrdiff_t>(num / 100);
  std::nth_element(z.begin(), percentile, z.end());
  const auto x0 = static_cast<float>(sum_x / static_cast<double>(num));
  const auto y0 = static_cast<float>(sum_y / static_cast<double>(num));
  const float z0 = *percentile;
  for (size_t i = 0; i < num; ++i) {
    points[4 * i] -= x0;
    points[4 * i + 1] -= y0;
    points[4 * i + 2] -= z0;
  }
}

// Returns the scale factor, which heights share.
double Augment(const LidarSettings& settings, Rng& rng, std::vector<float>& points) {
  const double angle = settings.rotate ? rng.Uniform(0, 2 * std::numbers::pi) : 0;
  const double scale = rng.Uniform(settings.scale_min, settings.scale_max);
  const double mirror = settings.flip && rng.Bernoulli(0.5) ? -1 : 1;
  const double cosine = std::cos(angle);
  const double sine = std::sin(angle);
  for (size_t i = 0; i < points.size(); i += 4) {
    const double x = points[i];
    const double y = mirror * points[i + 1];
    double moved[3] = {(x * cosine - y * sine) * scale, (x * sine + y * cosine) * scale,
                       points[i + 2] * scale};
    for (size_t axis = 0; axis < 3; ++axis) {
      if (settings.jitter_m > 0) moved[axis] += settings.jitter_m * rng.Normal();
      points[i + axis] = static_cast<float>(moved[axis]);
    }
  }
  return scale;
}

// Point `bad` of those that were chosen has a coordinate beyond the range of voxels. Where points
// were centred a stray one moves all others out of the range too, so that it is looked for.
Status RangeError(const Scan& scan, const ChosenPoints& chosen, const LidarSettings& settings,
                  size_t bad) {
  const auto row = static_cast<size_t>(settings.center ? FindFarthest(scan, chosen.kept).index
                                                       : chosen.kept[bad]);
  const float* point = &scan.points[4 * row];
  const float farthest = *std::max_element(
      point, point + 3, [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  return ScanError(scan, "point " + std::to_string(row) + " lies at " + ShortNumber(farthest) +
                             " m, more than " + std::to_string(kMaxVoxelCoordinate) +
                             " voxels of " + ShortNumber(settings.voxel_m) + " m from the " +
                             (settings.center ? "others" : "origin") +
                             "; max_range_m leaves stray points out" +
                             (settings.center ? "" : ", center is for map coordinates"));
}

// Integer coordinates [N,3] with their minimum, which becomes `origin`, subtracted. False, and the
// row in `bad`, for a coordinate beyond the range.
bool ToVoxels(const std::vector<float>& points, double voxel_m, std::vector<int32_t>& coords,
              std::array<int32_t, 3>& origin, size_t& bad) {
  const auto voxel = static_cast<float>(voxel_m);
  origin.fill(kMaxVoxelCoordinate);
  coords.resize(points.size() / 4 * 3);
  for (size_t i = 0; i < points.size() / 4; ++i) {
    for (size_t axis = 0; axis < 3; ++axis) {
      // The default rounding mode takes halves to the even neighbour.
      const float rounded = std::nearbyint(points[4 * i + axis] / voxel);
      if (!(std::fabs(rounded) <= static_cast<float>(kMaxVoxelCoordinate))) {
        bad = i;
        return false;
      }
      coords[3 * i + axis] = static_cast<int32_t>(rounded);
      origin[axis] = std::min(origin[axis], coords[3 * i + axis]);
    }
  }
  for (size_t i = 0; i < coords.size(); ++i) coords[i] -= origin[i % 3];
  return true;
}

// Keeps a random subset of `max` voxels, in their old order.
void Cap(int64_t max, Rng& rng, Quantized& voxels) {
  const auto num = static_cast<int64_t>(voxels.first.size());
  if (num <= max) return;
  std::vector<int64_t> rows(static_cast<size_t>(num));
  std::iota(rows.begin(), rows.end(), 0);
  for (int64_t i = 0; i < max; ++i) {
    std::swap(rows[static_cast<size_t>(i)], rows[static_cast<size_t>(i + rng.Below(num - i))]);
  }
  rows.resize(static_cast<size_t>(max));
  std::sort(rows.begin(), rows.end());
  std::vector<int64_t> new_row(static_cast<size_t>(num), -1);
  std::vector<int64_t> first;
  first.reserve(rows.size());
  for (const int64_t row : rows) {
    new_row[static_cast<size_t>(row)] = static_cast<int64_t>(first.size());
    first.push_back(voxels.first[static_cast<size_t>(row)]);
  }
  voxels.first = std::move(first);
  for (int64_t& row : voxels.inverse) row = new_row[static_cast<size_t>(row)];
}

// The value of one feature of point i.
using FeatureReader = std::function<float(size_t)>;

Result<std::vector<FeatureReader>> FeatureReaders(const Scan& scan, const LidarSettings& settings,
                                                  const std::vector<float>& points,
                                                  const std::vector<float>& heights) {
  static const std::vector<std::string> columns = {"x", "y", "z"};
  const auto intensity_scale = static_cast<float>(settings.intensity_scale);
  std::vector<FeatureReader> readers;
  for (const std::string& name : settings.features) {
    const auto column = std::find(columns.begin(), columns.end(), name);
    const auto channel =
        std::find_if(scan.extra.begin(), scan.extra.end(),
                     [&name](const ExtraChannel& extra) { return extra.name == name; });
    if (column != columns.end()) {
      const auto offset = static_cast<size_t>(column - columns.begin());
      readers.emplace_back([&points, offset](size_t i) { return points[4 * i + offset]; });
    } else if (name == "intensity") {
      readers.emplace_back(
          [&points, intensity_scale](size_t i) { return points[4 * i + 3] * intensity_scale; });
    } else if (name == "height") {
      readers.emplace_back([&heights](size_t i) { return heights[i]; });
    } else if (channel != scan.extra.end()) {
      readers.emplace_back([&values = channel->values](size_t i) { return values[i]; });
    } else {
      return ScanError(scan, "the scan carries no feature \"" + name + "\"");
    }
  }
  return readers;
}

// Squared distance of point i from the centre of its voxel.
double DistanceFromCentre(const std::vector<float>& points, const std::vector<int32_t>& coords,
                          const std::array<int32_t, 3>& origin, double voxel_m, size_t i) {
  double sum = 0;
  for (size_t axis = 0; axis < 3; ++axis) {
    const double centre = (static_cast<double>(coords[3 * i + axis]) + origin[axis]) * voxel_m;
    const double difference = points[4 * i + axis] - centre;
    sum += difference * difference;
  }
  return sum;
}

// [M] the point that stands for each voxel: the nearest to its centre; of equally near ones that
// with the smaller features, read in their order. The order of the points has no say.
std::vector<int64_t> Representatives(const PreparedScan& out, const std::vector<float>& points,
                                     const std::vector<int32_t>& coords, double voxel_m,
                                     const std::vector<FeatureReader>& readers,
                                     const Quantized& voxels) {
  std::vector<int64_t> chosen = voxels.first;
  std::vector<double> distances(chosen.size());
  const auto distance = [&](size_t i) {
    return DistanceFromCentre(points, coords, out.origin, voxel_m, i);
  };
  const auto has_smaller_features = [&readers](size_t a, size_t b) {
    for (const FeatureReader& reader : readers) {
      if (reader(a) != reader(b)) return reader(a) < reader(b);
    }
    return false;
  };
  for (size_t row = 0; row < chosen.size(); ++row) {
    distances[row] = distance(static_cast<size_t>(chosen[row]));
  }
  for (size_t i = 0; i < voxels.inverse.size(); ++i) {
    if (voxels.inverse[i] < 0) continue;
    const auto row = static_cast<size_t>(voxels.inverse[i]);
    const double own = distance(i);
    const bool nearer = own != distances[row]
                            ? own < distances[row]
                            : has_smaller_features(i, static_cast<size_t>(chosen[row]));
    if (!nearer) continue;
    chosen[row] = static_cast<int64_t>(i);
    distances[row] = own;
  }
  return chosen;
}

void FillRows(const std::vector<int64_t>& points, const std::vector<int32_t>& coords,
              const std::vector<FeatureReader>& readers, PreparedScan& out) {
  out.coords.reserve(points.size() * 3);
  out.feats.reserve(points.size() * readers.size());
  for (const int64_t point : points) {
    const auto i = static_cast<size_t>(point);
    for (size_t axis = 0; axis < 3; ++axis) out.coords.push_back(coords[3 * i + axis]);
    for (const FeatureReader& reader : readers) out.feats.push_back(reader(i));
  }
}

}  // namespace

Quantized Quantize(const std::vector<int32_t>& coords) {
  const size_t num = coords.size() / 3;
  std::array<uint64_t, 3> extent{};
  for (size_t i = 0; i < coords.size(); ++i) {
    extent[i % 3] = std::max(extent[i % 3], static_cast<uint64_t>(coords[i]) + 1);
  }
  std::vector<std::pair<uint64_t, int64_t>> keys(num);
  for (size_t i = 0; i < num; ++i) {
    const auto x = static_cast<uint64_t>(coords[3 * i]);
    const auto y = static_cast<uint64_t>(coords[3 * i + 1]);
    const auto z = static_cast<uint64_t>(coords[3 * i + 2]);
    // At most (2^21 + 1)^3, which is below 2^64.
    keys[i] = {(x * extent[1] + y) * extent[2] + z, static_cast<int64_t>(i)};
  }
  std::sort(keys.begin(), keys.end());
  Quantized voxels;
  voxels.inverse.resize(num);
  for (size_t k = 0; k < num; ++k) {
    const auto& [key, point] = keys[k];
    if (k == 0 || keys[k - 1].first != key) voxels.first.push_back(point);
    voxels.inverse[static_cast<size_t>(point)] = static_cast<int64_t>(voxels.first.size()) - 1;
  }
  return voxels;
}

std::vector<int32_t> MajorityLabels(const std::vector<int64_t>& inverse,
                                    const std::vector<int32_t>& point_labels, size_t num_voxels) {
  // The labels that count, voxel by voxel: those of voxel v end where those of v + 1 begin.
  std::vector<size_t> begin(num_voxels + 2, 0);
  const auto counts = [&](size_t i) { return inverse[i] >= 0 && point_labels[i] != kIgnoredLabel; };
  for (size_t i = 0; i < inverse.size(); ++i) {
    if (counts(i)) ++begin[static_cast<size_t>(inverse[i]) + 2];
  }
  for (size_t v = 2; v < begin.size(); ++v) begin[v] += begin[v - 1];
  std::vector<int32_t> labels(begin.back());
  for (size_t i = 0; i < inverse.size(); ++i) {
    if (counts(i)) labels[begin[static_cast<size_t>(inverse[i]) + 1]++] = point_labels[i];
  }
  std::vector<int32_t> majority(num_voxels, kIgnoredLabel);
  for (size_t v = 0; v < num_voxels; ++v) {
    const auto first = labels.begin() + static_cast<std::ptrdiff_t>(begin[v]);
    const auto last = labels.begin() + static_cast<std::ptrdiff_t>(begin[v + 1]);
    std::sort(first, last);
    std::ptrdiff_t most = 0;
    for (auto run = first; run != last;) {
      const auto end = std::upper_bound(run, last, *run);
      if (end - run > most) {
        most = end - run;
        majority[v] = *run;
      }
      run = end;
    }
  }
  return majority;
}

Result<PreparedScan> Prepare(const Scan& input, const LidarSettings& settings, Rng* augment) {
  const bool training = augment != nullptr;
  VOXBIT_RETURN_IF_ERROR(CheckShape(input));
  const ChosenPoints chosen = ChoosePoints(input, settings);
  VOXBIT_RETURN_IF_ERROR(CheckValues(input, settings, chosen.kept));
  VOXBIT_RETURN_IF_ERROR(CheckNotEmpty(input, chosen, settings, training));
  Scan selected;
  if (chosen.num_dropped() > 0) selected = SelectRows(input, chosen.kept);
  const Scan& scan = chosen.num_dropped() > 0 ? selected : input;
  VOXBIT_RETURN_IF_ERROR(CheckStep(scan, settings.voxel_m));

  std::vector<float> points = scan.points;
  if (settings.center) Center(points);
  std::vector<float> heights;
  if (settings.HasFeature("height")) heights = HeightAboveGround(points);
  if (training) {
    const double scale = Augment(settings, *augment, points);
    for (float& height : heights) height = static_cast<float>(height * scale);
  }

  PreparedScan out;
  out.name = scan.name;
  out.num_features = settings.num_features();
  out.category = scan.category;
  out.point_labels = scan.labels;
  out.num_dropped = chosen.num_dropped();
  if (chosen.num_dropped() > 0) out.point_index = chosen.kept;
  std::vector<int32_t> coords;
  size_t bad = 0;
  if (!ToVoxels(points, settings.voxel_m, coords, out.origin, bad)) {
    return RangeError(input, chosen, settings, bad);
  }
  Quantized voxels = Quantize(coords);
  if (training) Cap(settings.max_points, *augment, voxels);
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<FeatureReader> readers,
                          FeatureReaders(scan, settings, points, heights));
  FillRows(Representatives(out, points, coords, settings.voxel_m, readers, voxels), coords, readers,
           out);
  if (!scan.labels.empty()) {
    out.labels = MajorityLabels(voxels.inverse, scan.labels, voxels.first.size());
  }
  out.inverse = std::move(voxels.inverse);
  return out;
}

}  // namespace voxbit::data
