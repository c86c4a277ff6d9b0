// What a layer remembers of the rows that it reads over several forward passes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace voxbit::supernet {

// Rows at equal distances of all that were added, however they were divided into calls, and the two
// extremes of all: at most kMostValues + 2 values (one row at least). While everything fits it is
// everything. Without gradients. Values are copies, so that a large input is not kept alive.
class RowSample {
 public:
  // A KL threshold needs time of the order of the number of values.
  static constexpr int64_t kMostValues = int64_t{1} << 16;

  // x [..., C] float32; the same C in every call. Nothing happens for an empty tensor.
  void Add(const at::Tensor& x);
  bool empty() const { return num_rows_ == 0; }
  // [n], n > 0. Requires: not empty.
  at::Tensor Values() const;

 private:
  int64_t num_rows_ = 0;  // added so far
  int64_t stride_ = 1;    // rows 0, stride, 2 stride, ... are kept
  at::Tensor kept_;       // [n,C]
  at::Tensor low_;        // [1], of all rows
  at::Tensor high_;
};

}  // namespace voxbit::supernet
