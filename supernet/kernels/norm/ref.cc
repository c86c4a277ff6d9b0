// The norm kernels, instruction set ref.
#include <cstdint>

#include "supernet/kernels/norm/variants.h"

namespace voxbit::kernels::ref {
namespace {

#include "supernet/kernels/norm/loops.inc"

}  // namespace

NormKernels Norm() { return {&Moments, &Apply, &BackwardSums, &BackwardApply}; }

}  // namespace voxbit::kernels::ref
