// Bytes of a stored layer, scales and codebooks included: the size that a search may promise is the
// size that an export has.
#pragma once

#include <cstdint>

namespace voxbit::quant {

// Widths that a layer may have: 1 to 8, 16 and 32 bits.
bool IsWidth(int64_t bits);

// Codes with a float32 scale for each of `num_scales` groups, and a float32 zero point for each
// where `has_zeros`. 32 bits: float32 values and nothing else.
int64_t LinearBytes(int64_t num_values, int64_t bits, int64_t num_scales, bool has_zeros);

// Codes and a float32 codebook of min(2^bits, num_values) entries, or of `num_centroids` where it
// is not negative. 16 and 32 bits: float16 and float32 values without a codebook.
int64_t CodebookBytes(int64_t num_values, int64_t bits, int64_t num_centroids = -1);

// As CodebookBytes for a layer of which only `num_kept` values are not pruned: codes of those and
// one bit for each value that says whether it is.
int64_t PrunedCodebookBytes(int64_t num_values, int64_t num_kept, int64_t bits,
                            int64_t num_centroids = -1);

}  // namespace voxbit::quant
