// The interpolation kernels, instruction set ref.
#include <cstdint>

#include "supernet/kernels/interpolate/variants.h"

namespace voxbit::kernels::ref {
namespace {

#include "supernet/kernels/interpolate/loops.inc"

}  // namespace

InterpolateKernels Interpolate() { return {&Weights, &Mix, &Spread}; }

}  // namespace voxbit::kernels::ref
