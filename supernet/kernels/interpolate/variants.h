// The interpolation kernels of each instruction set; InterpolateKernelsFor in interpolate.h
// chooses.
#pragma once

#include "supernet/kernels/interpolate/interpolate.h"

namespace voxbit::kernels {

namespace ref {
InterpolateKernels Interpolate();
}
namespace avx2 {
InterpolateKernels Interpolate();
}

}  // namespace voxbit::kernels
