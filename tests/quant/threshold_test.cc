// Histograms of magnitudes and the thresholds taken from them.
#include "supernet/quant/codes/threshold.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "tests/quant/normal_values.h"

namespace voxbit::quant {
namespace {

TEST(ThresholdTest, HistogramCountsEveryValueOnce) {
  const std::vector<float> values = Normal(1000, 3);
  const MagnitudeHistogram histogram = HistogramOfMagnitudes(values);
  ASSERT_EQ(histogram.edges.size(), histogram.counts.size() + 1);
  EXPECT_GE(histogram.counts.size(), 32U);  // sqrt(1000), a little more for the smallest value
  EXPECT_LE(histogram.counts.size(), 33U);
  EXPECT_EQ(std::accumulate(histogram.counts.begin(), histogram.counts.end(), int64_t{0}), 1000);
  for (size_t bin = 0; bin < histogram.counts.size(); ++bin) {
    int64_t inside = 0;
    for (const float value : values) {
      const bool is_last = bin + 1 == histogram.counts.size();
      const float magnitude = std::abs(value);
      inside +=
          magnitude >= histogram.edges[bin] && (magnitude < histogram.edges[bin + 1] ||
                                                (is_last && magnitude == histogram.edges[bin + 1]));
    }
    EXPECT_EQ(inside, histogram.counts[bin]) << bin;
  }
}

TEST(ThresholdTest, ZerosGiveZeroAndConstantsTheirValue) {
  EXPECT_EQ(KlThreshold(std::vector<float>{}, 4), 0);
  EXPECT_EQ(KlThreshold(std::vector<float>(10, 0.0F), 4), 0);
  EXPECT_EQ(KlThreshold(std::vector<float>(10, -2.5F), 4), 2.5);
}

TEST(ThresholdTest, FewerBinsThanLevelsKeepTheLargestMagnitude) {
  const std::vector<float> values = {0.1F, -0.4F, 0.9F, 2.0F, -1.5F};
  for (int64_t bits = 4; bits <= 8; ++bits) EXPECT_EQ(KlThreshold(values, bits), 2.0);
}

TEST(ThresholdTest, MoreBitsNeedLessClipping) {
  const std::vector<float> values = Normal(4000, 5);
  double previous = 0;
  for (int64_t bits = 1; bits <= 5; ++bits) {
    const double threshold = KlThreshold(values, bits);
    EXPECT_GT(threshold, previous) << bits;
    previous = threshold;
  }
}

// The published code returns its first candidate here, a quarter of the smallest value.
TEST(ThresholdTest, EmptyFirstBinsDoNotMakeTheThresholdCollapse) {
  std::vector<float> values;
  values.reserve(500);
  Rng rng(11);
  for (int i = 0; i < 500; ++i) values.push_back(static_cast<float>(rng.Uniform(1, 2)));
  for (int64_t bits = 1; bits <= 4; ++bits) {
    const double threshold = KlThreshold(values, bits);
    EXPECT_GT(threshold, 1.0) << bits;
    EXPECT_LT(threshold, 2.1) << bits;
  }
}

TEST(ThresholdTest, ValuesFarFromZeroDoNotMakeMillionsOfBins) {
  std::vector<float> values;
  values.reserve(1000);
  for (int i = 0; i < 1000; ++i) values.push_back(1000 + 1e-3F * static_cast<float>(i));
  EXPECT_EQ(HistogramOfMagnitudes(values).counts.size(), 4096U);
}

}  // namespace
}  // namespace voxbit::quant
