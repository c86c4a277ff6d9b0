// Hash of a voxel coordinate as TorchSparse defines it: FNV-1a order on 32-bit words.
#pragma once

#include <cstdint>

namespace voxbit::kernels {

// The unfolded 64-bit hash of one coordinate (x, y, z, batch). The arithmetic is modulo 2^64.
// Source: torchsparse 1.4, backend/hash.
inline uint64_t CoordHash(const int32_t* coord) {
  uint64_t hash = 14695981039346656037ULL;
  for (int axis = 0; axis < 4; ++axis) {
    hash = (hash ^ static_cast<uint32_t>(coord[axis])) * 1099511628211ULL;
  }
  return hash;
}

// The hash folded to 60 bits: never negative as a signed number.
inline uint64_t FoldedCoordHash(const int32_t* coord) {
  const uint64_t hash = CoordHash(coord);
  return (hash >> 60) ^ (hash & ((uint64_t{1} << 60) - 1));
}

}  // namespace voxbit::kernels
