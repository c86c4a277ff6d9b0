#include <cstddef>
#include <vector>

#include "supernet/kernels/fps/fps.h"
#include "supernet/kernels/fps/variants.h"

namespace voxbit::kernels {

void FarthestPointSample(Isa isa, const PointTreeView& points, int64_t num,
                         const FpsOptions& options, int64_t* out) {
  size_t nodes = 0;
  for (int level = 0; level < points.num_levels; ++level) {
    nodes += static_cast<size_t>((points.num_nodes[level] + 7) / 8 * 8);
  }
  std::vector<float> distance(static_cast<size_t>(points.num_nodes[0] * kLeafPoints));
  std::vector<int64_t> best(nodes);
  std::vector<float> far(nodes);
  const FpsScratch scratch = {distance.data(), best.data(), far.data()};
#if defined(VOXBIT_HAVE_AVX2)
  if (isa == Isa::kAvx2) return avx2::Fps(points, num, options, scratch, out);
#else
  (void)isa;
#endif
  ref::Fps(points, num, options, scratch, out);
}

}  // namespace voxbit::kernels
