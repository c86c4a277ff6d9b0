#include "worker/exec/host.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "worker/exec/executors.h"

namespace voxbit::worker {
namespace {

// Value of the first line "<key> : <value>" of a file, "" if there is none.
std::string ValueOf(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    const size_t colon = line.find(':');
    if (line.rfind(key, 0) != 0 || colon == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

std::string CpuInfo(const std::string& key) { return ValueOf("/proc/cpuinfo", key); }

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The driver has a folder for each GPU, in the order of the bus, which is that of the device
// numbers as long as CUDA_DEVICE_ORDER says so. Torch has no portable call for the name.
std::string GpuModel(const std::string& device) {
  const std::filesystem::path root = "/proc/driver/nvidia/gpus";
  std::vector<std::filesystem::path> folders;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
    folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  const std::string digits = device.substr(device.find(':') + 1);
  const size_t index = std::strtoul(digits.c_str(), nullptr, 10);
  if (index >= folders.size()) return "unknown";
  const std::string name = ValueOf((folders[index] / "information").string(), "Model");
  return name.empty() ? "unknown" : name;
}

}  // namespace

Json CpuClockInfo() {
  const std::string folder = "/sys/devices/system/cpu/cpu0/cpufreq/";
  Json info = Json::object();
  if (const std::string mhz = CpuInfo("cpu MHz"); !mhz.empty()) {
    info["mhz"] = std::strtod(mhz.c_str(), nullptr);
  }
  if (const std::string khz = FirstLine(folder + "cpuinfo_max_freq"); !khz.empty()) {
    info["max_mhz"] = std::strtod(khz.c_str(), nullptr) / 1000;
  }
  if (const std::string governor = FirstLine(folder + "scaling_governor"); !governor.empty()) {
    info["governor"] = governor;
  }
  return info;
}

std::string DeviceModel(const std::string& device) {
  if (device != "cpu") return GpuModel(device);
  const std::string name = CpuInfo("model name");
  return name.empty() ? "unknown" : name;
}

}  // namespace voxbit::worker
