#include "search/agents/truncated_normal.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace voxbit::rl {
namespace {

constexpr double kSqrt2 = 1.4142135623730951;
constexpr double kSqrt2Pi = 2.5066282746310002;

double NormalCdf(double x) { return 0.5 * std::erfc(-x / kSqrt2); }

template <size_t kSize>
double Polynomial(const std::array<double, kSize>& coefficients, double x) {
  double value = 0;
  for (const double coefficient : coefficients) value = value * x + coefficient;
  return value;
}

// Relative error below 1.15e-9. Requires: 0 < p <= 0.5.
double Approximation(double p) {
  constexpr std::array<double, 6> kA = {-3.969683028665376e+01, 2.209460984245205e+02,
                                        -2.759285104469687e+02, 1.383577518672690e+02,
                                        -3.066479806614716e+01, 2.506628277459239e+00};
  constexpr std::array<double, 6> kB = {-5.447609879822406e+01, 1.615858368580409e+02,
                                        -1.556989798598866e+02, 6.680131188771972e+01,
                                        -1.328068155288572e+01, 1.0};
  constexpr std::array<double, 6> kC = {-7.784894002430293e-03, -3.223964580411365e-01,
                                        -2.400758277161838e+00, -2.549732539343734e+00,
                                        4.374664141464968e+00,  2.938163982698783e+00};
  constexpr std::array<double, 5> kD = {7.784695709041462e-03, 3.224671290700398e-01,
                                        2.445134137142996e+00, 3.754408661907416e+00, 1.0};
  constexpr double kTail = 0.02425;
  if (p < kTail) {
    const double q = std::sqrt(-2 * std::log(p));
    return Polynomial(kC, q) / Polynomial(kD, q);
  }
  const double q = p - 0.5;
  const double r = q * q;
  return Polynomial(kA, r) * q / Polynomial(kB, r);
}

}  // namespace

double InverseNormalCdf(double p) {
  if (p <= 0) return -std::numeric_limits<double>::infinity();
  if (p >= 1) return std::numeric_limits<double>::infinity();
  // The lower half has no cancellation.
  if (p > 0.5) return -InverseNormalCdf(1 - p);
  const double x = Approximation(p);
  const double error = NormalCdf(x) - p;
  const double u = error * kSqrt2Pi * std::exp(x * x / 2);
  return std::isfinite(u) ? x - u / (1 + x * u / 2) : x;
}

double TruncatedNormalQuantile(double mean, double sigma, double quantile) {
  if (!(sigma > 0)) return std::clamp(mean, 0.0, 1.0);
  // Mirrored, so that the cut that matters lies in the tail that has no cancellation.
  if (mean < 0.5) return 1 - TruncatedNormalQuantile(1 - mean, sigma, 1 - quantile);
  const double low = NormalCdf((0 - mean) / sigma);
  const double high = NormalCdf((1 - mean) / sigma);
  const double value = mean + sigma * InverseNormalCdf(low + quantile * (high - low));
  return std::clamp(value, 0.0, 1.0);
}

double DrawTruncatedNormal(double mean, double sigma, Rng& rng) {
  return TruncatedNormalQuantile(mean, sigma, rng.Uniform());
}

}  // namespace voxbit::rl
