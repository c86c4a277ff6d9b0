// Settings for a folder that somebody wants to use, chosen by what is in it.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/status.h"

namespace voxbit::data {

// One setting that was chosen, and by what.
struct Choice {
  std::string setting;
  Json value;
  std::string why;
};

struct Suggestion {
  std::string what;     // "LiDAR scans of a sensor at the origin", for people
  std::string example;  // the study in deploy/examples that fits, without ".json"
  std::string metric;   // its objective of accuracy
  std::string task;     // of its supernet, where that has one: segmentation or classification
  Json dataset;         // the settings: for a study's "dataset"
  std::vector<Choice> choices;     // in `dataset`
  std::vector<std::string> hints;  // what the user should know or might change
  Json found = Json::object();     // numbers of the data
  Status usable;                   // what keeps a study from using the folder as it is
};

// Looks at a folder: which layout it has, and at up to eight of its scans. INVALID_ARGUMENT for a
// folder in none of the layouts, which lists what would be right; CANCELLED once `stop` is raised.
// Deterministic.
Result<Suggestion> SuggestFor(const std::string& folder, const std::stop_token& stop = {});

}  // namespace voxbit::data
