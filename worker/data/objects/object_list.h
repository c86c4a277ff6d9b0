// Objects in files of any folder.
#pragma once

#include <memory>

#include "common/status.h"
#include "worker/data/dataset.h"
#include "worker/data/objects/objects.h"

namespace voxbit::data {

inline constexpr char kTableEnding[] = ".txt";

// DatasetKind::open_files of objects in tables with rows x y z, x y z nx ny nz or
// x y z nx ny nz part. With the parts as the task, the category of an object is `files.category`,
// that of the parts in its file, or the one that its folder is named after, by name or synset; none
// of them is INVALID_ARGUMENT when it is loaded. With classes as the task, the folder's name is the
// truth if it is that of a class. Tables without normals will do where no feature needs them.
Result<std::unique_ptr<Dataset>> OpenObjectTables(const ObjectSettings& settings,
                                                  const Json& description, const FileList& files);

// Index in `names` of the folder that the file at `path` lies in (of the folder above one that is
// called train or test), -1 if it has another name.
int32_t ClassOfFolder(const std::string& path, const std::vector<std::string>& names);

// Reads a table of x y z, x y z nx ny nz or, with `parts`, x y z nx ny nz part; `columns` receives
// how many columns it has. Errors as ReadTable.
Result<std::vector<float>> ReadObjectTable(const std::string& path, bool needs_normals, bool parts,
                                           int64_t max_rows, size_t& columns);

}  // namespace voxbit::data
