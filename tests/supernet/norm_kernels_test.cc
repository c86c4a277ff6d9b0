#include "supernet/kernels/norm/norm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/rng.h"

namespace voxbit::kernels {
namespace {

std::vector<float> NormalValues(int64_t n, Rng& rng) {
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = static_cast<float>(rng.Normal());
  return values;
}

TEST(NormKernelsTest, MergedMomentsAreThoseOfAllRows) {
  Rng rng(5);
  const int64_t rows = 1000;
  const int64_t channels = 7;
  std::vector<float> x = NormalValues(rows * channels, rng);
  for (float& value : x) value += 100.0F;  // a mean far from zero must not cost precision
  for (const Isa isa : {Isa::kRef, Isa::kAvx2}) {
    if (!IsaAvailable(isa)) continue;
    std::vector<double> mean(7);
    std::vector<double> squares(7);
    for (int64_t begin = 0; begin < rows; begin += 96) {
      const int64_t end = std::min(rows, begin + 96);
      std::vector<float> block_mean(7);
      std::vector<float> block_squares(7);
      NormKernelsFor(isa).moments(x.data(), channels, begin, end, block_mean.data(),
                                  block_squares.data());
      MergeMoments(channels, begin, mean.data(), squares.data(), end - begin, block_mean.data(),
                   block_squares.data());
    }
    for (size_t c = 0; c < 7; ++c) {
      double expected_mean = 0;
      for (size_t r = 0; r < 1000; ++r) expected_mean += x[7 * r + c] / 1000.0;
      double expected_squares = 0;
      for (size_t r = 0; r < 1000; ++r) {
        expected_squares += (x[7 * r + c] - expected_mean) * (x[7 * r + c] - expected_mean);
      }
      EXPECT_NEAR(mean[c], expected_mean, 1e-4) << IsaName(isa);
      EXPECT_NEAR(squares[c], expected_squares, 1e-3 * expected_squares) << IsaName(isa);
    }
  }
}

TEST(NormKernelsTest, InstructionSetsAgree) {
  if (!IsaAvailable(Isa::kAvx2)) return;
  Rng rng(6);
  const NormKernels& ref = NormKernelsFor(Isa::kRef);
  const NormKernels& fast = NormKernelsFor(Isa::kAvx2);
  for (const int64_t channels : {1, 3, 8, 13, 32}) {
    const int64_t rows = 37;
    const auto x = NormalValues(rows * channels, rng);
    const auto residual = NormalValues(rows * channels, rng);
    const auto scale = NormalValues(channels, rng);
    const auto shift = NormalValues(channels, rng);
    for (const bool relu : {false, true}) {
      for (const float* other : {static_cast<const float*>(nullptr), residual.data()}) {
        std::vector<float> a(x.size());
        std::vector<float> b(x.size());
        ref.apply(x.data(), scale.data(), shift.data(), other, relu, channels, 0, rows, a.data());
        fast.apply(x.data(), scale.data(), shift.data(), other, relu, channels, 0, rows, b.data());
        for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-5);
        const auto n = static_cast<size_t>(channels);
        std::vector<float> masked_a(x.size());
        std::vector<float> masked_b(x.size());
        std::vector<float> sum_a(n);
        std::vector<float> sum_b(n);
        std::vector<float> dot_a(n);
        std::vector<float> dot_b(n);
        // Both see the same y: near a tie the two would mask differently.
        ref.backward_sums(residual.data(), a.data(), x.data(), shift.data(), relu, channels, 0,
                          rows, masked_a.data(), sum_a.data(), dot_a.data());
        fast.backward_sums(residual.data(), a.data(), x.data(), shift.data(), relu, channels, 0,
                           rows, masked_b.data(), sum_b.data(), dot_b.data());
        EXPECT_EQ(masked_a, masked_b);
        for (size_t c = 0; c < n; ++c) {
          ASSERT_NEAR(sum_a[c], sum_b[c], 1e-4);
          ASSERT_NEAR(dot_a[c], dot_b[c], 1e-3);
        }
      }
    }
  }
}

}  // namespace
}  // namespace voxbit::kernels
