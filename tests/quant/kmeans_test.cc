// One-dimensional k-means against its definition.
#include "supernet/quant/codes/kmeans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "tests/quant/normal_values.h"

namespace voxbit::quant {
namespace {

double Distance(float value, float centroid) { return std::abs(double{value} - double{centroid}); }

double InertiaOf(const std::vector<float>& values, const Clusters& clusters) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const float centroid = clusters.centroids[static_cast<size_t>(clusters.labels[i])];
    sum += std::pow(Distance(values[i], centroid), 2);
  }
  return sum;
}

void ExpectMeansWithMembers(const std::vector<float>& values, const Clusters& clusters) {
  ASSERT_EQ(clusters.labels.size(), values.size());
  EXPECT_TRUE(std::is_sorted(clusters.centroids.begin(), clusters.centroids.end()));
  for (size_t j = 0; j < clusters.centroids.size(); ++j) {
    double sum = 0;
    double count = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      if (clusters.labels[i] != static_cast<int32_t>(j)) continue;
      sum += values[i];
      count += 1;
    }
    ASSERT_GT(count, 0) << "cluster " << j;
    // Both means are in double; float32 rounding of the centroid is all that may differ.
    EXPECT_NEAR(clusters.centroids[j], sum / count, 1e-7 * std::max(1.0, std::abs(sum / count)));
  }
  EXPECT_NEAR(clusters.inertia, InertiaOf(values, clusters), 1e-9 * (1 + clusters.inertia));
}

void ExpectNearest(const std::vector<float>& values, const Clusters& clusters) {
  for (size_t i = 0; i < values.size(); ++i) {
    double nearest = std::numeric_limits<double>::infinity();
    for (const float centroid : clusters.centroids) {
      nearest = std::min(nearest, Distance(values[i], centroid));
    }
    const float own = clusters.centroids[static_cast<size_t>(clusters.labels[i])];
    ASSERT_EQ(Distance(values[i], own), nearest) << i;
  }
}

// Least inertia of k clusters, by dynamic programming over the sorted values.
double OptimalInertia(std::vector<float> values, int64_t k) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  std::vector<double> sum(n + 1);
  std::vector<double> square(n + 1);
  for (size_t i = 0; i < n; ++i) {
    sum[i + 1] = sum[i] + values[i];
    square[i + 1] = square[i] + double{values[i]} * values[i];
  }
  std::vector<double> best(n + 1, std::numeric_limits<double>::infinity());
  best[0] = 0;
  for (int64_t j = 0; j < k; ++j) {
    std::vector<double> next(n + 1, std::numeric_limits<double>::infinity());
    next[0] = 0;
    for (size_t end = 1; end <= n; ++end) {
      for (size_t begin = 0; begin < end; ++begin) {
        const double mean = (sum[end] - sum[begin]) / static_cast<double>(end - begin);
        const double cost = square[end] - square[begin] - mean * (sum[end] - sum[begin]);
        next[end] = std::min(next[end], best[begin] + cost);
      }
    }
    best = next;
  }
  return best[n];
}

TEST(KMeansTest, CentroidsAreMeansAndLabelsAreNearest) {
  for (const int64_t k : {1, 2, 3, 4, 7, 16, 64, 256}) {
    const std::vector<float> values = Normal(2000, static_cast<uint64_t>(k));
    const Clusters clusters = ClusterValues(values, k, {}, Rng(1));
    EXPECT_EQ(static_cast<int64_t>(clusters.centroids.size()), k);
    EXPECT_TRUE(clusters.converged);
    ExpectMeansWithMembers(values, clusters);
    ExpectNearest(values, clusters);
  }
}

TEST(KMeansTest, InertiaIsCloseToTheOptimum) {
  const std::vector<float> values = Normal(300, 21);
  for (const int64_t k : {2, 4, 8, 16, 32}) {
    const double best = OptimalInertia(values, k);
    const double ours = ClusterValues(values, k, {}, Rng(2)).inertia;
    EXPECT_GE(ours, best * (1 - 1e-6)) << k;
    EXPECT_LE(ours, best * 1.25) << k;
  }
}

TEST(KMeansTest, ManySeedsStayCloseToEachOther) {
  const std::vector<float> values = Normal(500, 22);
  KMeansSettings one_start;
  one_start.num_starts = 1;
  double least = std::numeric_limits<double>::infinity();
  double most = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const double inertia = ClusterValues(values, 16, one_start, Rng(seed)).inertia;
    least = std::min(least, inertia);
    most = std::max(most, inertia);
  }
  EXPECT_LT(most, 1.5 * least);  // uniform draws give five times the best
}

TEST(KMeansTest, SeedDecidesEverything) {
  const std::vector<float> values = Normal(500, 23);
  const Clusters first = ClusterValues(values, 16, {}, Rng(5));
  const Clusters again = ClusterValues(values, 16, {}, Rng(5));
  EXPECT_EQ(first.centroids, again.centroids);
  EXPECT_EQ(first.labels, again.labels);
  std::set<double> inertias;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    inertias.insert(ClusterValues(values, 16, {}, Rng(seed)).inertia);
  }
  EXPECT_GT(inertias.size(), 1U);
}

