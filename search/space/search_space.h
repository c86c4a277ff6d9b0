// The discrete dimensions that a candidate chooses from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/rng.h"
#include "common/status.h"
#include "search/domain/candidate.h"

namespace voxbit::search {

// One dimension: an ordered list of values. Cost models never fall when a choice index rises.
struct Dimension {
  std::string name;              // the official module path where there is one
  std::vector<int64_t> choices;  // ascending, at least one
  // Active only while dimension `parent` has a value of at least `parent_min`; -1: always.
  // A parent stands before its children.
  int32_t parent = -1;
  int64_t parent_min = 0;
  friend bool operator==(const Dimension&, const Dimension&) = default;
};

// Immutable after construction.
class SearchSpace {
 public:
  SearchSpace() = default;
  // Requires: names unique, choices ascending and not empty, parents before children.
  explicit SearchSpace(std::vector<Dimension> dimensions);

  const std::vector<Dimension>& dimensions() const { return dimensions_; }
  size_t size() const { return dimensions_.size(); }
  // SHA-256 of ToJson(): what a worker's space is compared with.
  const std::string& digest() const { return digest_; }
  Json ToJson() const;

  // Index of a dimension by name; NOT_FOUND.
  Result<size_t> Find(const std::string& name) const;
  int64_t Value(const Candidate& candidate, size_t dimension) const;
  bool IsActive(const Candidate& candidate, size_t dimension) const;
  // Natural logarithm of the number of different candidates, conditions not counted.
  double LogCardinality() const;

  // INVALID_ARGUMENT when the length or an index is wrong, or an inactive dimension is not 0.
  Status Validate(const Candidate& candidate) const;
  // The same sub-network with every inactive dimension set to 0. Requires: right length, indices
  // in range.
  Candidate Canonical(Candidate candidate) const;

  // Every candidate once, in ascending order; empty when there are more than `limit`.
  std::vector<Candidate> Enumerate(size_t limit) const;

  Candidate Smallest() const;
  Candidate Largest() const;
  // Every active dimension uniform over its choices.
  Candidate Sample(Rng& rng) const;
  // Each active dimension re-drawn with the given probability. Genes of inactive dimensions are
  // always drawn and dropped by Canonical: a newly active block has random values, not zeros.
  // Source: Tang et al., SPVNAS (ECCV 2020), sec. 4.2, but for the genes of inactive blocks.
  Candidate Mutate(const Candidate& parent, double probability, Rng& rng) const;
  // Each dimension from either parent with equal chance; one that is active in a single parent
  // from that one.
  Candidate Crossover(const Candidate& a, const Candidate& b, Rng& rng) const;

 private:
  std::vector<Dimension> dimensions_;
  std::string digest_;
};

}  // namespace voxbit::search
