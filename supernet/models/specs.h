// The spaces and layer tables of the supernets of this build. No torch.
#pragma once

#include "search/space/supernet_spec.h"

namespace voxbit::supernet {

void RegisterBuiltinSpecs(search::SupernetSpecRegistry& registry);

}  // namespace voxbit::supernet
