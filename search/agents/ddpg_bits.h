// The bit-width search with a DDPG agent, for callers that set more than a study can.
#pragma once

#include <memory>

#include "search/agents/ddpg_settings.h"
#include "search/algorithm/algorithm.h"

namespace voxbit::rl {

// The algorithm "ddpg_bits" with these settings.
std::unique_ptr<search::Algorithm> MakeDdpgBitsWith(const search::AlgorithmContext& context,
                                                    const DdpgSettings& settings);

}  // namespace voxbit::rl
