// The common part of what algorithms save: version, name, space and lists of candidates.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "search/space/search_space.h"

namespace voxbit::search {

// {"version", "algorithm", "space"}; the algorithm adds its own keys.
Json NewState(std::string_view algorithm, const SearchSpace& space);
// The state behind `blob`. DATA_LOSS when it is no such text, FAILED_PRECONDITION when it is of
// another version, algorithm or space.
Result<Json> OpenState(std::string_view blob, std::string_view algorithm, const SearchSpace& space);

// One candidate in its text form; DATA_LOSS when it is not of this space.
Result<Candidate> CandidateIn(const Json& json, const SearchSpace& space);
Json CandidatesJson(const std::set<Candidate>& candidates);
// The candidates listed under `key`.
Result<std::set<Candidate>> CandidatesIn(const Json& state, const std::string& key,
                                         const SearchSpace& space);
Result<bool> FlagIn(const Json& state, const std::string& key);

}  // namespace voxbit::search
