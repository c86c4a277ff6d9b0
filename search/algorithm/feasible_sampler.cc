#include "search/algorithm/feasible_sampler.h"

#include <utility>

namespace voxbit::search {
namespace {

constexpr int kWalkSteps = 1000;

}  // namespace

void FeasibleSampler::List() {
  if (was_tried_) return;
  was_tried_ = true;
  const std::vector<Candidate> all = space_.Enumerate(kEnumerateLimit);
  is_listed_ = !all.empty();
  for (const Candidate& candidate : all) {
    if (filter_.Violation(candidate) == 0) feasible_.push_back(candidate);
  }
}

std::optional<Candidate> FeasibleSampler::Draw(const std::set<Candidate>& known, const Rng& rng) {
  for (uint64_t attempt = 0; attempt < kRedraws; ++attempt) {
    Rng draw = rng.Fork("redraw", attempt);
    Candidate candidate = filter_.Pin(space_.Sample(draw));
    if (Accepts(known, candidate)) return candidate;
  }
  List();
  if (!is_listed_) return Walk(known, rng);
  std::vector<const Candidate*> fresh;
  for (const Candidate& candidate : feasible_) {
    if (known.count(candidate) == 0) fresh.push_back(&candidate);
  }
  if (fresh.empty()) return std::nullopt;
  Rng pick = rng.Fork("listed");
  return *fresh[static_cast<size_t>(pick.Below(static_cast<int64_t>(fresh.size())))];
}

std::optional<Candidate> FeasibleSampler::Walk(const std::set<Candidate>& known,
                                               const Rng& rng) const {
  Candidate candidate;
  for (uint64_t attempt = 0; attempt < kRepairs; ++attempt) {
    Rng draw = rng.Fork("repair", attempt);
    candidate = filter_.Repair(space_.Sample(draw), draw);
    if (Accepts(known, candidate)) return candidate;
  }
  Rng walk = rng.Fork("walk");
  for (int step = 0; step < kWalkSteps; ++step) {
    const auto d = static_cast<size_t>(walk.Below(static_cast<int64_t>(space_.size())));
    const auto num_choices = static_cast<int64_t>(space_.dimensions()[d].choices.size());
    Candidate next = candidate;
    next.choices[d] = static_cast<int32_t>(walk.Below(num_choices));
    candidate = filter_.Repair(space_.Canonical(std::move(next)), walk);
    if (Accepts(known, candidate)) return candidate;
  }
  return std::nullopt;
}

}  // namespace voxbit::search
