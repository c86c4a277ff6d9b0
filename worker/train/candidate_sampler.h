// Which sub-network trains at each step of a supernet's training.
#pragma once

#include <cstdint>
#include <string>

#include "search/domain/candidate.h"
#include "search/space/search_space.h"

namespace voxbit::train {

// "random": every choice uniform, as published for SPVNAS. "sandwich": the steps take turns with
// the largest, the smallest and two random sub-networks, after the sandwich rule of Yu and Huang,
// Universally Slimmable Networks (ICCV 2019), which runs all of them in every step. Random
// sampling practically never draws the ends of the space.
//
// With progressive depth the first half of the steps keeps every depth at its maximum, the second
// half draws it too (3D-NAS, Tang et al., ECCV 2020). A depth is a dimension on which others
// depend.
class CandidateSampler {
 public:
  // `space` outlives the sampler. Requires: sampling is one of the two names.
  CandidateSampler(const search::SearchSpace& space, std::string sampling, bool progressive_depth,
                   int64_t steps, uint64_t seed);

  // Candidate of a step; depends on the arguments of the constructor and `step` alone.
  search::Candidate At(int64_t step) const;

 private:
  const search::SearchSpace& space_;
  const bool sandwich_;
  const bool progressive_depth_;
  const int64_t steps_;
  const uint64_t seed_;
};

}  // namespace voxbit::train
