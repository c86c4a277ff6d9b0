// The flag --dataset of the worker's commands.
#pragma once

#include <string>

#include "common/json.h"
#include "common/status.h"

namespace voxbit::worker {

// The "dataset" that a text holds, and where it stands there.
struct FoundDataset {
  Json config;          // not judged: it may be anything
  std::string source;   // the file, or "--dataset"
  std::string pointer;  // in the source: "" or "/dataset", "/studies/0/dataset"
};

// `text` is JSON or the name of a JSON file with a dataset, a study that has one, or a server's
// configuration with one study. INVALID_ARGUMENT naming the flag or the file.
Result<FoundDataset> FindDataset(const std::string& text);

}  // namespace voxbit::worker
