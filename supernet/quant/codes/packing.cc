#include "supernet/quant/codes/packing.h"

#include <string>

#include "common/check.h"

namespace voxbit::quant {
namespace {

void CheckBits(int64_t bits) {
  VOXBIT_CHECK((bits >= 1 && bits <= 8) || bits == 16,
               "codes of " + std::to_string(bits) + " bits cannot be packed");
}

}  // namespace

int64_t PackedBytes(int64_t num, int64_t bits) {
  CheckBits(bits);
  return (num * bits + 7) / 8;
}

void PackCodes(const uint16_t* codes, int64_t num, int64_t bits, uint8_t* bytes) {
  CheckBits(bits);
  // At most 7 bits wait in `pending` before a code of at most 16 joins them.
  uint32_t pending = 0;
  int64_t filled = 0;
  for (int64_t i = 0; i < num; ++i) {
    pending |= uint32_t{codes[i]} << filled;
    filled += bits;
    for (; filled >= 8; filled -= 8) {
      *bytes++ = static_cast<uint8_t>(pending & 0xFFU);
      pending >>= 8U;
    }
  }
  if (filled > 0) *bytes = static_cast<uint8_t>(pending & 0xFFU);
}

void UnpackCodes(const uint8_t* bytes, int64_t num, int64_t bits, uint16_t* codes) {
  CheckBits(bits);
  const uint32_t mask = (uint32_t{1} << bits) - 1;
  uint32_t pending = 0;
  int64_t filled = 0;
  for (int64_t i = 0; i < num; ++i) {
    for (; filled < bits; filled += 8) pending |= uint32_t{*bytes++} << filled;
    codes[i] = static_cast<uint16_t>(pending & mask);
    pending >>= bits;
    filled -= bits;
  }
}

}  // namespace voxbit::quant
