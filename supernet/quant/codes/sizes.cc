#include "supernet/quant/codes/sizes.h"

#include <algorithm>

#include "supernet/quant/codes/packing.h"

namespace voxbit::quant {
namespace {

constexpr int64_t kFloatBytes = 4;
constexpr int64_t kHalfBytes = 2;

}  // namespace

bool IsWidth(int64_t bits) { return (bits >= 1 && bits <= 8) || bits == 16 || bits == 32; }

int64_t LinearBytes(int64_t num_values, int64_t bits, int64_t num_scales, bool has_zeros) {
  if (bits == 32) return num_values * kFloatBytes;
  return PackedBytes(num_values, bits) + num_scales * kFloatBytes * (has_zeros ? 2 : 1);
}

int64_t CodebookBytes(int64_t num_values, int64_t bits, int64_t num_centroids) {
  if (bits == 32) return num_values * kFloatBytes;
  if (bits == 16) return num_values * kHalfBytes;
  if (num_centroids < 0) num_centroids = std::min(int64_t{1} << bits, num_values);
  return PackedBytes(num_values, bits) + num_centroids * kFloatBytes;
}

int64_t PrunedCodebookBytes(int64_t num_values, int64_t num_kept, int64_t bits,
                            int64_t num_centroids) {
  if (bits >= 16) return CodebookBytes(num_values, bits, num_centroids);
  return PackedBytes(num_values, 1) + CodebookBytes(num_kept, bits, num_centroids);
}

}  // namespace voxbit::quant
