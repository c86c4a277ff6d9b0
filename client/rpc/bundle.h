// Export bundles on this machine's disk.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "client/rpc/api.h"
#include "common/status.h"

namespace voxbit::client {

struct BundleFile {
  std::string sha256;
  int64_t size_bytes = 0;
};

struct Bundle {
  std::string folder;                       // DIR/<study>-<trial>
  std::map<std::string, BundleFile> files;  // by name
};

using DownloadProgress =
    std::function<void(const std::string& file, int64_t done_bytes, int64_t size_bytes)>;

// Downloads the artifacts of a finished export into `dir`/<study>-<trial>, which appears whole or
// not at all; the files of an older bundle of the same trial are replaced one by one, the manifest
// last. On failure nothing of it is left behind.
// DATA_LOSS, reason ARTIFACT_HASH_MISMATCH, when the bytes of a file do not have its digest;
// DATA_LOSS when the export lacks manifest.json or weights.safetensors or names a file that would
// leave the folder.
Result<Bundle> DownloadBundle(Api& api, const v1::Export& exported, const std::string& dir,
                              const DownloadProgress& progress);

}  // namespace voxbit::client
