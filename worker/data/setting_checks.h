// Checks of settings that the declaration of a single field cannot express.
#pragma once

#include <string>
#include <vector>

#include "common/status.h"

namespace voxbit::data {

// Expects at least one name, none twice. INVALID_ARGUMENT naming the pointer of the bad one.
Status CheckFeatureList(const std::vector<std::string>& features, const std::string& pointer);

// Expects scale_min <= scale_max. `pointer` is that of the object.
Status CheckScale(double scale_min, double scale_max, const std::string& pointer);

}  // namespace voxbit::data
