// Whole-file reading and crash-safe writing.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace voxbit {

// The bytes of a regular file. NOT_FOUND, PERMISSION_DENIED or INTERNAL, naming the path.
Result<std::string> ReadFile(const std::string& path);

// Writes `bytes` under a temporary name in the same folder, syncs, renames and syncs the folder:
// after a crash the path holds the old or the new content, never a part. On failure nothing is
// left behind. RESOURCE_EXHAUSTED when the disk is full, INVALID_ARGUMENT when the path is a
// folder, a link, a device or a pipe: a file would take its place.
Status WriteFileAtomically(const std::string& path, std::string_view bytes);

// fsync of an open descriptor or of a folder, so that a rename in it survives a power cut.
Status SyncFolder(const std::string& path);

// Whether MakeFolders(path) would do, and files could then be written there; leaves nothing behind.
// INVALID_ARGUMENT names the part of the path that is in the way.
Status CheckFolderWritable(const std::string& path);

// Creates a folder and its parents; fine when it exists.
Status MakeFolders(const std::string& path);

}  // namespace voxbit
