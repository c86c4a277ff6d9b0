#include "search/agents/truncated_normal.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace voxbit::rl {
namespace {

double Cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

TEST(InverseNormalCdfTest, KnownValues) {
  EXPECT_EQ(InverseNormalCdf(0.5), 0);
  EXPECT_NEAR(InverseNormalCdf(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(InverseNormalCdf(0.001), -3.090232306167814, 1e-12);
  EXPECT_NEAR(InverseNormalCdf(1e-10), -6.361340902404056, 1e-11);
  EXPECT_EQ(InverseNormalCdf(0), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(InverseNormalCdf(1), std::numeric_limits<double>::infinity());
}

TEST(InverseNormalCdfTest, InvertsTheDistributionFunction) {
  for (double p = 1e-300; p < 0.5; p *= 3) {
    EXPECT_NEAR(Cdf(InverseNormalCdf(p)) / p, 1, 1e-10) << p;
  }
  for (int i = 1; i < 1000; ++i) {
    const double p = i / 1000.0;
    EXPECT_NEAR(Cdf(InverseNormalCdf(p)), p, 1e-15);
    EXPECT_NEAR(InverseNormalCdf(p), -InverseNormalCdf(1 - p), 1e-12);
  }
}

TEST(TruncatedNormalTest, QuantilesRiseWithinTheUnitInterval) {
  for (const double mean : {0.0, 0.02, 0.5, 0.97, 1.0}) {
    for (const double sigma : {0.5, 0.1, 0.01, 1e-6}) {
      double last = 0;
      for (int i = 0; i <= 100; ++i) {
        const double value = TruncatedNormalQuantile(mean, sigma, i / 100.0);
        EXPECT_GE(value, last) << mean << " " << sigma << " " << i;
        EXPECT_LE(value, 1);
        last = value;
      }
    }
  }
}

TEST(TruncatedNormalTest, EndsAreTheBounds) {
  for (const double mean : {0.0, 0.3, 0.5, 1.0}) {
    EXPECT_EQ(TruncatedNormalQuantile(mean, 0.5, 0), 0);
    EXPECT_EQ(TruncatedNormalQuantile(mean, 0.5, 1), 1);
  }
}

TEST(TruncatedNormalTest, IsSymmetric) {
  for (int i = 0; i <= 20; ++i) {
    const double quantile = i / 20.0;
    EXPECT_NEAR(TruncatedNormalQuantile(0.2, 0.3, quantile),
                1 - TruncatedNormalQuantile(0.8, 0.3, 1 - quantile), 1e-12);
  }
}

TEST(TruncatedNormalTest, WithoutNoiseItIsTheMean) {
  EXPECT_EQ(TruncatedNormalQuantile(0.3, 0, 0.9), 0.3);
}

TEST(TruncatedNormalTest, DrawsHaveTheMeanOfTheDistribution) {
  // Mean of N(1, 0.5^2) cut to [0, 1]: 1 - 0.5 * (phi(0) - phi(2)) / (Phi(2) - Phi(0)).
  Rng rng(1);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) sum += DrawTruncatedNormal(1, 0.5, rng);
  EXPECT_NEAR(sum / 100'000, 0.638611, 0.003);  // four standard errors
}

}  // namespace
}  // namespace voxbit::rl
