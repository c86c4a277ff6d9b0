// One point of a search space.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"

namespace voxbit::search {

// Indices into the choices of each dimension of a space, in the order of the space. Dimensions
// that the candidate makes inactive hold 0: SearchSpace::Canonical sees to it, so that equal
// sub-networks have equal encodings.
struct Candidate {
  std::vector<int32_t> choices;
  friend bool operator==(const Candidate&, const Candidate&) = default;
  // clang-tidy 14 takes the spaceship's literal 0 for a pointer.
  // NOLINTNEXTLINE(modernize-use-nullptr)
  friend auto operator<=>(const Candidate&, const Candidate&) = default;
};

// "3.0.12.7": the text form used on disk and on the wire; "" for the empty candidate.
std::string Encode(const Candidate& candidate);
// INVALID_ARGUMENT for anything that Encode does not write.
Result<Candidate> DecodeCandidate(const std::string& text);

// SHA-256 over the space's digest and the encoding: the identity of a sub-network.
std::string CandidateDigest(const std::string& space_digest, const Candidate& candidate);

}  // namespace voxbit::search
