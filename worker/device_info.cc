#include "worker/device_info.h"

#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>

namespace voxbit::worker {
namespace {

bool IsPlain(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

std::string CpuTarget() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return "cpu-avx512";
  if (__builtin_cpu_supports("avx2")) return "cpu-avx2";
  return "cpu-x86";
#else
  return "cpu-other";
#endif
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

int64_t UsableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
  const auto online = static_cast<int64_t>(::sysconf(_SC_NPROCESSORS_ONLN));
  return online > 0 ? online : 1;
}

int64_t MemoryBytes() {
  return static_cast<int64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<int64_t>(::sysconf(_SC_PAGESIZE));
}

std::string DefaultName(const std::string& device) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {"host"};
  std::string name = std::string(host.data()) + "-";
  for (const char c : device) {
    if (c != ':') name += c;
  }
  return name;
}

std::string DefaultTarget(const std::string& device, const std::string& device_model) {
  if (device == "cpu") return CpuTarget();
  std::string target;
  for (const char c : device_model) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (IsPlain(lower)) {
      target += lower;
    } else if (!target.empty() && target.back() != '-') {
      target += '-';
    }
  }
  while (!target.empty() && target.back() == '-') target.pop_back();
  return target.empty() ? "gpu" : target;
}

std::string DefaultCacheFolder() {
  const std::string cache = Environment("XDG_CACHE_HOME");
  if (!cache.empty()) return cache + "/voxbit";
  const std::string home = Environment("HOME");
  if (!home.empty()) return home + "/.cache/voxbit";
  std::error_code error;
  const std::filesystem::path temporary = std::filesystem::temp_directory_path(error);
  return (error ? "/tmp" : temporary.string()) + "/voxbit-cache";
}

}  // namespace voxbit::worker
