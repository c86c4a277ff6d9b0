#include "worker/data/lidar/pipeline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>
#include <utility>

#include "worker/data/lidar/ground.h"

namespace voxbit::data {
namespace {

Status CheckScan(const Scan& scan, bool training) {
  if (scan.points.size() % 4 != 0) {
    return ScanError(
        scan, "expected 4 values a point, found " + std::to_string(scan.points.size()) + " values");
  }
  if (scan.points.empty()) return ScanError(scan, "the scan has no points");
  const auto num_points = static_cast<size_t>(scan.num_points());
  if (!scan.labels.empty() && scan.labels.size() != num_points) {
    return ScanError(scan, std::to_string(num_points) + " points but " +
                               std::to_string(scan.labels.size()) + " labels");
  }
  for (size_t i = 0; i < scan.points.size(); ++i) {
    if (std::isfinite(scan.points[i])) continue;
    return ScanError(scan, "point " + std::to_string(i / 4) + " has " +
                               (i % 4 == 3 ? "an intensity" : "a coordinate") +
                               " that is not finite");
  }
  for (const ExtraChannel& channel : scan.extra) {
    if (channel.values.size() == num_points) continue;
    return ScanError(scan, std::to_string(num_points) + " points but " +
                               std::to_string(channel.values.size()) + " values of " +
                               channel.name);
  }
  const bool labelled = std::any_of(scan.labels.begin(), scan.labels.end(),
                                    [](int32_t label) { return label != kIgnoredLabel; });
  if (training && !labelled) {
    return ScanError(scan, "no point of this training scan has a label that counts");
  }
  return OkStatus();
}

// The scan without its points at exactly the origin; `places` are those of what is left.
Scan DropOrigin(const Scan& scan, std::vector<int64_t>& places) {
  Scan kept;
  kept.name = scan.name;
  kept.source = scan.source;
  kept.category = scan.category;
  for (const ExtraChannel& channel : scan.extra) kept.extra.push_back({channel.name, {}});
  for (size_t i = 0; i < scan.points.size() / 4; ++i) {
    const float* point = &scan.points[4 * i];
    if (point[0] == 0 && point[1] == 0 && point[2] == 0) continue;
    places.push_back(static_cast<int64_t>(i));
    kept.points.insert(kept.points.end(), point, point + 4);
    if (!scan.labels.empty()) kept.labels.push_back(scan.labels[i]);
    for (size_t c = 0; c < scan.extra.size(); ++c) {
      kept.extra[c].values.push_back(scan.extra[c].values[i]);
    }
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

// Integer coordinates [N,3] with their minimum, which becomes `origin`, subtracted.
Status ToVoxels(const Scan& scan, const std::vector<float>& points, double voxel_m,
                std::vector<int32_t>& coords, std::array<int32_t, 3>& origin) {
  const auto voxel = static_cast<float>(voxel_m);
  origin.fill(kMaxVoxelCoordinate);
  coords.resize(points.size() / 4 * 3);
  for (size_t i = 0; i < points.size() / 4; ++i) {
    for (size_t axis = 0; axis < 3; ++axis) {
      const float position = points[4 * i + axis];
      // The default rounding mode takes halves to the even neighbour.
      const float rounded = std::nearbyint(position / voxel);
      if (!(std::fabs(rounded) <= static_cast<float>(kMaxVoxelCoordinate))) {
        return ScanError(scan, "point " + std::to_string(i) + " lies at " +
                                   std::to_string(position) + " m, more than " +
                                   std::to_string(kMaxVoxelCoordinate) + " voxels of " +
                                   CanonicalJson(voxel_m) + " m from the origin");
      }
      coords[3 * i + axis] = static_cast<int32_t>(rounded);
      origin[axis] = std::min(origin[axis], coords[3 * i + axis]);
    }
  }
  for (size_t i = 0; i < coords.size(); ++i) coords[i] -= origin[i % 3];
  return OkStatus();
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

void FillRows(const Quantized& voxels, const std::vector<int32_t>& coords,
              const std::vector<FeatureReader>& readers, PreparedScan& out) {
  out.coords.reserve(voxels.first.size() * 3);
  out.feats.reserve(voxels.first.size() * readers.size());
  for (const int64_t first : voxels.first) {
    const auto i = static_cast<size_t>(first);
    for (size_t axis = 0; axis < 3; ++axis) out.coords.push_back(coords[3 * i + axis]);
    for (const FeatureReader& reader : readers) out.feats.push_back(reader(i));
    if (!out.point_labels.empty()) out.labels.push_back(out.point_labels[i]);
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

Result<PreparedScan> Prepare(const Scan& input, const LidarSettings& settings, Rng* augment) {
  const bool training = augment != nullptr;
  VOXBIT_RETURN_IF_ERROR(CheckScan(input, training));
  PreparedScan out;
  Scan without_origin;
  if (settings.drop_origin) {
    without_origin = DropOrigin(input, out.point_index);
    VOXBIT_RETURN_IF_ERROR(CheckScan(without_origin, training));
  }
  const Scan& scan = settings.drop_origin ? without_origin : input;

  std::vector<float> points = scan.points;
  if (settings.center) Center(points);
  std::vector<float> heights;
  if (settings.HasFeature("height")) heights = HeightAboveGround(points);
  if (training) {
    const double scale = Augment(settings, *augment, points);
    for (float& height : heights) height = static_cast<float>(height * scale);
  }

  out.name = scan.name;
  out.num_features = settings.num_features();
  out.category = scan.category;
  out.point_labels = scan.labels;
  std::vector<int32_t> coords;
  VOXBIT_RETURN_IF_ERROR(ToVoxels(scan, points, settings.voxel_m, coords, out.origin));
  Quantized voxels = Quantize(coords);
  if (training) Cap(settings.max_points, *augment, voxels);
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<FeatureReader> readers,
                          FeatureReaders(scan, settings, points, heights));
  FillRows(voxels, coords, readers, out);
  out.inverse = std::move(voxels.inverse);
  return out;
}

}  // namespace voxbit::data
