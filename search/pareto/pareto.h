// Dominance, fronts, crowding and hypervolume. All values are turned so that larger is better.
#pragma once

#include <cstdint>
#include <vector>

namespace voxbit::search {

// No worse everywhere and better somewhere. Requires: equal lengths.
bool Dominates(const std::vector<double>& a, const std::vector<double>& b);

// Rank of every point: 0 for the front, 1 for the front without rank 0, ...
// Fast non-dominated sorting, O(M N^2). Source: Deb et al., NSGA-II (2002), sec. III-A.
std::vector<int64_t> NonDominatedRanks(const std::vector<std::vector<double>>& points);

// Indices of the points of rank 0, in input order; equal points are all kept.
std::vector<int64_t> FrontIndices(const std::vector<std::vector<double>>& points);

// Crowding distance of each member of one front; infinite at the ends of every objective. An
// objective in which all are equal is left out; of equal ends the first and the last count.
// Source: NSGA-II, sec. III-B.
std::vector<double> CrowdingDistances(const std::vector<std::vector<double>>& front);

// Volume dominated by `points` above `reference`; points not above it in every objective add
// nothing. Exact for any number of objectives (recursive
// slicing, exponential in the number of objectives, which is at most 4 here).
double Hypervolume(const std::vector<std::vector<double>>& points,
                   const std::vector<double>& reference);

// Share of the box between `worst` and `best` that `points` dominate, in [0, 1]; what lies outside
// counts as its nearest point in the box. Coordinates are rounded to 2^26 steps of the box with two
// of them, to 2^17 with three and to 2^13 with four, so that sums are exact: equal whatever the
// order of the points, and never less for more points.
// Requires: equal lengths of 1 to 4, best > worst in every coordinate.
double BoxHypervolume(const std::vector<std::vector<double>>& points,
                      const std::vector<double>& worst, const std::vector<double>& best);

}  // namespace voxbit::search
