// The ball-query kernels of each instruction set; BallQueryKernelsFor in ball_query.h chooses.
#pragma once

#include "supernet/kernels/ball_query/ball_query.h"

namespace voxbit::kernels {

namespace ref {
BallQueryKernels BallQuery();
}
namespace avx2 {
BallQueryKernels BallQuery();
}

}  // namespace voxbit::kernels
