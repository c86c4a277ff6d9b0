#include "supernet/quant/codes/threshold.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "common/check.h"

namespace voxbit::quant {
namespace {

constexpr double kMaxBins = 4096;
constexpr double kNothing = 1e-8;  // a largest value up to here counts as 0

// As numpy computes it: the width in double from a difference in float32.
int64_t NumBins(float smallest, float largest, size_t num) {
  const double width = double{largest - smallest} / std::sqrt(static_cast<double>(num));
  if (!(width > 0)) return 1;
  return static_cast<int64_t>(std::min(kMaxBins, std::ceil(double{largest} / width)));
}

std::vector<float> EqualEdges(float largest, int64_t bins) {
  std::vector<float> edges(static_cast<size_t>(bins) + 1);
  const double step = double{largest} / static_cast<double>(bins);
  for (size_t i = 0; i < edges.size(); ++i) {
    edges[i] = static_cast<float>(step * static_cast<double>(i));
  }
  edges.back() = largest;
  return edges;
}

// Values of the piecewise linear curve through `in` (at least one point, evenly spaced over
// [0, 1]) at out.size() evenly spaced places.
void Resample(std::span<const double> in, std::span<double> out) {
  if (in.size() == 1 || out.size() == 1) {
    std::fill(out.begin(), out.end(), in[0]);
    return;
  }
  const double ratio = static_cast<double>(in.size() - 1) / static_cast<double>(out.size() - 1);
  for (size_t i = 0; i < out.size(); ++i) {
    const double place = ratio * static_cast<double>(i);
    const size_t left = std::min(static_cast<size_t>(place), in.size() - 2);
    out[i] = in[left] + (in[left + 1] - in[left]) * (place - static_cast<double>(left));
  }
}

// Cumulative share of the values, each bin weighted as numpy's density=True does.
std::vector<double> CumulativeShares(const MagnitudeHistogram& histogram) {
  std::vector<double> shares(histogram.counts.size());
  for (size_t i = 0; i < shares.size(); ++i) {
    const double width = histogram.edges[i + 1] - histogram.edges[i];
    shares[i] = static_cast<double>(histogram.counts[i]) / width;
  }
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  double sum = 0;
  for (double& share : shares) {
    sum += share / total;
    share = sum;
  }
  return shares;
}

// `clipped` and `points` are scratch.
double Divergence(const std::vector<double>& shares, size_t kept, double floor,
                  std::span<double> points, std::vector<double>& clipped) {
  clipped = shares;
  std::fill(clipped.begin() + static_cast<std::ptrdiff_t>(kept) - 1, clipped.end(), 1.0);
  const std::span<double> head(clipped.data(), kept);
  Resample(head, points);
  Resample(points, head);
  double sum = 0;
  for (size_t i = 0; i < shares.size(); ++i) {
    const double c = std::max(shares[i], floor);
    const double q = std::max(clipped[i], floor);
    sum += (c - q) * std::log2(c / q);
  }
  return sum;
}

}  // namespace

MagnitudeHistogram HistogramOfMagnitudes(std::span<const float> values) {
  VOXBIT_CHECK(!values.empty(), "the histogram of no values");
  float smallest = std::numeric_limits<float>::infinity();
  float largest = 0;
  for (const float value : values) {
    VOXBIT_CHECK(std::isfinite(value), "the histogram of a value that is not finite");
    smallest = std::min(smallest, std::abs(value));
    largest = std::max(largest, std::abs(value));
  }
  MagnitudeHistogram histogram;
  const int64_t bins = NumBins(smallest, largest, values.size());
  histogram.counts.assign(static_cast<size_t>(bins), 0);
  histogram.edges = EqualEdges(largest, bins);
  if (!(largest > 0)) {
    histogram.counts[0] = static_cast<int64_t>(values.size());
    return histogram;
  }
  const double scale = static_cast<double>(bins) / double{largest};
  const auto last = static_cast<size_t>(bins) - 1;
  for (const float value : values) {
    const float magnitude = std::abs(value);
    size_t bin = std::min(last, static_cast<size_t>(double{magnitude} * scale));
    // The product may be off by a rounding; the edges decide.
    if (magnitude < histogram.edges[bin]) --bin;
    if (bin != last && magnitude >= histogram.edges[bin + 1]) ++bin;
    ++histogram.counts[bin];
  }
  return histogram;
}

double KlThreshold(const MagnitudeHistogram& histogram, int64_t bits) {
  VOXBIT_CHECK(bits >= 1 && bits <= 8, "a threshold for a width outside 1 to 8");
  const double largest = histogram.edges.back();
  if (largest <= kNothing) return 0;
  const size_t levels = size_t{1} << (bits - 1);
  const size_t bins = histogram.counts.size();
  if (levels + 1 > bins) return largest;
  const std::vector<double> shares = CumulativeShares(histogram);
  const auto num = static_cast<double>(
      std::accumulate(histogram.counts.begin(), histogram.counts.end(), int64_t{0}));
  std::vector<double> points(levels);
  std::vector<double> clipped;
  double best = std::numeric_limits<double>::infinity();
  size_t best_kept = bins;
  for (size_t kept = levels + 1; kept <= bins; ++kept) {
    const double divergence = Divergence(shares, kept, 0.5 / num, points, clipped);
    if (divergence < best) {
      best = divergence;
      best_kept = kept;
    }
  }
  const double width = histogram.edges[1] - histogram.edges[0];
  return (static_cast<double>(best_kept) + 0.5) * width;
}

double KlThreshold(std::span<const float> values, int64_t bits) {
  return values.empty() ? 0 : KlThreshold(HistogramOfMagnitudes(values), bits);
}

}  // namespace voxbit::quant
