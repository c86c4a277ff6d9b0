// search-worker synth: writes synthetic scans or objects as files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"

namespace voxbit::worker {

struct SynthFlags {
  std::string kind = "synthetic_lidar";
  std::string out;
  int64_t train = 64;
  int64_t val = 16;
  int64_t test = 0;
  uint64_t seed = 0;
  std::vector<std::string> settings;  // KEY=VALUE of the dataset of that kind
};

// The kinds of datasets that can be written.
std::vector<std::string> SynthKinds();

// INVALID_ARGUMENT for settings that the dataset refuses; what the file system says otherwise.
Status Synthesise(const SynthFlags& flags);

// The settings there are, as a table for --help.
std::string SynthSettingsHelp();

}  // namespace voxbit::worker
