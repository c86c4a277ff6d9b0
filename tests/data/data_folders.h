// Folders of point clouds for tests, made on the fly.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/files.h"
#include "worker/data/dataset.h"

namespace voxbit::data {

// A folder of its own, removed at the end.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "voxbit_data_XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TempFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

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
  for (const std::string name : {"a", "b"}) {
    WriteArray(root + "/velodyne/" + name + ".bin", ThreePoints());
    WriteArray<uint32_t>(root + "/labels/" + name + ".label", {10, (7U << 16) + 20, 0});
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
