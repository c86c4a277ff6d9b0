#include "supernet/quant/codes/kmeans.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "common/check.h"

namespace voxbit::quant {
namespace {

double Square(double x) { return x * x; }

// Midpoint of two neighbouring centroids, exact in double.
double Midpoint(float low, float high) { return 0.5 * (double{low} + double{high}); }

// The distinct values in ascending order, how often each occurs, and prefix sums of both. Sums are
// of offsets from the mean, so that the digits of a common part are not lost.
struct SortedValues {
  std::vector<float> values;
  std::vector<double> weights;
  std::vector<double> count_before;  // [values + 1]
  std::vector<double> sum_before;    // [values + 1], of weight * (value - center)
  std::vector<double> square_before;
  double center = 0;
  double variance = 0;

  size_t size() const { return values.size(); }
  double Count(size_t begin, size_t end) const { return count_before[end] - count_before[begin]; }
  // Sum of squared distances of the values in [begin, end) to `point`, up to rounding.
  double Cost(size_t begin, size_t end, double point) const {
    const double offset = point - center;
    const double cross = offset * (sum_before[end] - sum_before[begin]);
    const double squares = square_before[end] - square_before[begin];
    return std::max(0.0, squares - 2 * cross + Square(offset) * Count(begin, end));
  }
  // Mean of the values in [begin, end), summed one by one: what members average to, exactly.
  float ExactMean(size_t begin, size_t end) const {
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += weights[i] * double{values[i]};
    return static_cast<float>(sum / Count(begin, end));
  }
  float Mean(size_t begin, size_t end) const {
    // A rounding of the difference must not carry a mean beyond its members.
    const double mean = center + (sum_before[end] - sum_before[begin]) / Count(begin, end);
    return std::clamp(static_cast<float>(mean), values[begin], values[end - 1]);
  }
};

SortedValues Sort(std::span<const float> values) {
  std::vector<float> sorted(values.begin(), values.end());
  for (const float value : sorted) {
    VOXBIT_CHECK(std::isfinite(value), "a value to be clustered is not finite");
  }
  std::sort(sorted.begin(), sorted.end());
  SortedValues out;
  for (const float value : sorted) {
    if (out.values.empty() || value != out.values.back()) {
      out.values.push_back(value);
      out.weights.push_back(0);
    }
    out.weights.back() += 1;
  }
  double sum = 0;
  for (size_t i = 0; i < out.size(); ++i) sum += out.weights[i] * double{out.values[i]};
  const auto num = static_cast<double>(sorted.size());
  out.center = sum / num;
  out.count_before.assign(1, 0.0);
  out.sum_before.assign(1, 0.0);
  out.square_before.assign(1, 0.0);
  for (size_t i = 0; i < out.size(); ++i) {
    const double offset = double{out.values[i]} - out.center;
    out.count_before.push_back(out.count_before.back() + out.weights[i]);
    out.sum_before.push_back(out.sum_before.back() + out.weights[i] * offset);
    out.square_before.push_back(out.square_before.back() + out.weights[i] * Square(offset));
  }
  out.variance = out.square_before.back() / num;
  return out;
}

// Greedy k-means++ over distinct values. The chosen ones are kept sorted: the distances of a gap
// between two of them come from prefix sums, and a new one changes no other gap.
class Seeding {
 public:
  Seeding(const SortedValues& sorted, Rng& rng) : sorted_(sorted), rng_(rng) {
    const double place = rng_.Uniform() * sorted_.count_before.back();
    const auto above =
        std::upper_bound(sorted_.count_before.begin() + 1, sorted_.count_before.end() - 1, place);
    chosen_ = {static_cast<size_t>(above - sorted_.count_before.begin()) - 1};
    potentials_ = {GapOf(0).Potential(sorted_), GapOf(1).Potential(sorted_)};
  }

