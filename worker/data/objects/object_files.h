// What datasets whose objects lie in a file each have in common.
#pragma once

#include <array>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "worker/data/files/source_files.h"
#include "worker/data/objects/objects.h"

namespace voxbit::data {

struct ObjectFile {
  std::string name;
  std::string path;
  int32_t category = -1;  // -1: known once the file is read
};

// Which objects there are.
struct ObjectIndex {
  std::array<std::vector<ObjectFile>, 3> splits;  // by Split
  std::vector<std::string> paths;                 // the files and folders that this comes from
  std::string stamp;                              // of `paths`, before they were read
  Json parts = Json::object();                    // what the digest is to know of them, if any
};

// Expects objects in the splits train and val and the files to be there that are needed. `root` is
// for messages.
Status CheckFiles(const ObjectIndex& index, const std::string& root,
                  FilesNeeded needed = FilesNeeded::kAll);

// Whether a split has objects that are known to be of the category.
bool HasObjects(const ObjectIndex& index, Split split, int32_t category);

class ObjectFiles : public ObjectDataset {
 public:
  int64_t size(Split split) const final { return static_cast<int64_t>(Files(split).size()); }
  std::string ScanName(Split split, int64_t index) const final {
    return Files(split)[static_cast<size_t>(index)].name;
  }
  Result<Scan> Load(Split split, int64_t index) const final;
  std::vector<std::string> files(Split split, int64_t index) const final;
  bool IsCurrent() const final;

  // Reads the files once, for Describe. Call before the dataset is handed out. Unless all are
  // needed, one that cannot be read leaves the digest empty.
  Status Digest(const std::stop_token& stop, FilesNeeded needed = FilesNeeded::kAll);

 protected:
  ObjectFiles(const ObjectSettings& settings, ObjectClasses classes, Json config,
              const ObjectIndex& index);

 private:
  // Load sets name and source; the category is that of `file` unless the result has one.
  virtual Result<Scan> Read(const ObjectFile& file) const = 0;

  const std::vector<ObjectFile>& Files(Split split) const {
    return index_.splits[static_cast<size_t>(split)];
  }
  std::vector<std::string> Paths() const;

  const ObjectIndex index_;
  const std::string stamp_;
};

}  // namespace voxbit::data
