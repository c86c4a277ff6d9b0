#include "search/algorithm/saved_state.h"

#include <utility>

namespace voxbit::search {
namespace {

constexpr int64_t kVersion = 1;

Status Damaged(const std::string& what) {
  return DataLoss("the saved state of the algorithm is damaged: " + what);
}

Status OtherState(const std::string& what, const Json& expected, const Json& found) {
  return FailedPrecondition("the saved state is of another " + what + ": expected " +
                            Describe(expected) + ", found " + Describe(found));
}

}  // namespace

Json NewState(std::string_view algorithm, const SearchSpace& space) {
  return {{"version", kVersion}, {"algorithm", std::string(algorithm)}, {"space", space.digest()}};
}

Result<Json> OpenState(std::string_view blob, std::string_view algorithm,
                       const SearchSpace& space) {
  Result<Json> parsed = ParseJson(blob);
  if (!parsed.ok()) return Damaged(parsed.status().message());
  if (!parsed->is_object()) return Damaged("expected an object, found " + Describe(*parsed));
  const Json expected = NewState(algorithm, space);
  for (const auto& [key, value] : expected.items()) {
    const auto found = parsed->find(key);
    if (found == parsed->end()) return Damaged("\"" + key + "\" is missing");
    if (*found != value) return OtherState(key, value, *found);
  }
  return parsed;
}

Result<Candidate> CandidateIn(const Json& json, const SearchSpace& space) {
  if (!json.is_string()) return Damaged("expected a candidate, found " + Describe(json));
  Result<Candidate> candidate = DecodeCandidate(json.get<std::string>());
  if (!candidate.ok()) return Damaged(candidate.status().message());
  if (const Status valid = space.Validate(*candidate); !valid.ok()) return Damaged(valid.message());
  return candidate;
}

Json CandidatesJson(const std::set<Candidate>& candidates) {
  Json list = Json::array();
  for (const Candidate& candidate : candidates) list.push_back(Encode(candidate));
  return list;
}

Result<std::set<Candidate>> CandidatesIn(const Json& state, const std::string& key,
                                         const SearchSpace& space) {
  const auto list = state.find(key);
  if (list == state.end() || !list->is_array()) return Damaged("\"" + key + "\" is no list");
  std::set<Candidate> candidates;
  for (const Json& item : *list) {
    VOXBIT_ASSIGN_OR_RETURN(Candidate candidate, CandidateIn(item, space));
    candidates.insert(std::move(candidate));
  }
  return candidates;
}

Result<bool> FlagIn(const Json& state, const std::string& key) {
  const auto flag = state.find(key);
  if (flag == state.end() || !flag->is_boolean()) return Damaged("\"" + key + "\" is no flag");
  return flag->get<bool>();
}

}  // namespace voxbit::search
