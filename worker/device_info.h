// What a worker says about the machine it runs on.
#pragma once

#include <cstdint>
#include <string>

namespace voxbit::worker {

// Cores that this process may use.
int64_t UsableCores();
int64_t MemoryBytes();
// "host-cpu", "host-cuda0": stable over restarts.
std::string DefaultName(const std::string& device);
// The hardware name that latencies are filed under: "cpu-avx512", "cpu-avx2", "cpu-x86",
// "cpu-other"; for a GPU its model in lower case with dashes, "nvidia-h200".
std::string DefaultTarget(const std::string& device, const std::string& device_model);
// $XDG_CACHE_HOME/voxbit, else ~/.cache/voxbit, else a folder beside the temporary files.
std::string DefaultCacheFolder();

}  // namespace voxbit::worker
