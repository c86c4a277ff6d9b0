#include "supernet/kernels/sparse_conv/sparse_conv.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "common/rng.h"

namespace voxbit::kernels {
namespace {

std::vector<float> RandomValues(int64_t n, Rng& rng) {
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = static_cast<float>(rng.Uniform(-1.0, 1.0));
  return values;
}

// A random kernel map: each pair present with some probability, gather rows distinct per offset.
struct Problem {
  int64_t rows = 0;
  int64_t offsets = 0;
  int64_t in = 0;
  int64_t out = 0;
  std::vector<int64_t> starts;
  std::vector<int32_t> gather;
  std::vector<int32_t> scatter;
  std::vector<float> x;
  std::vector<float> weight;
  std::vector<float> packed;
  std::vector<float> bias;

  ConvPairs Pairs() const { return {offsets, starts.data(), gather.data(), scatter.data()}; }
};

Problem MakeProblem(int64_t rows, int64_t offsets, int64_t in, int64_t out, Rng& rng) {
  Problem p;
  p.rows = rows;
  p.offsets = offsets;
  p.in = in;
  p.out = out;
  p.starts.push_back(0);
  for (int64_t k = 0; k < offsets; ++k) {
    for (int64_t r = 0; r < rows; ++r) {
      if (!rng.Bernoulli(0.6)) continue;
      p.scatter.push_back(static_cast<int32_t>(r));
      p.gather.push_back(static_cast<int32_t>((r * 7 + k) % rows));
    }
    p.starts.push_back(static_cast<int64_t>(p.scatter.size()));
  }
  p.x = RandomValues(rows * in, rng);
  p.weight = RandomValues(offsets * in * out, rng);
  p.bias = RandomValues(out, rng);
  WeightView view;
  view.data = p.weight.data();
  view.num_offsets = offsets;
  view.stride_k = in * out;
  view.stride_in = out;
  view.stride_out = 1;
  view.in = {in, in, 0};
  view.out = {out, out, 0};
  p.packed.resize(static_cast<size_t>(PackedSize(offsets, in, out)));
  PackWeights(view, 0, offsets, p.packed.data());
  return p;
}

// The definition, in double.
std::vector<double> Expected(const Problem& p) {
  std::vector<double> y(static_cast<size_t>(p.rows * p.out));
  for (int64_t r = 0; r < p.rows; ++r) {
    for (int64_t o = 0; o < p.out; ++o) {
      y[static_cast<size_t>(r * p.out + o)] = p.bias[static_cast<size_t>(o)];
    }
  }
  for (int64_t k = 0; k < p.offsets; ++k) {
    for (auto e = static_cast<size_t>(p.starts[static_cast<size_t>(k)]);
         e < static_cast<size_t>(p.starts[static_cast<size_t>(k + 1)]); ++e) {
      for (int64_t i = 0; i < p.in; ++i) {
        for (int64_t o = 0; o < p.out; ++o) {
          y[static_cast<size_t>(p.scatter[e] * p.out + o)] +=
              static_cast<double>(p.x[static_cast<size_t>(p.gather[e] * p.in + i)]) *
              p.weight[static_cast<size_t>((k * p.in + i) * p.out + o)];
        }
      }
    }
  }
  return y;
}

std::vector<Isa> AvailableIsas() {
  std::vector<Isa> isas = {Isa::kRef};
  if (IsaAvailable(Isa::kAvx2)) isas.push_back(Isa::kAvx2);
  return isas;
}

constexpr float kUntouched = 12345.0F;

TEST(ConvKernelsTest, RowsMatchTheDefinitionOverAGridOfShapes) {
  Rng rng(11);
  for (const Isa isa : AvailableIsas()) {
    for (const int64_t rows : {1, 2, 5, 13, 70}) {
      for (const int64_t in : {1, 3, 8, 17}) {
        for (const int64_t out : {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 23, 24, 28, 33, 48}) {
          const Problem p = MakeProblem(rows, 3, in, out, rng);
          const std::vector<double> expected = Expected(p);
          // A wider row than `out`: what lies behind the last channel must stay as it is.
          const int64_t ldy = out + 3;
          std::vector<float> y(static_cast<size_t>(rows * ldy), kUntouched);
          ConvKernelsFor(isa).rows(p.Pairs(), p.x.data(), in, p.packed.data(), in, out,
                                   p.bias.data(), y.data(), ldy, 0, rows);
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t o = 0; o < out; ++o) {
              // float32 sums of at most 3 * 17 products of size one.
              ASSERT_NEAR(y[static_cast<size_t>(r * ldy + o)],
                          expected[static_cast<size_t>(r * out + o)], 2e-5)
                  << IsaName(isa) << " rows " << rows << " in " << in << " out " << out;
            }
            for (int64_t o = out; o < ldy; ++o) {
              ASSERT_EQ(y[static_cast<size_t>(r * ldy + o)], kUntouched)
                  << IsaName(isa) << " wrote beyond channel " << out;
            }
          }
        }
      }
    }
  }
}

