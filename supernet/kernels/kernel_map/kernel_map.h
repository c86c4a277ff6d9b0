// Which input voxel meets which output voxel under which kernel offset.
#pragma once

#include <cstdint>

#include "supernet/kernels/coords/coord_table.h"

namespace voxbit::kernels {

// Geometry of a sparse convolution. Plain numbers per axis x, y, z.
struct ConvGeometry {
  int32_t kernel[3] = {3, 3, 3};
  int32_t stride[3] = {1, 1, 1};         // of the convolution
  int32_t tensor_stride[3] = {1, 1, 1};  // of its input
  int32_t dilation = 1;
};

// kernel[0] * kernel[1] * kernel[2].
int64_t KernelVolume(const ConvGeometry& geometry);

// Offsets in the order of the weight index: per axis {-ceil(k/2)+1 .. floor(k/2)} times
// tensor_stride times dilation; x fastest for an odd volume, z fastest for an even one.
//   offsets [KernelVolume,3] int32
// Source: torchsparse 1.4 nn/utils/kernel.py; MinkowskiEngine has the same order. Unlike
// torchsparse, the dilation is honoured.
void KernelOffsets(const ConvGeometry& geometry, int32_t* offsets);

// Largest number of rows DownsampleCoords can write.
int64_t DownsampleCapacity(const ConvGeometry& geometry, int64_t n);

// Output coordinates of a strided convolution, sorted by (batch, x, y, z), without repetition.
// When every axis has stride 1 or stride == kernel: floor(c / s) * s with s = stride *
// tensor_stride. Otherwise every c + offset that is a multiple of s and not below the smallest
// input coordinate of its axis.
//   coords [n,4] int32 (x, y, z, batch), multiples of tensor_stride
//   out    [DownsampleCapacity,4]
// Returns the number of output rows. Source: torchsparse 1.4 nn/functional/downsample.py.
int64_t DownsampleCoords(const ConvGeometry& geometry, const int32_t* coords, int64_t n,
                         int32_t* out);

// neighbours[q] = row in `table` of queries[q] + offset, or -1, for q in [begin, end).
//   queries [*,4] int32, offset [3]
void FindNeighbours(const CoordTable& table, const int32_t* queries, const int32_t* offset,
                    int64_t begin, int64_t end, int32_t* neighbours);

// Writes the pairs of one offset in ascending order of output row: in_rows[i] = neighbours[q],
// out_rows[i] = q for every q in [0, num_out) with neighbours[q] >= 0. Returns their number; with
// null outputs only counts.
int64_t CompactPairs(const int32_t* neighbours, int64_t num_out, int32_t* in_rows,
                     int32_t* out_rows);

// The same `n` pairs in ascending order of in_rows, whose values are distinct and below num_in.
void SortPairsByInput(const int32_t* in_rows, const int32_t* out_rows, int64_t n, int64_t num_in,
                      int32_t* sorted_in, int32_t* sorted_out);

}  // namespace voxbit::kernels
