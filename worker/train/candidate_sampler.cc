#include "worker/train/candidate_sampler.h"

#include <utility>
#include <vector>

#include "common/check.h"
#include "common/rng.h"

namespace voxbit::train {
namespace {

// True for each dimension that decides whether another one is active.
std::vector<bool> Depths(const search::SearchSpace& space) {
  std::vector<bool> depths(space.size(), false);
  for (const search::Dimension& dimension : space.dimensions()) {
    if (dimension.parent >= 0) depths[static_cast<size_t>(dimension.parent)] = true;
  }
  return depths;
}

}  // namespace

CandidateSampler::CandidateSampler(const search::SearchSpace& space, std::string sampling,
                                   bool progressive_depth, int64_t steps, uint64_t seed)
    : space_(space),
      sandwich_(sampling == "sandwich"),
      progressive_depth_(progressive_depth),
      steps_(steps),
      seed_(seed) {
  VOXBIT_CHECK(sandwich_ || sampling == "random", "unknown sampling " + sampling);
}

search::Candidate CandidateSampler::At(int64_t step) const {
  const bool full_depth = progressive_depth_ && 2 * step < steps_;
  const int64_t turn = sandwich_ ? step % 4 : 2;
  const std::vector<bool> depths = Depths(space_);
  Rng rng = Rng(seed_).Fork("candidate", static_cast<uint64_t>(step));
  search::Candidate candidate;
  for (size_t d = 0; d < space_.size(); ++d) {
    const auto count = static_cast<int32_t>(space_.dimensions()[d].choices.size());
    int32_t choice = static_cast<int32_t>(rng.Below(count));
    if (turn == 0) choice = count - 1;
    if (turn == 1) choice = 0;
    if (full_depth && depths[d]) choice = count - 1;
    candidate.choices.push_back(choice);
  }
  return space_.Canonical(std::move(candidate));
}

}  // namespace voxbit::train
