#include "supernet/kernels/coords/coord_table.h"

#include <algorithm>
#include <cstring>

#include "supernet/kernels/coords/coord_hash.h"

namespace voxbit::kernels {
namespace {

bool SameCoord(const int32_t* a, const int32_t* b) {
  return std::memcmp(a, b, 4 * sizeof(int32_t)) == 0;
}

}  // namespace

CoordTable::CoordTable(const int32_t* coords, int64_t n) : coords_(coords), size_(n) {
  int bits = 4;
  while ((int64_t{1} << bits) < 2 * n) ++bits;  // load of at most one half
  shift_ = 64 - bits;
  const uint64_t capacity = uint64_t{1} << bits;
  mask_ = capacity - 1;
  rows_ = std::make_unique<int32_t[]>(capacity);
  std::fill_n(rows_.get(), capacity, -1);
  for (int64_t row = 0; row < n; ++row) {
    const int32_t* coord = coords + 4 * row;
    uint64_t slot = Slot(coord);
    while (rows_[slot] >= 0 && !SameCoord(coords + 4 * int64_t{rows_[slot]}, coord)) {
      slot = (slot + 1) & mask_;
    }
    if (rows_[slot] < 0) {
      rows_[slot] = static_cast<int32_t>(row);
    } else {
      ++num_duplicates_;
    }
  }
}

uint64_t CoordTable::Slot(const int32_t* coord) const {
  // The low bits of the FNV hash depend on the low bits of the coordinate only; Fibonacci hashing
  // (Knuth, vol. 3, 6.4) brings all of them to the top, from where the slot is taken.
  return (CoordHash(coord) * 0x9E3779B97F4A7C15ULL) >> shift_;
}

int32_t CoordTable::Find(const int32_t* coord) const {
  uint64_t slot = Slot(coord);
  while (rows_[slot] >= 0) {
    if (SameCoord(coords_ + 4 * int64_t{rows_[slot]}, coord)) return rows_[slot];
    slot = (slot + 1) & mask_;
  }
  return -1;
}

}  // namespace voxbit::kernels
