#include "supernet/kernels/knn/knn.h"
#include "supernet/kernels/knn/variants.h"

namespace voxbit::kernels {

const KnnKernels& KnnKernelsFor(Isa isa) {
  static const KnnKernels ref_kernels = ref::Knn();
#if defined(VOXBIT_HAVE_AVX2)
  static const KnnKernels avx2_kernels = avx2::Knn();
  if (isa == Isa::kAvx2) return avx2_kernels;
#else
  (void)isa;
#endif
  return ref_kernels;
}

}  // namespace voxbit::kernels
