// k-means of numbers: Lloyd's iterations on sorted values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/rng.h"

namespace voxbit::quant {

struct KMeansSettings {
  // Lloyd iterations; HAQ takes 3 while it searches and 50 in the end. The default goes on until
  // no value changes its cluster: an iteration costs far less than sorting.
  int64_t max_iterations = 10000;
  // Stop when the squared movement of all centroids is at most this share of the variance of the
  // values. scikit-learn's default is 1e-4; at 0 only unchanged labels end the iterations.
  double tolerance = 0;
  // Independent starts, of which the one with the least inertia is kept. Published: 1.
  int64_t num_starts = 4;
};

struct Clusters {
  std::vector<float> centroids;  // ascending, distinct
  std::vector<int32_t> labels;   // of each value; -1 for a value that belongs to none
  double inertia = 0;            // sum of squared distances to the centroid
  int64_t num_iterations = 0;    // of the start that was kept
  bool converged = false;        // the last iteration changed no label
};

// Clusters of `values`: greedy k-means++ seeding, then Lloyd's iterations. min(num_clusters,
// distinct values) centroids, none without a member, never a NaN. Every centroid is the mean of its
// members, rounded to float32. Where `converged`, every label is that of the nearest centroid (the
// lower one of two); otherwise the labels are nearest to the centroids before the last mean.
//   values  finite; may be empty: no centroids then
// Requires: num_clusters >= 1. Depends on the values, the settings and the seed of `rng` alone.
// O(n log n) for sorting, O(k log n) for an iteration, O(k^2 log k) for the seeds.
// Source: Arthur and Vassilvitskii (2007) for the seeding; scikit-learn 1.2 for the greedy choice
// among 2 + ln k draws, the tolerance, and moving an empty cluster to the worst value.
Clusters ClusterValues(std::span<const float> values, int64_t num_clusters,
                       const KMeansSettings& settings, const Rng& rng);

// Labels of the nearest of the ascending `centroids` (the lower one of two), into labels [n].
// Requires: at least one centroid. O(n log k).
void NearestCentroids(std::span<const float> values, std::span<const float> centroids,
                      std::span<int32_t> labels);

}  // namespace voxbit::quant
