#include "supernet/models/quantized_spec.h"
#include "supernet/models/specs.h"

namespace voxbit::supernet {

#define VOXBIT_SUPERNET(name, spec, net, help)                           \
  Result<std::unique_ptr<search::SupernetSpec>> spec(const Json& config, \
                                                     const std::string& pointer);
#include "supernet/models/supernets.def"
#undef VOXBIT_SUPERNET

void RegisterBuiltinSpecs(search::SupernetSpecRegistry& registry) {
#define VOXBIT_SUPERNET(name, spec, net, help) registry.Add(name, Quantizable(&(spec)), help);
#include "supernet/models/supernets.def"
#undef VOXBIT_SUPERNET
}

}  // namespace voxbit::supernet
