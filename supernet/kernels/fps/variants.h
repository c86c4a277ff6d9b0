// The sampling kernels of each instruction set; FarthestPointSample in fps.h chooses.
#pragma once

#include "supernet/kernels/fps/fps.h"

namespace voxbit::kernels {

// Memory that a kernel may write, of any content.
struct FpsScratch {
  float* distance;  // as many as points in tree order
  int64_t* best;    // one per node, each level rounded up to a multiple of 8
  float* far;       // as many
};

namespace ref {
void Fps(const PointTreeView& points, int64_t num, const FpsOptions& options,
         const FpsScratch& scratch, int64_t* out);
}
namespace avx2 {
void Fps(const PointTreeView& points, int64_t num, const FpsOptions& options,
         const FpsScratch& scratch, int64_t* out);
}

}  // namespace voxbit::kernels
