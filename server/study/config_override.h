// "--set POINTER=VALUE": one value of the configuration, said on the command line.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/status.h"

namespace voxbit::server {

struct ConfigOverride {
  std::string pointer;  // "/studies/0/search/trials"
  Json value;
};

// The value as ParseSetValue has it. INVALID_ARGUMENT for an argument without a pointer or a '=',
// and for a value that is refused.
Result<ConfigOverride> ParseOverride(const std::string& argument);

// Puts the value into `config`; objects on the way are made where they are not there, "-" behind
// the pointer of a list appends. INVALID_ARGUMENT says where the pointer leads nowhere: an index
// that the list does not have, something inside a number or a text.
Status ApplyOverride(const ConfigOverride& change, Json& config);

// `status`, and how to write a text where it refuses a value that one of `changes` gave as a
// number, true, false or null, and the same as a text would be right. Where a text is wanted, but
// another: what is said of this one. `check` says what comes of a change that takes the place of
// the one made.
Status WithTextHint(const Status& status, const std::vector<ConfigOverride>& changes,
                    const std::function<Status(const ConfigOverride&)>& check);

}  // namespace voxbit::server