TEST(KMeansTest, IterationLimitEndsWithMeansOfTheLastLabels) {
  const std::vector<float> values = Normal(5000, 24);
  KMeansSettings settings;
  settings.max_iterations = 3;
  const Clusters short_run = ClusterValues(values, 64, settings, Rng(6));
  EXPECT_EQ(short_run.num_iterations, 3);
  EXPECT_FALSE(short_run.converged);
  ExpectMeansWithMembers(values, short_run);
  const Clusters full_run = ClusterValues(values, 64, {}, Rng(6));
  EXPECT_LT(full_run.inertia, short_run.inertia);
  settings.max_iterations = 0;
  const Clusters seeds_only = ClusterValues(values, 64, settings, Rng(6));
  ExpectMeansWithMembers(values, seeds_only);
}

TEST(KMeansTest, ToleranceEndsEarlier) {
  const std::vector<float> values = Normal(5000, 25);
  KMeansSettings settings;
  settings.num_starts = 1;
  const Clusters strict = ClusterValues(values, 64, settings, Rng(7));
  settings.tolerance = 1e-4;
  const Clusters loose = ClusterValues(values, 64, settings, Rng(7));
  EXPECT_LT(loose.num_iterations, strict.num_iterations);
  ExpectMeansWithMembers(values, loose);
}

TEST(KMeansTest, FewerDistinctValuesThanClustersAreKeptExactly) {
  const std::vector<float> values = {0.5F, -1, 0.5F, 2, -1, 2, 0.5F};
  for (const int64_t k : {3, 4, 256}) {
    const Clusters clusters = ClusterValues(values, k, {}, Rng(1));
    EXPECT_EQ(clusters.centroids, (std::vector<float>{-1, 0.5F, 2}));
    EXPECT_EQ(clusters.labels, (std::vector<int32_t>{1, 0, 1, 2, 0, 2, 1}));
    EXPECT_EQ(clusters.inertia, 0);
  }
}

TEST(KMeansTest, OneClusterIsTheMean) {
  const Clusters clusters = ClusterValues(std::vector<float>{1, 2, 6}, 1, {}, Rng(1));
  EXPECT_EQ(clusters.centroids, std::vector<float>{3});
  EXPECT_EQ(clusters.labels, (std::vector<int32_t>{0, 0, 0}));
}

TEST(KMeansTest, NoValuesGiveNoCentroids) {
  const Clusters clusters = ClusterValues(std::vector<float>{}, 4, {}, Rng(1));
  EXPECT_TRUE(clusters.centroids.empty());
  EXPECT_TRUE(clusters.labels.empty());
}

TEST(KMeansTest, ConstantValuesAreOneCluster) {
  const Clusters clusters = ClusterValues(std::vector<float>(9, 0.1F), 4, {}, Rng(1));
  EXPECT_EQ(clusters.centroids, std::vector<float>{0.1F});
}

// Clumps far from zero whose width is a few rounding steps: distances from prefix sums are noise.
TEST(KMeansTest, TightClumpsFarFromZeroGiveFullClusters) {
  std::vector<float> values;
  for (const float center : {-1e6F, 1.0F, 1e6F}) {
    float value = center;
    for (int i = 0; i < 20; ++i) {
      values.insert(values.end(), static_cast<size_t>(i % 3 + 1), value);
      value = std::nextafter(value, 2e6F);
    }
  }
  for (const int64_t k : {2, 3, 5, 16, 40, 59}) {
    const Clusters clusters = ClusterValues(values, k, {}, Rng(static_cast<uint64_t>(k)));
    EXPECT_EQ(static_cast<int64_t>(clusters.centroids.size()), k);
    ExpectMeansWithMembers(values, clusters);
    if (clusters.converged) ExpectNearest(values, clusters);
  }
}

TEST(KMeansTest, HeavyTailsAndManyTiesGiveNoEmptyCluster) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed);
    std::vector<float> values;
    for (int i = 0; i < 400; ++i) {
      const double tail = std::pow(rng.Normal(), 5);
      values.push_back(static_cast<float>(i % 2 == 0 ? std::round(tail) : tail));
    }
    const Clusters clusters = ClusterValues(values, 32, {}, rng);
    EXPECT_EQ(clusters.centroids.size(), 32U);
    ExpectMeansWithMembers(values, clusters);
    ExpectNearest(values, clusters);
  }
}

TEST(KMeansTest, NearestCentroidsTakeTheLowerOfTwo) {
  std::vector<int32_t> labels(5);
  const std::vector<float> centroids = {0, 1, 3};
  NearestCentroids(std::vector<float>{-5, 0.5F, 0.6F, 2, 9}, centroids, labels);
  EXPECT_EQ(labels, (std::vector<int32_t>{0, 0, 1, 1, 2}));
}

}  // namespace
}  // namespace voxbit::quant
