// Constraints that can be checked without measuring, and the proof that they can be met.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "search/algorithm/algorithm.h"
#include "search/cost/cost_model.h"
#include "search/space/supernet_spec.h"

namespace voxbit::search {

// The computable costs of candidates of one study, and the filter over its constraints.
// Thread-compatible; remembers nothing.
class CostFilter final : public CandidateFilter, public LayerSource {
 public:
  // Proves feasibility: FAILED_PRECONDITION with reason CONSTRAINTS_INFEASIBLE names the
  // constraint, its bound and the smallest (or largest) value that any candidate has. Metrics
  // without a cost model (measured ones) cannot be proved and are left out. Lower and upper
  // bounds together are met by a bounded climb from the smallest candidate, several times; only
  // spaces of up to 20000 candidates are searched completely when that fails.
  // NOT_FOUND when the workload lacks what a layer needs. `spec` outlives the filter.
  // With `workload` null, only upper bounds on metrics that need none are considered, for a network
  // of the smallest possible shape (4 input channels, 2 classes): what it exceeds, any other shape
  // exceeds; what it does not reach, another may.
  // With an `architecture` the only candidates are those that differ from it in bit-widths alone.
  static Result<std::unique_ptr<CostFilter>> Create(const SupernetSpec& spec,
                                                    const cost::CostModelRegistry& models,
                                                    const Workload* workload,
                                                    std::vector<Constraint> constraints,
                                                    const Candidate* architecture = nullptr);

  double Violation(const Candidate& candidate) const override;
  Candidate Pin(Candidate candidate) const override;
  std::vector<BoundedCost> BoundedCosts(const Candidate& candidate) const override;
  // Moves gene after gene, in random order, to a candidate that is known to satisfy everything,
  // until the constraints are met; the last gene only as far as needed. At most one step for each
  // dimension and the logarithm of the largest number of choices.
  Candidate Repair(const Candidate& candidate, Rng& rng) const override;
  // Every computable metric of the candidate, as measurements with target "".
  Measurements Costs(const Candidate& candidate) const;
  LayerTable Layers(const Candidate& candidate) const override;
  const Workload& workload() const override { return workload_; }

 private:
  CostFilter(const SupernetSpec& spec,
             std::map<std::string, std::unique_ptr<cost::CostModel>> models, Workload workload,
             std::vector<Constraint> constraints);

  // Value of one metric; NOT_FOUND when the workload lacks a key.
  Result<double> Value(const std::string& metric, const LayerTable& layers) const;
  enum class Bounds { kUpper, kLower, kBoth };
  double ViolationOf(Bounds bounds, const Candidate& candidate) const;
  Status CheckExtremes() const;
  // Finds anchor_ where lower and upper bounds work against each other.
  Status FindAnchor();
  std::optional<Candidate> Climb(const std::vector<size_t>& order, bool round_robin) const;

  const SupernetSpec& spec_;
  std::map<std::string, std::unique_ptr<cost::CostModel>> models_;
  Workload workload_;
  std::vector<Constraint> constraints_;         // the computable ones
  std::vector<std::optional<int32_t>> pinned_;  // choices of an architecture, by dimension; or none
  Candidate anchor_;                            // satisfies every constraint
};

}  // namespace voxbit::search
