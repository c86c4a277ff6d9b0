// Folders of point clouds for tests, made on the fly.
#pragma once

#include <gtest/gtest.h>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/files.h"
#include "tests/support/temp_dir.h"
#include "worker/data/dataset.h"

namespace voxbit::data {

using TempFolder = voxbit::testing::TempDir;

inline void WriteText(const std::string& path, std::string_view text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  ASSERT_TRUE(WriteFileAtomically(path, text).ok()) << path;
}

template <class T>
void WriteArray(const std::string& path, const std::vector<T>& values) {
  const void* bytes = values.data();
  WriteText(path, {static_cast<const char*>(bytes), values.size() * sizeof(T)});
}

// Three points a metre apart along x, intensities 0.1, 0.2, 0.3.
inline std::vector<float> ThreePoints() { return {0, 0, 0, 0.1F, 1, 0, 0, 0.2F, 2, 0, 0, 0.3F}; }

// A folder in the class-table layout with the scans a (train) and b (val), three points each,
// raw labels 10, 20 (with an instance id) and 0.
inline void WriteSmallFolder(const std::string& root) {
  WriteText(root + "/classes.tsv",
            "raw_id\ttrain_id\tname\n0\t255\tvoid\n10\t0\tground\n20\t1\tbuilding\n");
  WriteText(root + "/train.txt", "a\n");
  WriteText(root + "/val.txt", "b\r\n\n");
  for (const char* points : {"/velodyne/a.bin", "/velodyne/b.bin"}) {
    WriteArray(root + points, ThreePoints());
  }
  for (const char* labels : {"/labels/a.label", "/labels/b.label"}) {
    WriteArray<uint32_t>(root + labels, {10, (7U << 16) + 20, 0});
  }
}

inline Result<std::unique_ptr<Dataset>> OpenFolder(const std::string& root,
                                                   Json more = Json::object()) {
  more["kind"] = "semantic_kitti";
  more["root"] = root;
  return OpenDataset(BuiltinDatasets(), more, "/dataset");
}

inline Result<std::unique_ptr<Dataset>> OpenSynthetic(Json more = Json::object()) {
  more["kind"] = "synthetic_lidar";
  return OpenDataset(BuiltinDatasets(), more, "/dataset");
}

}  // namespace voxbit::data
