#include "supernet/kernels/sparse_conv/sparse_conv.h"
#include "supernet/kernels/sparse_conv/variants.h"

namespace voxbit::kernels {
namespace {

constexpr ConvKernels kRefKernels = {&ref::ConvRows, &ref::ConvWeightGrad};
#if defined(VOXBIT_HAVE_AVX2)
constexpr ConvKernels kAvx2Kernels = {&avx2::ConvRows, &avx2::ConvWeightGrad};
#endif

}  // namespace

const ConvKernels& ConvKernelsFor(Isa isa) {
#if defined(VOXBIT_HAVE_AVX2)
  if (isa == Isa::kAvx2) return kAvx2Kernels;
#else
  (void)isa;
#endif
  return kRefKernels;
}

}  // namespace voxbit::kernels
