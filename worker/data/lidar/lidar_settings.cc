#include "worker/data/lidar/lidar_settings.h"

#include <algorithm>

#include "worker/data/setting_checks.h"

namespace voxbit::data {

bool LidarSettings::HasFeature(const std::string& name) const {
  return std::find(features.begin(), features.end(), name) != features.end();
}

bool LidarSettings::NeedsReturns() const {
  return HasFeature("returns") || HasFeature("return_ratio");
}

const std::vector<std::string>& AllFeatures() {
  static const std::vector<std::string> all = {"x",      "y",       "z",           "intensity",
                                               "height", "returns", "return_ratio"};
  return all;
}

Status CheckLidarSettings(const LidarSettings& settings, const std::string& pointer) {
  VOXBIT_RETURN_IF_ERROR(CheckFeatureList(settings.features, pointer + "/features"));
  return CheckScale(settings.scale_min, settings.scale_max, pointer);
}

}  // namespace voxbit::data
