// Export bundles, read back: the folder that search-client export writes. No torch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/status.h"
#include "search/domain/candidate.h"

namespace voxbit::worker {

// What a manifest says, as far as it is needed to run the network again.
struct Bundle {
  std::string folder;
  Json manifest;
  Json supernet;             // its configuration, "kind" included
  std::string space_digest;  // of the supernet's space
  search::Candidate candidate;
  std::vector<std::string> class_names;
  Json input;                 // data::Dataset::InputContract
  Json dataset;               // data::Dataset::Describe of what the network was trained on
  std::string split = "val";  // that the study scored
  int64_t batch = 1;          // scans of a batch in those scores

  bool is_packed() const { return manifest.contains("packed"); }
  // Of the file with the weights that count: the packed one, where there is one.
  std::string weights_path() const;
};

// Reads `folder`/manifest.json and checks that the weights beside it are those of the manifest.
// NOT_FOUND for a folder that is none of a bundle or lacks a file, INVALID_ARGUMENT for a manifest
// that lacks something, naming it, or is of a later format; DATA_LOSS for other weights.
Result<Bundle> ReadBundle(const std::string& folder);

// What the study recorded of the weights in the bundle, by metric: {"miou": 0.61, ...}.
Json RecordedScores(const Bundle& bundle);

}  // namespace voxbit::worker
