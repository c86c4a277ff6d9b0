#include "supernet/kernels/kernel_map/kernel_map.h"

#include <algorithm>
#include <array>
#include <vector>

#include "supernet/kernels/voxelize/voxelize.h"

namespace voxbit::kernels {
namespace {

int32_t FloorDiv(int32_t a, int32_t b) {
  const int32_t quotient = a / b;
  return quotient * b > a ? quotient - 1 : quotient;
}

// c floored to a multiple of `step`.
int32_t FloorTo(int32_t c, int32_t step) { return FloorDiv(c, step) * step; }

bool UsesFloorRule(const ConvGeometry& geometry) {
  for (int axis = 0; axis < 3; ++axis) {
    if (geometry.stride[axis] != 1 && geometry.stride[axis] != geometry.kernel[axis]) return false;
  }
  return true;
}

// Appends every output coordinate that some offset of `coord` reaches.
void AppendReached(const int32_t* coord, const std::vector<int32_t>& offsets,
                   const std::array<int32_t, 3>& step, const std::array<int32_t, 3>& minimum,
                   int32_t* out, int64_t* count) {
  for (size_t k = 0; k + 2 < offsets.size(); k += 3) {
    std::array<int32_t, 3> q{};
    bool inside = true;
    for (size_t axis = 0; axis < 3; ++axis) {
      q[axis] = coord[axis] + offsets[k + axis];
      inside = inside && q[axis] >= minimum[axis] && FloorTo(q[axis], step[axis]) == q[axis];
    }
    if (!inside) continue;
    int32_t* row = out + 4 * (*count)++;
    std::copy(q.begin(), q.end(), row);
    row[3] = coord[3];
  }
}

}  // namespace

int64_t KernelVolume(const ConvGeometry& geometry) {
  return int64_t{geometry.kernel[0]} * geometry.kernel[1] * geometry.kernel[2];
}

void KernelOffsets(const ConvGeometry& geometry, int32_t* offsets) {
  const int32_t* size = geometry.kernel;
  const bool odd = KernelVolume(geometry) % 2 == 1;
  const int slowest = odd ? 2 : 0;
  const int fastest = odd ? 0 : 2;
  int64_t k = 0;
  for (int32_t a = 0; a < size[slowest]; ++a) {
    for (int32_t b = 0; b < size[1]; ++b) {
      for (int32_t c = 0; c < size[fastest]; ++c, ++k) {
        std::array<int32_t, 3> digit{};
        digit[static_cast<size_t>(slowest)] = a;
        digit[1] = b;
        digit[static_cast<size_t>(fastest)] = c;
        for (size_t axis = 0; axis < 3; ++axis) {
          const int32_t lowest = -((size[axis] + 1) / 2) + 1;
          offsets[3 * k + static_cast<int64_t>(axis)] =
              (digit[axis] + lowest) * geometry.tensor_stride[axis] * geometry.dilation;
        }
      }
    }
  }
}

int64_t DownsampleCapacity(const ConvGeometry& geometry, int64_t n) {
  return UsesFloorRule(geometry) ? n : n * KernelVolume(geometry);
}

int64_t DownsampleCoords(const ConvGeometry& geometry, const int32_t* coords, int64_t n,
                         int32_t* out) {
  std::array<int32_t, 3> step{};
  for (size_t axis = 0; axis < 3; ++axis) {
    step[axis] = geometry.stride[axis] * geometry.tensor_stride[axis];
  }
  if (n == 0) return 0;
  if (UsesFloorRule(geometry)) {
    for (int64_t i = 0; i < n; ++i) {
      for (size_t axis = 0; axis < 3; ++axis) {
        out[4 * i + static_cast<int64_t>(axis)] =
            FloorTo(coords[4 * i + static_cast<int64_t>(axis)], step[axis]);
      }
      out[4 * i + 3] = coords[4 * i + 3];
    }
    return SortUniqueCoords(out, n);
  }
  std::array<int32_t, 3> minimum = {coords[0], coords[1], coords[2]};
  for (int64_t i = 1; i < n; ++i) {
    for (size_t axis = 0; axis < 3; ++axis) {
      minimum[axis] = std::min(minimum[axis], coords[4 * i + static_cast<int64_t>(axis)]);
    }
  }
  std::vector<int32_t> offsets(static_cast<size_t>(3 * KernelVolume(geometry)));
  KernelOffsets(geometry, offsets.data());
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    AppendReached(coords + 4 * i, offsets, step, minimum, out, &count);
  }
  return SortUniqueCoords(out, count);
}

void FindNeighbours(const CoordTable& table, const int32_t* queries, const int32_t* offset,
                    int64_t begin, int64_t end, int32_t* neighbours) {
  for (int64_t q = begin; q < end; ++q) {
    const int32_t* query = queries + 4 * q;
    const std::array<int32_t, 4> wanted = {query[0] + offset[0], query[1] + offset[1],
                                           query[2] + offset[2], query[3]};
    neighbours[q] = table.Find(wanted.data());
  }
}

int64_t CompactPairs(const int32_t* neighbours, int64_t num_out, int32_t* in_rows,
                     int32_t* out_rows) {
  int64_t count = 0;
  for (int64_t q = 0; q < num_out; ++q) {
    if (neighbours[q] < 0) continue;
    if (in_rows != nullptr) {
      in_rows[count] = neighbours[q];
      out_rows[count] = static_cast<int32_t>(q);
    }
    ++count;
  }
  return count;
}

void SortPairsByInput(const int32_t* in_rows, const int32_t* out_rows, int64_t n, int64_t num_in,
                      int32_t* sorted_in, int32_t* sorted_out) {
  if (std::is_sorted(in_rows, in_rows + n)) {  // sorted coordinates on both sides
    std::copy(in_rows, in_rows + n, sorted_in);
    std::copy(out_rows, out_rows + n, sorted_out);
    return;
  }
  std::vector<int32_t> out_of_in(static_cast<size_t>(num_in), -1);
  for (int64_t i = 0; i < n; ++i) out_of_in[static_cast<size_t>(in_rows[i])] = out_rows[i];
  int64_t count = 0;
  for (size_t p = 0; p < out_of_in.size(); ++p) {
    if (out_of_in[p] < 0) continue;
    sorted_in[count] = static_cast<int32_t>(p);
    sorted_out[count++] = out_of_in[p];
  }
}

}  // namespace voxbit::kernels
