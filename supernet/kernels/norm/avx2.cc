// The norm kernels, instruction set avx2.
#include <cstdint>

#include "supernet/kernels/norm/variants.h"

namespace voxbit::kernels::avx2 {
namespace {

#include "supernet/kernels/norm/loops.inc"

}  // namespace

NormKernels Norm() { return {&Moments, &Apply, &BackwardSums, &BackwardApply}; }

}  // namespace voxbit::kernels::avx2
