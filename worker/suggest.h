// search-worker suggest: settings for a folder of data, with reasons.
#pragma once

#include <stop_token>
#include <string>

#include "common/status.h"

namespace CLI {
class App;
}

namespace voxbit::worker {

struct SuggestFlags {
  std::string data;
  std::string output = "text";
};

// Declares the command.
CLI::App& AddSuggest(CLI::App& app, SuggestFlags& flags);

// Runs it. False, after everything was printed, when a study cannot use the folder as it is;
// INVALID_ARGUMENT for a folder that is in no layout.
Result<bool> RunSuggest(const SuggestFlags& flags, const std::stop_token& stop);

}  // namespace voxbit::worker
