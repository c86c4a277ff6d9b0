// Expands builtin.def twice: declarations, then registrations.
#include "supernet/quant/quantizer.h"

namespace voxbit::quant {

#define VOXBIT_QUANTIZER(name, factory, roles, coding, state, help) \
  Result<std::shared_ptr<Quantizer>> factory(const QuantizerSettings& settings);
#include "supernet/quant/builtin.def"
#undef VOXBIT_QUANTIZER

void RegisterBuiltinQuantizers(QuantizerRegistry& registry) {
#define VOXBIT_QUANTIZER(name, factory, roles, coding, state, help) \
  registry.Add(name, &(factory), help);
#include "supernet/quant/builtin.def"
#undef VOXBIT_QUANTIZER
}

}  // namespace voxbit::quant
