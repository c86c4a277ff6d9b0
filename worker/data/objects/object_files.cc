#include "worker/data/objects/object_files.h"

#include <algorithm>
#include <utility>

#include "worker/data/files/source_files.h"

namespace voxbit::data {

Status CheckFiles(const ObjectIndex& index, const std::string& root, FilesNeeded needed) {
  for (const Split split : {Split::kTrain, Split::kVal, Split::kTest}) {
    const auto& files = index.splits[static_cast<size_t>(split)];
    if (files.empty() && split != Split::kTest) {
      return InvalidArgument(Join({root, ": the split ", SplitName(split), " has no objects"}));
    }
    for (const ObjectFile& file : files) {
      if (needed == FilesNeeded::kNone) break;
      if (!IsFile(file.path)) {
        return NotFound(
            Join({file.path, ": missing file of an object of the split ", SplitName(split)}));
      }
      if (needed == FilesNeeded::kFirst) break;
    }
  }
  return OkStatus();
}

bool HasObjects(const ObjectIndex& index, Split split, int32_t category) {
  const auto& files = index.splits[static_cast<size_t>(split)];
  return std::any_of(files.begin(), files.end(),
                     [category](const ObjectFile& file) { return file.category == category; });
}

ObjectFiles::ObjectFiles(const ObjectSettings& settings, ObjectClasses classes, Json config,
                         const ObjectIndex& index)
    : ObjectDataset(settings, std::move(classes), std::move(config)),
      index_(index),
      stamp_(index_.stamp + StampOf(Paths())) {}

Result<Scan> ObjectFiles::Load(Split split, int64_t index) const {
  VOXBIT_RETURN_IF_ERROR(CheckIndex(split, index));
  const ObjectFile& file = Files(split)[static_cast<size_t>(index)];
  VOXBIT_ASSIGN_OR_RETURN(Scan scan, Read(file));
  scan.name = file.name;
  scan.source = file.path;
  if (scan.category < 0) scan.category = file.category;
  return scan;
}

std::vector<std::string> ObjectFiles::files(Split split, int64_t index) const {
  return {Files(split)[static_cast<size_t>(index)].path};
}

bool ObjectFiles::IsCurrent() const { return stamp_ == StampOf(index_.paths) + StampOf(Paths()); }

Status ObjectFiles::Digest(const std::stop_token& stop, FilesNeeded needed) {
  Json identity = {{"config", config()}, {"classes", class_names()}};
  identity["config"].erase("root");  // equal files are equal wherever they are mounted
  if (!index_.parts.empty()) identity["parts"] = index_.parts;
  for (const Split split : {Split::kTrain, Split::kVal, Split::kTest}) {
    Json& names = identity["objects"][std::string(SplitName(split))] = Json::array();
    for (const ObjectFile& file : Files(split)) names.push_back(file.name);
  }
  Sha256 hash;
  hash.Update(CanonicalJson(identity));
  const Status added = AddContents(Paths(), stop, hash);
  const bool may_lack = needed != FilesNeeded::kAll && added.code() != StatusCode::kCancelled;
  if (!added.ok() && may_lack) return OkStatus();
  VOXBIT_RETURN_IF_ERROR(added);
  set_digest(hash.Hex());
  return OkStatus();
}

std::vector<std::string> ObjectFiles::Paths() const {
  std::vector<std::string> paths;
  for (const auto& files : index_.splits) {
    for (const ObjectFile& file : files) paths.push_back(file.path);
  }
  return paths;
}

}  // namespace voxbit::data
