#include "supernet/kernels/ball_query/ball_query.h"
#include "supernet/kernels/ball_query/variants.h"

namespace voxbit::kernels {

const BallQueryKernels& BallQueryKernelsFor(Isa isa) {
  static const BallQueryKernels ref_kernels = ref::BallQuery();
#if defined(VOXBIT_HAVE_AVX2)
  static const BallQueryKernels avx2_kernels = avx2::BallQuery();
  if (isa == Isa::kAvx2) return avx2_kernels;
#else
  (void)isa;
#endif
  return ref_kernels;
}

}  // namespace voxbit::kernels
