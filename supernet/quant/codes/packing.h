// The bit stream of packed codes: what an exported file holds.
#pragma once

#include <cstdint>

namespace voxbit::quant {

// Bytes of `num` codes of `bits` bits; the last byte may have unused bits.
// Requires: num >= 0; bits 1 to 8 or 16.
int64_t PackedBytes(int64_t num, int64_t bits);

// Packs codes without gaps. Code i occupies the bits [i * bits, (i + 1) * bits) of the stream, its
// lowest bit first; bit j of the stream is bit j % 8 of byte j / 8 (little-endian throughout).
//   codes  [num], each below 2^bits
//   bytes  [PackedBytes(num, bits)]; unused bits of the last byte become 0
// Requires: bits 1 to 8 or 16. O(num).
void PackCodes(const uint16_t* codes, int64_t num, int64_t bits, uint8_t* bytes);

// The inverse. Reads PackedBytes(num, bits) bytes and no more.
void UnpackCodes(const uint8_t* bytes, int64_t num, int64_t bits, uint16_t* codes);

}  // namespace voxbit::quant
