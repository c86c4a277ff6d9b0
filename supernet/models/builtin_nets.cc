#include "supernet/models/quantized_net.h"
#include "supernet/models/supernet.h"

namespace voxbit::supernet {

#define VOXBIT_SUPERNET(name, spec, net, help)                                          \
  Result<std::shared_ptr<Supernet>> net(const Json& config, const std::string& pointer, \
                                        int64_t in_channels, int64_t num_classes, uint64_t seed);
#include "supernet/models/supernets.def"
#undef VOXBIT_SUPERNET

void RegisterBuiltinSupernets(SupernetRegistry& registry) {
#define VOXBIT_SUPERNET(name, spec, net, help) registry.Add(name, Quantizable(&(net)), help);
#include "supernet/models/supernets.def"
#undef VOXBIT_SUPERNET
}

}  // namespace voxbit::supernet