  // Indices of `num` distinct values. Requires: num <= sorted.size().
  std::vector<size_t> Choose(size_t num) {
    const int64_t trials = 2 + static_cast<int64_t>(std::log(static_cast<double>(num)));
    while (chosen_.size() < num) {
      Candidate best = Draw();
      for (int64_t trial = 1; trial < trials; ++trial) {
        const Candidate other = Draw();
        if (other.gain > best.gain) best = other;
      }
      Insert(best);
    }
    return chosen_;
  }

 private:
  // The values strictly between two chosen ones, or beyond the outermost.
  struct Gap {
    size_t begin = 0;
    size_t end = 0;
    const float* lower = nullptr;
    const float* upper = nullptr;

    // Sum of the distances of the values in [begin, stop) to the nearer end.
    double CostBelow(const SortedValues& sorted, size_t stop) const {
      if (lower == nullptr) return sorted.Cost(begin, stop, *upper);
      if (upper == nullptr) return sorted.Cost(begin, stop, *lower);
      const auto first = sorted.values.begin();
      const auto at =
          std::upper_bound(first + static_cast<std::ptrdiff_t>(begin),
                           first + static_cast<std::ptrdiff_t>(end), Midpoint(*lower, *upper),
                           [](double bound, float value) { return bound < double{value}; });
      const auto middle = static_cast<size_t>(at - first);
      if (stop <= middle) return sorted.Cost(begin, stop, *lower);
      return sorted.Cost(begin, middle, *lower) + sorted.Cost(middle, stop, *upper);
    }
    double Potential(const SortedValues& sorted) const { return CostBelow(sorted, end); }
  };

  struct Candidate {
    size_t index = 0;
    size_t gap = 0;   // between chosen_[gap - 1] and chosen_[gap]
    double gain = 0;  // by how much it lowers the potential
  };

  Gap GapOf(size_t gap) const {
    Gap out{0, sorted_.size(), nullptr, nullptr};
    if (gap > 0) {
      out.begin = chosen_[gap - 1] + 1;
      out.lower = &sorted_.values[chosen_[gap - 1]];
    }
    if (gap < chosen_.size()) {
      out.end = chosen_[gap];
      out.upper = &sorted_.values[chosen_[gap]];
    }
    return out;
  }

  // A gap that holds values, with a probability in proportion to its potential. `place` becomes
  // the share of the draw that is left for the values inside.
  size_t DrawGap(double& place) {
    place = rng_.Uniform() * std::accumulate(potentials_.begin(), potentials_.end(), 0.0);
    size_t largest = 0;
    for (size_t gap = 0; gap < potentials_.size(); ++gap) {
      const Gap range = GapOf(gap);
      if (range.begin == range.end) continue;
      if (place < potentials_[gap]) return gap;
      place -= potentials_[gap];
      const Gap best = GapOf(largest);
      if (range.end - range.begin > best.end - best.begin) largest = gap;
    }
    place = 0;  // nothing but rounding is left of the distances
    return largest;
  }

