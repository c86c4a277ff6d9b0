// New feasible candidates for the algorithms, by ever stronger means and in bounded time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "search/algorithm/algorithm.h"

namespace voxbit::search {

// Refers to both arguments. Thread-compatible.
class FeasibleSampler {
 public:
  // Spaces of up to so many candidates are listed in whole.
  static constexpr size_t kEnumerateLimit = 20'000;
  // How often a candidate is drawn until a new and feasible one comes; then, how often a draw is
  // repaired.
  static constexpr uint64_t kRedraws = 100;
  static constexpr uint64_t kRepairs = 20;

  FeasibleSampler(const SearchSpace& space, const CandidateFilter& filter)
      : space_(space), filter_(filter) {}

  // A feasible candidate that is not in `known`; empty when none was found. Depends only on
  // `known` and the seed of `rng`. Uniform draws come first; then, for spaces of up to
  // kEnumerateLimit candidates, the complete list, so that empty means that there is none; for
  // larger spaces repaired draws and a walk among their neighbours.
  std::optional<Candidate> Draw(const std::set<Candidate>& known, const Rng& rng);

  // True when the candidate is new and feasible.
  bool Accepts(const std::set<Candidate>& known, const Candidate& candidate) const {
    return known.count(candidate) == 0 && filter_.Violation(candidate) == 0;
  }

 private:
  // Lists the feasible candidates on first use, where the space is small enough.
  void List();
  std::optional<Candidate> Walk(const std::set<Candidate>& known, const Rng& rng) const;

  const SearchSpace& space_;
  const CandidateFilter& filter_;
  bool was_tried_ = false;
  bool is_listed_ = false;
  std::vector<Candidate> feasible_;  // all of them, when listed
};

}  // namespace voxbit::search
