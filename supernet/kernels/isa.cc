#include "supernet/kernels/isa.h"

#include <cstdlib>
#include <cstring>

namespace voxbit::kernels {
namespace {

Isa Detect() {
  const char* forced = std::getenv("VOXBIT_ISA");  // NOLINT(concurrency-mt-unsafe): read once
  if (forced != nullptr && std::strcmp(forced, "ref") == 0) return Isa::kRef;
  return IsaAvailable(Isa::kAvx2) ? Isa::kAvx2 : Isa::kRef;
}

}  // namespace

bool IsaAvailable(Isa isa) {
  if (isa == Isa::kRef) return true;
#if defined(VOXBIT_HAVE_AVX2)
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
#else
  return false;
#endif
}

Isa ActiveIsa() {
  static const Isa isa = Detect();
  return isa;
}

const char* IsaName(Isa isa) { return isa == Isa::kAvx2 ? "avx2" : "ref"; }

}  // namespace voxbit::kernels
