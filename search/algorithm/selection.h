// Which trials are better: the order by which algorithms choose parents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "search/domain/objective.h"
#include "search/domain/trial.h"

namespace voxbit::search {

// What an algorithm keeps of a finished trial.
struct Fitness {
  int64_t number = 0;  // of the trial
  Candidate candidate;
  double violation = 0;  // TotalViolation of all constraints, measured ones included
  // Larger is better; empty when the trial failed or a measurement is missing or not finite.
  std::vector<double> scores;
  std::string origin = {};  // of the trial
  friend bool operator==(const Fitness&, const Fitness&) = default;
};

Fitness FitnessOf(const Trial& trial, const std::vector<Objective>& objectives,
                  const std::vector<Constraint>& constraints);

// The best `count` of those that have scores, best first. Constraint domination: a trial without
// violation comes before one with, of two with violation the smaller one comes first. Among those
// without: by non-dominated rank, then larger crowding distance (with one objective this is the
// order by that objective). Ties go to the lower trial number. The result does not depend on the
// order of `all`.
// Source: Deb et al., NSGA-II (2002), sec. III-B and VI.
std::vector<Fitness> SelectBest(std::vector<Fitness> all, size_t count);

}  // namespace voxbit::search
