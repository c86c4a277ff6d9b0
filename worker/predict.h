// search-worker predict: labels for new data from an export bundle, and their scores.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "common/status.h"

namespace CLI {
class App;
}

namespace voxbit::worker {

struct PredictFlags {
  std::string bundle;
  std::vector<std::string> files;  // files and folders of files
  std::string dataset;             // JSON or the name of a JSON file; "": the bundle's own
  std::string split;               // "": the files
  std::string category;
  std::string out;
  bool force = false;
  std::string device = "cpu";
  int64_t threads = 0;  // 0: all cores that the process may use
  std::string output = "table";
};

// Declares the command.
CLI::App& AddPredict(CLI::App& app, PredictFlags& flags);

// Runs it. False when files were left out, after all others were done and each fault was told;
// INVALID_ARGUMENT for wrong flags, CANCELLED when stopped.
Result<bool> RunPredict(const PredictFlags& flags, const std::stop_token& stop);

}  // namespace voxbit::worker
