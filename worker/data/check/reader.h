// Reads the scans of a dataset on several threads and counts what is in them.
#pragma once

#include <stop_token>

#include "common/status.h"
#include "worker/data/check.h"
#include "worker/data/check/facts.h"

namespace voxbit::data {

// All scans of `reading`, with the faults of those that cannot be used in any order. CANCELLED once
// `stop` is raised; RESOURCE_EXHAUSTED when memory ran out.
Result<Facts> ReadFacts(const Dataset& dataset, const Reading& reading,
                        const CheckSettings& settings, const std::stop_token& stop);

}  // namespace voxbit::data
