// The normal distribution cut to [0, 1], by its inverse distribution function. No torch.
#pragma once

#include "common/rng.h"

namespace voxbit::rl {

// Inverse of the standard normal distribution function. Relative error below 1e-13.
// Requires: 0 < p < 1; 0 and 1 give -infinity and infinity.
// Source: P. J. Acklam's rational approximation (2003) and one step of Halley's method.
double InverseNormalCdf(double p);

// The value in [0, 1] below which a share `quantile` of the truncated distribution lies.
// Requires: mean and quantile in [0, 1], sigma >= 0; a sigma of 0 gives the mean.
double TruncatedNormalQuantile(double mean, double sigma, double quantile);

// One draw.
double DrawTruncatedNormal(double mean, double sigma, Rng& rng);

}  // namespace voxbit::rl
