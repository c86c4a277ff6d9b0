// The settings that every LiDAR dataset has in common, declared once. A dataset's configuration
// derives from LidarSettings and calls AddLidarFields on its own table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/config.h"
#include "common/status.h"

namespace voxbit::data {

// Defaults are those of the published SemanticKITTI pipeline of SPVNAS.
struct LidarSettings {
  double voxel_m = 0.05;
  int64_t max_points = 80000;
  std::vector<std::string> features = {"x", "y", "z", "intensity"};
  double intensity_scale = 1;
  bool center = false;
  bool drop_origin = false;
  bool rotate = true;
  double scale_min = 0.95;
  double scale_max = 1.05;
  bool flip = false;
  double jitter_m = 0;

  int64_t num_features() const { return static_cast<int64_t>(features.size()); }
  bool HasFeature(const std::string& name) const;
  // Whether a feature is computed from the returns of a pulse.
  bool NeedsReturns() const;
};

// Every feature a configuration may name. "returns" and "return_ratio" need a dataset that
// records the returns of a pulse.
const std::vector<std::string>& AllFeatures();

// What single fields cannot say: no feature twice, none at all, scale_min above scale_max.
Status CheckLidarSettings(const LidarSettings& settings, const std::string& pointer);

// Declares the common fields on the table of a configuration that derives from LidarSettings.
// `features` is what this dataset can deliver.
template <class Config>
void AddLidarFields(Fields<Config>& fields, const std::vector<std::string>& features) {
  using Settings = LidarSettings;
  fields.Number("voxel_m", &Settings::voxel_m, {.min = 0.001, .max = 100}, "m", "edge of a voxel")
      .Int("max_points", static_cast<int64_t Config::*>(&Settings::max_points), {.min = 1},
           "voxels", "a training scan above this number keeps a random subset of this size")
      .TextList("features", &Settings::features, features,
                "input channels of the network in this order; height: metres above the ground "
                "estimated from the scan; returns: number of returns of the pulse minus 1; "
                "return_ratio: return number / number of returns")
      .Number("intensity_scale", &Settings::intensity_scale, {}, "",
              "factor on the recorded intensity")
      .Bool("center", &Settings::center,
            "shift x and y to the mean of the scan and z to its first percentile")
      .Bool("drop_origin", &Settings::drop_origin,
            "leave out points at exactly (0, 0, 0): pulses without a return")
      .Bool("rotate", &Settings::rotate, "training: rotation about z, uniform in a full turn")
      .Number("scale_min", &Settings::scale_min, {.min = 0.01, .max = 100}, "",
              "training: lower end of the uniform scale factor")
      .Number("scale_max", &Settings::scale_max, {.min = 0.01, .max = 100}, "",
              "training: upper end of the uniform scale factor")
      .Bool("flip", &Settings::flip, "training: mirror y with probability one half")
      .Number("jitter_m", &Settings::jitter_m, {.min = 0, .max = 10}, "m",
              "training: standard deviation of the noise added to every coordinate");
}

}  // namespace voxbit::data