TEST(ConvKernelsTest, ResultDoesNotDependOnHowRowsAreDivided) {
  Rng rng(12);
  const Problem p = MakeProblem(97, 27, 12, 20, rng);
  for (const Isa isa : AvailableIsas()) {
    std::vector<float> whole(static_cast<size_t>(p.rows * p.out));
    std::vector<float> pieces(whole.size());
    const auto& rows = ConvKernelsFor(isa).rows;
    rows(p.Pairs(), p.x.data(), p.in, p.packed.data(), p.in, p.out, nullptr, whole.data(), p.out, 0,
         p.rows);
    for (int64_t begin = 0; begin < p.rows; begin += 10) {
      rows(p.Pairs(), p.x.data(), p.in, p.packed.data(), p.in, p.out, nullptr, pieces.data(), p.out,
           begin, std::min(p.rows, begin + 10));
    }
    EXPECT_EQ(whole, pieces) << IsaName(isa);
  }
}

TEST(ConvKernelsTest, IdentityPairsAreAMatrixProduct) {
  Rng rng(13);
  Problem p = MakeProblem(9, 1, 5, 11, rng);
  p.starts = {0, 9};
  p.gather.clear();
  p.scatter.clear();
  for (int32_t r = 0; r < 9; ++r) {
    p.gather.push_back(r);
    p.scatter.push_back(r);
  }
  const std::vector<double> expected = Expected(p);
  for (const Isa isa : AvailableIsas()) {
    std::vector<float> y(expected.size());
    ConvKernelsFor(isa).rows(ConvPairs(), p.x.data(), p.in, p.packed.data(), p.in, p.out,
                             p.bias.data(), y.data(), p.out, 0, p.rows);
    for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-5) << IsaName(isa);
  }
}

// A strided convolution may reach no output at all; its empty lists are null pointers.
TEST(ConvKernelsTest, MapWithoutPairsGivesTheBias) {
  const std::vector<int64_t> starts = {0, 0};
  const std::vector<float> x = {1, 1};
  const std::vector<float> packed(static_cast<size_t>(PackedSize(1, 1, 2)), 1.0F);
  const std::vector<float> bias = {3, 4};
  for (const Isa isa : AvailableIsas()) {
    std::vector<float> y(4, kUntouched);
    ConvKernelsFor(isa).rows({1, starts.data(), nullptr, nullptr}, x.data(), 1, packed.data(), 1, 2,
                             bias.data(), y.data(), 2, 0, 2);
    EXPECT_EQ(y, (std::vector<float>{3, 4, 3, 4})) << IsaName(isa);
  }
}

TEST(ConvKernelsTest, WeightGradientMatchesTheDefinitionOverAGridOfShapes) {
  Rng rng(14);
  for (const Isa isa : AvailableIsas()) {
    for (const int64_t pairs : {0, 1, 7, 64, 65, 200}) {
      for (const int64_t in : {1, 4, 6, 7, 9, 19}) {
        for (const int64_t out : {1, 3, 4, 8, 11, 16, 18, 24, 31}) {
          const std::vector<float> x = RandomValues((pairs + 1) * in, rng);
          const std::vector<float> dy = RandomValues((pairs + 1) * out, rng);
          std::vector<int32_t> gather;
          std::vector<int32_t> scatter;
          for (int64_t e = 0; e < pairs; ++e) {
            gather.push_back(static_cast<int32_t>(pairs - e));
            scatter.push_back(static_cast<int32_t>(e));
          }
          const int64_t ldw = out + 2;
          std::vector<float> dw(static_cast<size_t>(in * ldw), 1.0F);
          ConvKernelsFor(isa).weight_grad(gather.data(), scatter.data(), pairs, x.data(), in,
                                          dy.data(), out, in, out, dw.data(), ldw);
          for (int64_t i = 0; i < in; ++i) {
            for (int64_t o = 0; o < ldw; ++o) {
              double expected = 1.0;  // accumulates onto what was there
              for (int64_t e = 0; o < out && e < pairs; ++e) {
                expected += static_cast<double>(x[static_cast<size_t>((pairs - e) * in + i)]) *
                            dy[static_cast<size_t>(e * out + o)];
              }
              ASSERT_NEAR(dw[static_cast<size_t>(i * ldw + o)], expected, 1e-4)
                  << IsaName(isa) << " pairs " << pairs << " in " << in << " out " << out;
            }
          }
        }
      }
    }
  }
}

// The slice of an up stage: rows {0, 1} and {4, 5} of six input rows, three of five columns.
TEST(PackWeightsTest, TakesTheTwoSegmentsOfAConcatenatedInput) {
  std::vector<float> weight(30);
  for (size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<float>(i);
  WeightView view;
  view.data = weight.data();
  view.stride_k = 30;
  view.stride_in = 5;
  view.stride_out = 1;
  view.in = {4, 2, 4};
  view.out = {3, 3, 0};
  std::vector<float> packed(static_cast<size_t>(PackedSize(1, 4, 3)), kUntouched);
  PackWeights(view, 0, 1, packed.data());
  const std::vector<float> rows = {0, 5, 20, 25};
  for (size_t i = 0; i < 4; ++i) {
    for (size_t c = 0; c < 8; ++c) {
      EXPECT_EQ(packed[8 * i + c], c < 3 ? rows[i] + static_cast<float>(c) : 0.0F);
    }
  }
}

}  // namespace
}  // namespace voxbit::kernels
