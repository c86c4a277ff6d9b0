// search-worker synth: writes synthetic LiDAR scans as files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"

namespace voxbit::worker {

struct SynthFlags {
  std::string out;
  int64_t train = 64;
  int64_t val = 16;
  int64_t seed = 0;
  std::vector<std::string> settings;  // KEY=VALUE of the dataset synthetic_lidar
};

// INVALID_ARGUMENT for settings that the dataset refuses; what the file system says otherwise.
Status Synthesise(const SynthFlags& flags);

// The settings there are, as a table for --help.
std::string SynthSettingsHelp();

}  // namespace voxbit::worker
