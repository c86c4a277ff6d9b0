#include "search/domain/candidate.h"

#include <charconv>
#include <string_view>
#include <system_error>

#include "common/digest.h"

namespace voxbit::search {

std::string Encode(const Candidate& candidate) {
  std::string text;
  for (const int32_t choice : candidate.choices) {
    if (!text.empty()) text += '.';
    text += std::to_string(choice);
  }
  return text;
}

Result<Candidate> DecodeCandidate(const std::string& text) {
  Candidate candidate;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('.'));
    int32_t choice = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), choice);
    const bool is_canonical = part == "0" || (!part.empty() && part[0] != '0' && part[0] != '-');
    if (error != std::errc() || end != part.data() + part.size() || !is_canonical) {
      return InvalidArgument("\"" + text + "\" is no candidate: \"" + std::string(part) +
                             "\" is no choice index; expected the form 3.0.12");
    }
    candidate.choices.push_back(choice);
    rest.remove_prefix(part.size());
    if (rest.empty()) break;
    rest.remove_prefix(1);
    if (rest.empty()) {
      return InvalidArgument("\"" + text + "\" is no candidate: it ends with a point");
    }
  }
  return candidate;
}

std::string CandidateDigest(const std::string& space_digest, const Candidate& candidate) {
  return Sha256Hex(space_digest + "/" + Encode(candidate));
}

}  // namespace voxbit::search
