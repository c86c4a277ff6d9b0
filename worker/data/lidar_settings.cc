#include "worker/data/lidar_settings.h"

#include <algorithm>

namespace voxbit::data {

bool LidarSettings::HasFeature(const std::string& name) const {
  return std::find(features.begin(), features.end(), name) != features.end();
}

const std::vector<std::string>& AllFeatures() {
  static const std::vector<std::string> all = {"x",      "y",       "z",           "intensity",
                                               "height", "returns", "return_ratio"};
  return all;
}

Status CheckLidarSettings(const LidarSettings& settings, const std::string& pointer) {
  if (settings.features.empty()) {
    return FieldError(pointer + "/features", "expected at least one feature, found none");
  }
  for (size_t i = 0; i < settings.features.size(); ++i) {
    const auto end = settings.features.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(settings.features.begin(), end, settings.features[i]) != end) {
      return FieldError(pointer + "/features/" + std::to_string(i),
                        "\"" + settings.features[i] + "\" is in the list already");
    }
  }
  if (settings.scale_min > settings.scale_max) {
    return FieldError(pointer + "/scale_min",
                      "expected at most scale_max = " + CanonicalJson(settings.scale_max) +
                          ", found " + CanonicalJson(settings.scale_min));
  }
  return OkStatus();
}

}  // namespace voxbit::data
