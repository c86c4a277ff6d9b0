// What datasets that lie in files share: lists of names, what tells that files have changed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "common/digest.h"
#include "common/status.h"

namespace voxbit::data {

// `parts` one after the other.
std::string Join(std::initializer_list<std::string_view> parts);

bool IsFolder(const std::string& path);
bool IsFile(const std::string& path);
// Whether a file of that name has the extension, ".off" or the like, in any case.
bool HasExtension(std::string_view name, std::string_view extension);

// `root` as an absolute path, so that every message says where this process has looked. NOT_FOUND
// naming "<pointer>/root" when there is no such folder.
Result<std::string> ResolveRoot(const std::string& root, const std::string& pointer);

// One name of a list and the line it is on, from 1.
struct ListedName {
  std::string name;
  int64_t line = 0;
};

// The names in the file at `path`, one a line; blank lines are left out. NOT_FOUND for a missing
// file, INVALID_ARGUMENT for a name that is listed twice. `noun` is what is listed, for messages.
Result<std::vector<ListedName>> ReadNameList(const std::string& path, const std::string& noun);

// Changes with the size and the time of the last change of every file.
std::string StampOf(const std::vector<std::string>& paths);

// Adds the sizes of the files and their bytes; of files that together exceed 256 MiB 64 KiB at both
// ends of each. CANCELLED once `stop` is raised.
Status AddContents(const std::vector<std::string>& paths, const std::stop_token& stop,
                   Sha256& hash);

}  // namespace voxbit::data
