// Finds the row of a voxel coordinate.
#pragma once

#include <cstdint>
#include <memory>

namespace voxbit::kernels {

// Open-addressing table from coordinate to row. A hit compares the whole coordinate, so a hash
// collision never links the wrong voxels. Find is thread-safe.
class CoordTable {
 public:
  // coords [n,4] int32 (x, y, z, batch), contiguous; must outlive the table. Of equal rows the
  // first is found. Requires: 0 <= n < 2^31. O(n).
  CoordTable(const int32_t* coords, int64_t n);

  // Row of `coord` (x, y, z, batch), or -1.
  int32_t Find(const int32_t* coord) const;

  int64_t size() const { return size_; }
  // Number of rows that equal an earlier row.
  int64_t num_duplicates() const { return num_duplicates_; }

 private:
  uint64_t Slot(const int32_t* coord) const;

  const int32_t* coords_;
  int64_t size_;
  int64_t num_duplicates_ = 0;
  int shift_;                        // 64 - log2(capacity)
  uint64_t mask_;                    // capacity - 1
  std::unique_ptr<int32_t[]> rows_;  // -1 is an empty slot
};

}  // namespace voxbit::kernels
