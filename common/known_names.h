// What to say when somebody names a thing that is not there: the one that was probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace voxbit {

// The one of `known` that `name` is probably a slip of: the same in other case, at most two letters
// away, or the only one that begins with it. "" where none is near.
std::string NearestName(std::string_view name, const std::vector<std::string>& known);

// `did you mean "miou"?` where one is near, "did you mean one of ...?" where several begin with
// `name`, else "known: accuracy, miou".
std::string KnownNames(std::string_view name, const std::vector<std::string>& known);

}  // namespace voxbit
