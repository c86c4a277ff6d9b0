// The interpolation kernels, instruction set avx2.
#include <cstdint>

#include "supernet/kernels/interpolate/variants.h"

namespace voxbit::kernels::avx2 {
namespace {

#include "supernet/kernels/interpolate/loops.inc"

}  // namespace

InterpolateKernels Interpolate() { return {&Weights, &Mix, &Spread}; }

}  // namespace voxbit::kernels::avx2
