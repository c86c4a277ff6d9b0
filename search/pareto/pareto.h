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

}  // namespace voxbit::search
