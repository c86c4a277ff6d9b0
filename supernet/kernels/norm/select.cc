#include "supernet/kernels/norm/norm.h"
#include "supernet/kernels/norm/variants.h"

namespace voxbit::kernels {

const NormKernels& NormKernelsFor(Isa isa) {
  static const NormKernels ref_kernels = ref::Norm();
#if defined(VOXBIT_HAVE_AVX2)
  static const NormKernels avx2_kernels = avx2::Norm();
  if (isa == Isa::kAvx2) return avx2_kernels;
#else
  (void)isa;
#endif
  return ref_kernels;
}

void MergeMoments(int64_t channels, int64_t count, double* mean, double* squares,
                  int64_t other_count, const float* other_mean, const float* other_squares) {
  const auto n = static_cast<double>(count);
  const auto m = static_cast<double>(other_count);
  for (int64_t c = 0; c < channels; ++c) {
    const double delta = static_cast<double>(other_mean[c]) - mean[c];
    mean[c] += delta * m / (n + m);
    squares[c] += static_cast<double>(other_squares[c]) + delta * delta * n * m / (n + m);
  }
}

}  // namespace voxbit::kernels
