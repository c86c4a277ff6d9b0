#include "supernet/kernels/interpolate/interpolate.h"
#include "supernet/kernels/interpolate/variants.h"

namespace voxbit::kernels {

const InterpolateKernels& InterpolateKernelsFor(Isa isa) {
  static const InterpolateKernels ref_kernels = ref::Interpolate();
#if defined(VOXBIT_HAVE_AVX2)
  static const InterpolateKernels avx2_kernels = avx2::Interpolate();
  if (isa == Isa::kAvx2) return avx2_kernels;
#else
  (void)isa;
#endif
  return ref_kernels;
}

}  // namespace voxbit::kernels
