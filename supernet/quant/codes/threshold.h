// Clipping thresholds from the distribution of a tensor.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace voxbit::quant {

// Histogram of |x| over [0, max|x|] with equal bins.
struct MagnitudeHistogram {
  std::vector<int64_t> counts;
  std::vector<float> edges;  // counts.size() + 1 edges, the last is max|x|
};

// The bins are as wide as (max|x| - min|x|) / sqrt(n), rounded so that they fill the range: about
// sqrt(n) of them, more where no value is small; 1 bin for a constant, at most 4096.
//   values  not empty, finite
// O(n). Source: numpy 1.24 histogram(bins="sqrt", range=(0, max)), which HAQ calls; without a
// bound there.
MagnitudeHistogram HistogramOfMagnitudes(std::span<const float> values);

// The threshold at which clipping loses least, by the divergence of cumulative distributions.
// Candidates are (i + 0.5) bin widths, i = 2^(bits-1) + 1 .. bins; they may exceed max|x|. For
// each, everything beyond bin i - 1 is put at 1, the rest is interpolated through 2^(bits-1)
// points, and sum (c - q) log2(c / q) compares it with the cumulative distribution c. max|x| where
// there are fewer candidates than one; 0 where max|x| is at most 1e-8. Requires: 1 <= bits <= 8.
// O(bins^2). Source: mit-han-lab/haq, lib/utils/quantize_utils.py (_compute_threshold). Deviation:
// where the first bin is empty, the reference divides 0 by 0 and returns its first candidate,
// however small; here c and q are at least half a count, which changes nothing where no bin is
// empty.
double KlThreshold(const MagnitudeHistogram& histogram, int64_t bits);

// Both, for the values of one tensor. 0 for no values.
double KlThreshold(std::span<const float> values, int64_t bits);

}  // namespace voxbit::quant