  // A value that is not chosen yet, with a probability in proportion to its distance.
  Candidate Draw() {
    double place = 0;
    Candidate candidate;
    candidate.gap = DrawGap(place);
    const Gap gap = GapOf(candidate.gap);
    size_t low = gap.begin;
    size_t high = gap.end - 1;
    while (low < high) {
      const size_t middle = low + (high - low) / 2;
      if (gap.CostBelow(sorted_, middle + 1) > place) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    candidate.index = low;
    const float* value = &sorted_.values[low];
    candidate.gain = potentials_[candidate.gap] -
                     Gap{gap.begin, low, gap.lower, value}.Potential(sorted_) -
                     Gap{low + 1, gap.end, value, gap.upper}.Potential(sorted_);
    return candidate;
  }

  void Insert(const Candidate& candidate) {
    const auto at = static_cast<std::ptrdiff_t>(candidate.gap);
    chosen_.insert(chosen_.begin() + at, candidate.index);
    potentials_.insert(potentials_.begin() + at, 0.0);
    for (const size_t gap : {candidate.gap, candidate.gap + 1}) {
      potentials_[gap] = GapOf(gap).Potential(sorted_);
    }
  }

  const SortedValues& sorted_;
  Rng& rng_;
  std::vector<size_t> chosen_;      // ascending
  std::vector<double> potentials_;  // of the chosen_.size() + 1 gaps
};

// begin[j] .. begin[j + 1] are the values nearest to centroid j.
std::vector<size_t> Partition(const SortedValues& sorted, const std::vector<float>& centroids) {
  std::vector<size_t> begins = {0};
  for (size_t j = 1; j < centroids.size(); ++j) {
    const double middle = Midpoint(centroids[j - 1], centroids[j]);
    const auto above = std::upper_bound(
        sorted.values.begin() + static_cast<std::ptrdiff_t>(begins.back()), sorted.values.end(),
        middle, [](double bound, float value) { return bound < double{value}; });
    begins.push_back(static_cast<size_t>(above - sorted.values.begin()));
  }
  begins.push_back(sorted.size());
  return begins;
}

// A centroid can be left without values when its neighbours close in on it from both sides. Each
// such centroid moves to the value that is worst off. Returns whether there was one.
bool MoveEmpty(const SortedValues& sorted, const std::vector<size_t>& begins,
               std::vector<float>& centroids) {
  bool moved = false;
  std::vector<float> taken;
  for (size_t empty = 0; empty + 1 < begins.size(); ++empty) {
    if (begins[empty] < begins[empty + 1]) continue;
    double worst = -1;
    float value = 0;
    for (size_t j = 0; j + 1 < begins.size(); ++j) {
      for (size_t i = begins[j]; i < begins[j + 1]; ++i) {
        const double distance = Square(double{sorted.values[i]} - double{centroids[j]});
        if (distance > worst &&
            std::find(taken.begin(), taken.end(), sorted.values[i]) == taken.end()) {
          worst = distance;
          value = sorted.values[i];
        }
      }
    }
    taken.push_back(value);
    moved = true;
  }
  if (!moved) return false;
  size_t next = 0;
  for (size_t j = 0; j + 1 < begins.size(); ++j) {
    if (begins[j] == begins[j + 1]) centroids[j] = taken[next++];
  }
  std::sort(centroids.begin(), centroids.end());
  return true;
}

struct Solution {
  std::vector<float> centroids;
  std::vector<size_t> begins;
  double inertia = 0;
  int64_t num_iterations = 0;
  bool converged = false;
};

Solution Lloyd(const SortedValues& sorted, std::vector<float> centroids,
               const KMeansSettings& settings) {
  Solution out;
  while (true) {
    std::vector<size_t> begins = Partition(sorted, centroids);
    if (MoveEmpty(sorted, begins, centroids)) begins = Partition(sorted, centroids);
    out.converged = begins == out.begins;
    out.begins = std::move(begins);
    if (out.converged || out.num_iterations >= settings.max_iterations) break;
    double movement = 0;
    for (size_t j = 0; j < centroids.size(); ++j) {
      if (out.begins[j] == out.begins[j + 1]) continue;
      const float mean = sorted.Mean(out.begins[j], out.begins[j + 1]);
      movement += Square(double{mean} - double{centroids[j]});
      centroids[j] = mean;
    }
    ++out.num_iterations;
    if (movement <= settings.tolerance * sorted.variance && settings.tolerance > 0) {
      // Labels of the centroids as they are now, as scikit-learn ends.
      begins = Partition(sorted, centroids);
      out.converged = begins == out.begins;
      out.begins = std::move(begins);
      break;
    }
  }
  out.centroids = std::move(centroids);
  return out;
}

// Drops clusters without members, makes every centroid the exact mean, adds up the inertia.
void Finish(const SortedValues& sorted, Solution& solution) {
  std::vector<float> centroids;
  std::vector<size_t> begins;
  solution.inertia = 0;
  for (size_t j = 0; j < solution.centroids.size(); ++j) {
    const size_t begin = solution.begins[j];
    const size_t end = solution.begins[j + 1];
    if (begin == end) continue;
    const float mean = sorted.ExactMean(begin, end);
    centroids.push_back(mean);
    begins.push_back(begin);
    for (size_t i = begin; i < end; ++i) {
      solution.inertia += sorted.weights[i] * Square(double{sorted.values[i]} - double{mean});
    }
  }
  begins.push_back(sorted.size());
  solution.centroids = std::move(centroids);
  solution.begins = std::move(begins);
}

// Prefix sums and one-by-one sums may round to neighbouring floats, and then a value on a midpoint
// can change sides: goes on from the exact means until they reproduce their own labels.
void Settle(const SortedValues& sorted, const KMeansSettings& settings, Solution& solution) {
  Finish(sorted, solution);
  if (!solution.converged) return;
  while (true) {
    std::vector<size_t> begins = Partition(sorted, solution.centroids);
    if (begins == solution.begins) return;
    if (solution.num_iterations++ >= settings.max_iterations) break;
    solution.begins = std::move(begins);
    Finish(sorted, solution);
  }
  solution.converged = false;
}

}  // namespace

Clusters ClusterValues(std::span<const float> values, int64_t num_clusters,
                       const KMeansSettings& settings, const Rng& rng) {
  VOXBIT_CHECK(num_clusters >= 1, "k-means needs at least one cluster");
  Clusters clusters;
  clusters.converged = true;
  if (values.empty()) return clusters;
  const SortedValues sorted = Sort(values);
  // The value -> cluster map as ranges of the sorted values; `begins` may differ from the nearest
  // centroid when the iterations were cut off, so labels are read from it and not searched anew.
  Solution best;
  if (sorted.size() <= static_cast<size_t>(num_clusters)) {
    best.centroids = sorted.values;
    best.begins.resize(sorted.size() + 1);
    std::iota(best.begins.begin(), best.begins.end(), size_t{0});
    best.converged = true;
  } else {
    const int64_t starts = std::max<int64_t>(1, settings.num_starts);
    for (int64_t start = 0; start < starts; ++start) {
      Rng draws = rng.Fork("k-means start", static_cast<uint64_t>(start));
      std::vector<float> seeds;
      for (const size_t index : Seeding(sorted, draws).Choose(static_cast<size_t>(num_clusters))) {
        seeds.push_back(sorted.values[index]);
      }
      Solution solution = Lloyd(sorted, std::move(seeds), settings);
      Settle(sorted, settings, solution);
      if (start == 0 || solution.inertia < best.inertia) best = std::move(solution);
    }
  }
  clusters.labels.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const auto place = static_cast<size_t>(
        std::lower_bound(sorted.values.begin(), sorted.values.end(), values[i]) -
        sorted.values.begin());
    const auto above = std::upper_bound(best.begins.begin(), best.begins.end() - 1, place);
    clusters.labels[i] = static_cast<int32_t>(above - best.begins.begin()) - 1;
  }
  clusters.centroids = std::move(best.centroids);
  clusters.inertia = best.inertia;
  clusters.num_iterations = best.num_iterations;
  clusters.converged = best.converged;
  return clusters;
}

void NearestCentroids(std::span<const float> values, std::span<const float> centroids,
                      std::span<int32_t> labels) {
  VOXBIT_CHECK(!centroids.empty() && labels.size() == values.size(), "no centroid to be near to");
  std::vector<double> middles;
  for (size_t j = 1; j < centroids.size(); ++j) {
    middles.push_back(Midpoint(centroids[j - 1], centroids[j]));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const auto above = std::lower_bound(middles.begin(), middles.end(), double{values[i]});
    labels[i] = static_cast<int32_t>(above - middles.begin());
  }
}

}  // namespace voxbit::quant
