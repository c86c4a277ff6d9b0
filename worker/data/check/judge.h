// What is unwise in a dataset without being wrong.
#pragma once

#include <string>
#include <vector>

#include "worker/data/check/facts.h"

namespace voxbit::data {

// "points", or "objects" where these are classified: what classes have.
std::string WhatIsCounted(const Dataset& dataset);

// The warnings about what was read, in a fixed order.
std::vector<std::string> WarningsAbout(const Dataset& dataset, const Reading& reading,
                                       const Facts& facts);

}  // namespace voxbit::data
