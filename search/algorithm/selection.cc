#include "search/algorithm/selection.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

#include "search/pareto/pareto.h"

namespace voxbit::search {
namespace {

// Moves the front of `pool` to the end of `best`, most isolated first.
void TakeFront(std::vector<Fitness>& pool, std::vector<Fitness>& best) {
  std::vector<std::vector<double>> points;
  points.reserve(pool.size());
  for (const Fitness& fitness : pool) points.push_back(fitness.scores);
  std::vector<std::vector<double>> front;
  std::vector<bool> in_front(pool.size(), false);
  std::vector<size_t> members;
  for (const int64_t i : FrontIndices(points)) {
    const auto index = static_cast<size_t>(i);
    in_front[index] = true;
    members.push_back(index);
    front.push_back(points[index]);
  }
  const std::vector<double> crowding = CrowdingDistances(front);
  std::vector<size_t> order(members.size());
  std::iota(order.begin(), order.end(), size_t{0});
  // Stable: the pool is in the order of trial numbers.
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return crowding[a] > crowding[b]; });
  for (const size_t i : order) best.push_back(pool[members[i]]);
  std::vector<Fitness> rest;
  for (size_t i = 0; i < pool.size(); ++i) {
    if (!in_front[i]) rest.push_back(std::move(pool[i]));
  }
  pool = std::move(rest);
}

}  // namespace

Fitness FitnessOf(const Trial& trial, const std::vector<Objective>& objectives,
                  const std::vector<Constraint>& constraints) {
  Fitness fitness;
  fitness.number = trial.number;
  fitness.candidate = trial.candidate;
  fitness.origin = trial.origin;
  if (trial.state != TrialState::kSucceeded) return fitness;
  const double violation = TotalViolation(constraints, trial.measured);
  auto scores = Scores(objectives, trial.measured);
  const bool is_finite = std::isfinite(violation) && scores &&
                         std::all_of(scores->begin(), scores->end(),
                                     [](double score) { return std::isfinite(score); });
  if (!is_finite) return fitness;
  fitness.violation = violation;
  fitness.scores = *std::move(scores);
  return fitness;
}

std::vector<Fitness> SelectBest(std::vector<Fitness> all, size_t count) {
  std::sort(all.begin(), all.end(), [](const Fitness& a, const Fitness& b) {
    return std::tie(a.number, a.candidate) < std::tie(b.number, b.candidate);
  });
  std::vector<Fitness> feasible;
  std::vector<Fitness> violating;
  for (Fitness& fitness : all) {
    if (fitness.scores.empty()) continue;
    (fitness.violation > 0 ? violating : feasible).push_back(std::move(fitness));
  }
  std::vector<Fitness> best;
  while (best.size() < count && !feasible.empty()) TakeFront(feasible, best);
  std::stable_sort(violating.begin(), violating.end(),
                   [](const Fitness& a, const Fitness& b) { return a.violation < b.violation; });
  for (Fitness& fitness : violating) best.push_back(std::move(fitness));
  if (best.size() > count) best.resize(count);
  return best;
}

}  // namespace voxbit::search
