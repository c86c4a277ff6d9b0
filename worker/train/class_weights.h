// Weights of the classes in the loss, from how often they occur.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "common/status.h"
#include "worker/train/scan_source.h"

namespace voxbit::train {

// counts [K] to weights [K]: 1 / sqrt(count), scaled so that the mean over the classes that occur
// is 1. A class that does not occur has weight 1.
std::vector<float> SqrtInverseWeights(const std::vector<int64_t>& counts);

// "none": an empty list. "sqrt_inverse": from the labelled points of up to 64 training scans, or
// the points (parts) or classes of up to 2048 objects, at equal distances. CANCELLED once `stop` is
// raised.
Result<std::vector<float>> ClassWeights(const std::string& kind, ScanSource& source,
                                        const std::stop_token& stop);

}  // namespace voxbit::train
