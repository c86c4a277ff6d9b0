// Weights as safetensors files that say what they belong to.
#pragma once

#include <map>
#include <string>

#include "common/status.h"
#include "supernet/models/supernet.h"

namespace voxbit::worker {

// What a file says about itself beside its tensors.
using Metadata = std::map<std::string, std::string>;

// Every parameter and running statistic of the supernet as the bytes of a safetensors file.
// Metadata: "format" "voxbit-supernet", "supernet" (its configuration as JSON), "space_digest",
// and `more`. Equal weights and metadata give equal bytes.
Result<std::string> SaveCheckpoint(const supernet::Supernet& net, Metadata more);

// Copies the tensors of a checkpoint into `net`. FAILED_PRECONDITION with reason SPACE_MISMATCH
// when the file names another search space (one that names none, an imported file, may pass);
// otherwise as LoadWeights. On an error `net` is unchanged.
Status LoadCheckpoint(const std::string& path, supernet::Supernet& net);

// The same for one network of its own. Metadata: "format" "voxbit-weights", and `more`.
Result<std::string> SaveWeights(const supernet::Network& net, Metadata more);

// FAILED_PRECONDITION when a tensor is missing, left over or of another shape; INFEASIBLE when one
// holds a value that is not finite; DATA_LOSS when the file is no safetensors file. Messages name
// the file and what is wrong in it. On an error `net` is unchanged.
Status LoadWeights(const std::string& path, supernet::Network& net);

}  // namespace voxbit::worker
