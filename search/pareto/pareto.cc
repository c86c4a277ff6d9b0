#include "search/pareto/pareto.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "common/check.h"

namespace voxbit::search {
namespace {

using Points = std::vector<std::vector<double>>;

// Volume of the union of the boxes between the reference and the points, over the first
// `dimensions` coordinates. Every point lies above the reference in each of them.
double Volume(Points points, const std::vector<double>& reference, size_t dimensions) {
  const size_t last = dimensions - 1;
  std::sort(points.begin(), points.end(),
            [last](const auto& a, const auto& b) { return a[last] > b[last]; });
  if (dimensions == 1) return points.empty() ? 0 : points[0][0] - reference[0];
  double total = 0;
  double best_first = reference[0];  // with two dimensions the slice is a plain maximum
  Points slice;
  for (size_t i = 0; i < points.size(); ++i) {
    const double below = i + 1 < points.size() ? points[i + 1][last] : reference[last];
    const double thickness = points[i][last] - below;
    best_first = std::max(best_first, points[i][0]);
    if (dimensions > 2) slice.push_back(points[i]);
    if (thickness <= 0) continue;
    total +=
        thickness * (dimensions == 2 ? best_first - reference[0] : Volume(slice, reference, last));
  }
  return total;
}

}  // namespace

bool Dominates(const std::vector<double>& a, const std::vector<double>& b) {
  VOXBIT_CHECK(a.size() == b.size(), "points of different lengths");
  bool is_better = false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] < b[i]) return false;
    is_better = is_better || a[i] > b[i];
  }
  return is_better;
}

std::vector<int64_t> NonDominatedRanks(const Points& points) {
  std::vector<std::vector<size_t>> dominated(points.size());
  std::vector<size_t> num_dominators(points.size(), 0);
  for (size_t i = 0; i < points.size(); ++i) {
    for (size_t j = i + 1; j < points.size(); ++j) {
      if (Dominates(points[i], points[j])) {
        dominated[i].push_back(j);
        ++num_dominators[j];
      } else if (Dominates(points[j], points[i])) {
        dominated[j].push_back(i);
        ++num_dominators[i];
      }
    }
  }
  std::vector<int64_t> ranks(points.size(), 0);
  std::vector<size_t> front;
  for (size_t i = 0; i < points.size(); ++i) {
    if (num_dominators[i] == 0) front.push_back(i);
  }
  for (int64_t rank = 0; !front.empty(); ++rank) {
    std::vector<size_t> next;
    for (const size_t i : front) {
      ranks[i] = rank;
      for (const size_t j : dominated[i]) {
        if (--num_dominators[j] == 0) next.push_back(j);
      }
    }
    front = std::move(next);
  }
  return ranks;
}

std::vector<int64_t> FrontIndices(const Points& points) {
  // In descending lexicographic order a point can only be dominated by an earlier one, and then
  // also by one of the front.
  std::vector<size_t> order(points.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return points[a] > points[b]; });
  std::vector<size_t> front;
  for (const size_t i : order) {
    const bool is_dominated = std::any_of(
        front.begin(), front.end(), [&](size_t j) { return Dominates(points[j], points[i]); });
    if (!is_dominated) front.push_back(i);
  }
  std::sort(front.begin(), front.end());
  return {front.begin(), front.end()};
}

std::vector<double> CrowdingDistances(const Points& front) {
  std::vector<double> distances(front.size(), 0);
  if (front.empty()) return distances;
  std::vector<size_t> order(front.size());
  for (size_t m = 0; m < front[0].size(); ++m) {
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return front[a][m] < front[b][m]; });
    const double span = front[order.back()][m] - front[order.front()][m];
    if (span <= 0) continue;
    distances[order.front()] = std::numeric_limits<double>::infinity();
    distances[order.back()] = std::numeric_limits<double>::infinity();
    for (size_t i = 1; i + 1 < order.size(); ++i) {
      distances[order[i]] += (front[order[i + 1]][m] - front[order[i - 1]][m]) / span;
    }
  }
  return distances;
}

double Hypervolume(const Points& points, const std::vector<double>& reference) {
  if (reference.empty()) return 0;
  Points above;
  for (const auto& point : points) {
    VOXBIT_CHECK(point.size() == reference.size(), "a point and a reference of different lengths");
    bool is_above = true;
    for (size_t m = 0; m < point.size(); ++m) is_above = is_above && point[m] > reference[m];
    if (is_above) above.push_back(point);
  }
  Points front;
  for (const int64_t i : FrontIndices(above)) front.push_back(above[static_cast<size_t>(i)]);
  return Volume(std::move(front), reference, reference.size());
}

double BoxHypervolume(const Points& points, const std::vector<double>& worst,
                      const std::vector<double>& best) {
  const size_t dimensions = worst.size();
  VOXBIT_CHECK(best.size() == dimensions && dimensions >= 1 && dimensions <= 4,
               "a box has 1 to 4 dimensions");
  // A product of all coordinates, and any sum of such up to 1, fits a double's 53 bits.
  const double steps = std::exp2(52 / static_cast<int>(dimensions));
  Points inside;
  for (const auto& point : points) {
    VOXBIT_CHECK(point.size() == dimensions, "a point and a box of different dimensions");
    std::vector<double> scaled(dimensions);
    bool is_above = true;
    for (size_t d = 0; d < dimensions; ++d) {
      const double share = (point[d] - worst[d]) / (best[d] - worst[d]);
      scaled[d] = std::round(std::clamp(share, 0.0, 1.0) * steps) / steps;
      is_above = is_above && scaled[d] > 0;
    }
    if (is_above) inside.push_back(std::move(scaled));
  }
  return Volume(std::move(inside), std::vector<double>(dimensions, 0), dimensions);
}

}  // namespace voxbit::search
