#include "supernet/kernels/voxelize/voxelize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace voxbit::kernels {
namespace {

constexpr float kLargestCell = 1073741824.0F;  // 2^30, exact in float32

// Sort key of a coordinate when the four ranges fit into 64 bits together.
struct KeyPacking {
  std::array<int64_t, 4> minimum{};
  std::array<int, 4> bits{};
  bool fits = false;
};

KeyPacking PackingOf(const int32_t* coords, int64_t n, int columns) {
  KeyPacking packing;
  int total = 0;
  for (int c = 0; c < columns; ++c) {
    int64_t low = coords[c];
    int64_t high = coords[c];
    for (int64_t i = 1; i < n; ++i) {
      low = std::min<int64_t>(low, coords[i * columns + c]);
      high = std::max<int64_t>(high, coords[i * columns + c]);
    }
    int bits = 0;
    while ((int64_t{1} << bits) <= high - low) ++bits;
    packing.minimum[static_cast<size_t>(c)] = low;
    packing.bits[static_cast<size_t>(c)] = bits;
    total += bits;
  }
  packing.fits = total <= 63;
  return packing;
}

// `order` lists the columns from the most to the least significant.
uint64_t Key(const KeyPacking& packing, const int32_t* coord, const int* order, int columns) {
  uint64_t key = 0;
  for (int i = 0; i < columns; ++i) {
    const auto c = static_cast<size_t>(order[i]);
    key = (key << packing.bits[c]) | static_cast<uint64_t>(coord[c] - packing.minimum[c]);
  }
  return key;
}

bool LexLess(const int32_t* a, const int32_t* b, const int* order, int columns) {
  for (int i = 0; i < columns; ++i) {
    if (a[order[i]] != b[order[i]]) return a[order[i]] < b[order[i]];
  }
  return false;
}

bool SameCell(const int32_t* a, const int32_t* b, int columns) {
  return std::equal(a, a + columns, b);
}

// Rows in lexicographic order of the columns in `order`, ties by row.
std::vector<int64_t> SortedRows(const int32_t* coords, int64_t n, const int* order, int columns) {
  std::vector<int64_t> rows(static_cast<size_t>(n));
  if (n == 0) return rows;
  const KeyPacking packing = PackingOf(coords, n, columns);
  if (packing.fits) {
    struct Entry {
      uint64_t key;
      int64_t row;
    };
    std::vector<Entry> entries(static_cast<size_t>(n));
    bool sorted = true;
    for (int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<size_t>(i);
      entries[at] = {Key(packing, coords + i * columns, order, columns), i};
      sorted = sorted && (i == 0 || entries[at - 1].key <= entries[at].key);
    }
    if (!sorted) {
      std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return a.key != b.key ? a.key < b.key : a.row < b.row;
      });
    }
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = entries[i].row;
    return rows;
  }
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
  std::stable_sort(rows.begin(), rows.end(), [&](int64_t a, int64_t b) {
    return LexLess(coords + a * columns, coords + b * columns, order, columns);
  });
  return rows;
}

constexpr std::array<int, 3> kSpatialOrder = {0, 1, 2};
constexpr std::array<int, 4> kBatchFirstOrder = {3, 0, 1, 2};

}  // namespace

int64_t RoundToGrid(const float* points, int64_t n, int64_t point_stride, float voxel,
                    int32_t* grid) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t axis = 0; axis < 3; ++axis) {
      // nearbyint rounds halves to even in the default rounding mode, which nothing here changes.
      const float cell = std::nearbyint(points[i * point_stride + axis] / voxel);
      if (!(std::fabs(cell) <= kLargestCell)) return i;
      grid[3 * i + axis] = static_cast<int32_t>(cell);
    }
  }
  return -1;
}

void SubtractMinimum(int32_t* grid, int64_t n, int32_t* minimum) {
  for (int64_t axis = 0; axis < 3; ++axis) {
    int32_t low = n > 0 ? grid[axis] : 0;
    for (int64_t i = 1; i < n; ++i) low = std::min(low, grid[3 * i + axis]);
    for (int64_t i = 0; i < n; ++i) grid[3 * i + axis] -= low;
    minimum[axis] = low;
  }
}

int64_t SparseQuantize(const int32_t* grid, int64_t n, int64_t* unique_index, int64_t* inverse) {
  const std::vector<int64_t> rows = SortedRows(grid, n, kSpatialOrder.data(), 3);
  int64_t count = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t row = rows[i];
    if (i == 0 || !SameCell(grid + 3 * row, grid + 3 * rows[i - 1], 3)) {
      unique_index[count++] = row;  // ties are by row, so this is the first one of the cell
    }
    if (inverse != nullptr) inverse[row] = count - 1;
  }
  return count;
}

int64_t SortUniqueCoords(int32_t* coords, int64_t n) {
  const std::vector<int64_t> rows = SortedRows(coords, n, kBatchFirstOrder.data(), 4);
  std::vector<int32_t> kept;
  kept.reserve(static_cast<size_t>(4 * n));
  for (size_t i = 0; i < rows.size(); ++i) {
    const int32_t* coord = coords + 4 * rows[i];
    if (i > 0 && SameCell(coord, coords + 4 * rows[i - 1], 4)) continue;
    kept.insert(kept.end(), coord, coord + 4);
  }
  std::copy(kept.begin(), kept.end(), coords);
  return static_cast<int64_t>(kept.size() / 4);
}

void FloorToCells(const float* points, int64_t n, const int32_t* stride, int32_t* cells) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t axis = 0; axis < 3; ++axis) {
      const auto step = static_cast<float>(stride[axis]);
      const float cell = std::floor(points[4 * i + axis] / step) * step;
      cells[4 * i + axis] = static_cast<int32_t>(cell);
    }
    cells[4 * i + 3] = static_cast<int32_t>(points[4 * i + 3]);
  }
}

}  // namespace voxbit::kernels
