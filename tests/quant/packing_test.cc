// Packed codes and the sizes that searches promise.
#include "supernet/quant/codes/packing.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/rng.h"
#include "supernet/quant/codes/sizes.h"

namespace voxbit::quant {
namespace {

constexpr int64_t kWidths[] = {1, 2, 3, 4, 5, 6, 7, 8, 16};

TEST(PackingTest, EveryWidthAndTailComesBack) {
  for (const int64_t bits : kWidths) {
    for (int64_t num = 0; num <= 40; ++num) {
      Rng rng = Rng(7).Fork("codes", static_cast<uint64_t>(100 * bits + num));
      std::vector<uint16_t> codes(static_cast<size_t>(num));
      for (uint16_t& code : codes) code = static_cast<uint16_t>(rng.Below(int64_t{1} << bits));
      const int64_t size = PackedBytes(num, bits);
      EXPECT_EQ(size, (num * bits + 7) / 8);
      // One byte more on both sides, which must not be touched.
      std::vector<uint8_t> bytes(static_cast<size_t>(size) + 2, 0xA5);
      PackCodes(codes.data(), num, bits, bytes.data() + 1);
      EXPECT_EQ(bytes.front(), 0xA5);
      EXPECT_EQ(bytes.back(), 0xA5);
      // A copy of the exact size: reading beyond it is an error under the sanitizer.
      const std::vector<uint8_t> exact(bytes.begin() + 1, bytes.end() - 1);
      std::vector<uint16_t> back(codes.size() + 1, 0x5A5A);
      UnpackCodes(exact.data(), num, bits, back.data());
      EXPECT_EQ(back.back(), 0x5A5A);
      back.pop_back();
      EXPECT_EQ(back, codes) << bits << " bits, " << num << " codes";
    }
  }
}

TEST(PackingTest, LargestCodesFillEveryBit) {
  for (const int64_t bits : kWidths) {
    const std::vector<uint16_t> codes(8, static_cast<uint16_t>((1U << bits) - 1));
    std::vector<uint8_t> bytes(static_cast<size_t>(PackedBytes(8, bits)));
    PackCodes(codes.data(), 8, bits, bytes.data());
    for (const uint8_t byte : bytes) EXPECT_EQ(byte, 0xFF) << bits;
  }
}

TEST(PackingTest, FirstCodeHasTheLowestBits) {
  const std::vector<uint16_t> codes = {1, 2, 7, 0, 5};
  std::vector<uint8_t> bytes(2);
  PackCodes(codes.data(), 5, 3, bytes.data());
  // From the lowest bit: 100 010 11 | 1 000 101 0.
  EXPECT_EQ(bytes, (std::vector<uint8_t>{0b11010001, 0b01010001}));
  const std::vector<uint16_t> wide = {0x1234, 0xABCD};
  bytes.resize(4);
  PackCodes(wide.data(), 2, 16, bytes.data());
  EXPECT_EQ(bytes, (std::vector<uint8_t>{0x34, 0x12, 0xCD, 0xAB}));
}

TEST(PackingTest, UnusedBitsAreZero) {
  const std::vector<uint16_t> codes = {7};
  std::vector<uint8_t> bytes = {0xFF};
  PackCodes(codes.data(), 1, 3, bytes.data());
  EXPECT_EQ(bytes[0], 7);
}

TEST(SizesTest, ScalesAndCodebooksCount) {
  EXPECT_EQ(LinearBytes(1000, 4, 1, false), 500 + 4);
  EXPECT_EQ(LinearBytes(1000, 3, 10, false), 375 + 40);
  EXPECT_EQ(LinearBytes(1000, 8, 10, true), 1000 + 80);
  EXPECT_EQ(LinearBytes(1000, 16, 1, false), 2004);
  EXPECT_EQ(LinearBytes(1000, 32, 1, true), 4000);
  EXPECT_EQ(LinearBytes(0, 4, 1, false), 4);
  // 3 -> 512 at 8 bits: two thirds more than the codes alone.
  EXPECT_EQ(CodebookBytes(1536, 8), 1536 + 1024);
  EXPECT_EQ(CodebookBytes(1536, 2), 384 + 16);
  EXPECT_EQ(CodebookBytes(5, 4), 3 + 20);
  EXPECT_EQ(CodebookBytes(1000, 4, 3), 500 + 12);
  EXPECT_EQ(CodebookBytes(1000, 16), 2000);
  EXPECT_EQ(CodebookBytes(1000, 32), 4000);
  EXPECT_EQ(PrunedCodebookBytes(1000, 100, 4), 125 + 50 + 64);
  EXPECT_EQ(PrunedCodebookBytes(1000, 0, 4), 125);
  EXPECT_EQ(PrunedCodebookBytes(1000, 100, 32), 4000);
}

TEST(SizesTest, WidthsOfLayers) {
  std::string known;
  for (int64_t bits = -1; bits <= 64; ++bits) {
    if (IsWidth(bits)) known += std::to_string(bits) + " ";
  }
  EXPECT_EQ(known, "1 2 3 4 5 6 7 8 16 32 ");
}

}  // namespace
}  // namespace voxbit::quant
