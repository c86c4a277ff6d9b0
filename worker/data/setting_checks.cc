#include "worker/data/setting_checks.h"

#include <algorithm>

#include "common/config.h"
#include "common/number_text.h"

namespace voxbit::data {

Status CheckFeatureList(const std::vector<std::string>& features, const std::string& pointer) {
  if (features.empty()) return FieldError(pointer, "expected at least one feature, found none");
  for (size_t i = 0; i < features.size(); ++i) {
    const auto end = features.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(features.begin(), end, features[i]) != end) {
      return FieldError(pointer + "/" + std::to_string(i),
                        "\"" + features[i] + "\" is in the list already");
    }
  }
  return OkStatus();
}

Status CheckScale(double scale_min, double scale_max, const std::string& pointer) {
  if (scale_min <= scale_max) return OkStatus();
  return FieldError(
      pointer + "/scale_min",
      "expected at most scale_max = " + NumberText(scale_max) + ", found " + NumberText(scale_min));
}

}  // namespace voxbit::data
