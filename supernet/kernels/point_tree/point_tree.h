// Builds the tree order of a point cloud, which every neighbour search starts from.
#pragma once

#include <cstdint>
#include <vector>

#include "supernet/kernels/point_tree/view.h"

namespace voxbit::kernels {

// Halves the cloud at the median of its widest axis until leaves are full.
class PointTree {
 public:
  // xyz [n,3] float32, contiguous; must outlive the tree. Requires: 0 < n < 2^31, all finite.
  // O(n log n).
  PointTree(const float* xyz, int64_t n);

  const PointTreeView& view() const { return view_; }

 private:
  void MakeBoxes();

  std::vector<float> planes_;
  std::vector<int32_t> index_;
  std::vector<BoxGroup> groups_[kMaxTreeLevels];
  PointTreeView view_;
};

}  // namespace voxbit::kernels
