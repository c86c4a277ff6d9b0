#include "worker/data/files/source_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <boost/algorithm/string/predicate.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "common/files.h"

namespace voxbit::data {
namespace {

// Up to this size of all files together they are digested whole, above it both ends of each: a
// large dataset must not be read as a whole before the first task.
constexpr int64_t kWholeFilesBytes = int64_t{256} << 20;
constexpr int64_t kEndBytes = int64_t{64} << 10;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

// Adds up to `length` bytes from where the file stands.
Status AddBytes(const std::string& path, std::FILE* file, int64_t length,
                const std::stop_token& stop, Sha256& hash) {
  std::string chunk;
  while (length > 0) {
    if (stop.stop_requested()) return Cancelled("asked to stop");
    chunk.resize(static_cast<size_t>(std::min(length, kEndBytes)));
    chunk.resize(std::fread(chunk.data(), 1, chunk.size(), file));
    if (std::ferror(file) != 0) return FromErrno(errno, path);
    if (chunk.empty()) return OkStatus();
    hash.Update(chunk);
    length -= static_cast<int64_t>(chunk.size());
  }
  return OkStatus();
}

}  // namespace

std::string Join(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

bool IsFolder(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

bool IsFile(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

bool HasExtension(std::string_view name, std::string_view extension) {
  return boost::algorithm::iends_with(name, extension);
}

Result<std::string> ResolveRoot(const std::string& root, const std::string& pointer) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(root, error);
  std::string path = error ? root : absolute.lexically_normal().string();
  if (!IsFolder(path)) return NotFound(pointer + "/root: no such folder: " + path);
  return path;
}

Result<std::vector<ListedName>> ReadNameList(const std::string& path, const std::string& noun) {
  if (!IsFile(path)) {
    return NotFound(Join(
        {path, ": missing split file; it lists one ", noun, " name a line, without extension"}));
  }
  VOXBIT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  std::vector<ListedName> names;
  std::set<std::string> seen;
  int64_t line = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string name = text.substr(begin, end - begin);
    begin = end + 1;
    ++line;
    while (!name.empty() && (name.back() == '\r' || name.back() == ' ')) name.pop_back();
    if (name.empty()) continue;
    if (!seen.insert(name).second) {
      return InvalidArgument(Join({path, ": line ", std::to_string(line), ": ", noun, " \"", name,
                                   "\" is listed already"}));
    }
    names.push_back({std::move(name), line});
  }
  return names;
}

std::string StampOf(const std::vector<std::string>& paths) {
  Sha256 hash;
  for (const std::string& path : paths) {
    struct stat info {};
    const bool there = ::stat(path.c_str(), &info) == 0;
    hash.Update(there
                    ? Join({std::to_string(info.st_size), " ", std::to_string(info.st_mtim.tv_sec),
                            ".", std::to_string(info.st_mtim.tv_nsec), "\n"})
                    : std::string("gone\n"));
  }
  return hash.Hex();
}

Status AddContents(const std::vector<std::string>& paths, const std::stop_token& stop,
                   Sha256& hash) {
  std::vector<int64_t> sizes;
  sizes.reserve(paths.size());
  int64_t total = 0;
  for (const std::string& path : paths) {
    std::error_code error;
    sizes.push_back(static_cast<int64_t>(std::filesystem::file_size(path, error)));
    if (error) return FromErrno(error.value(), path);
    total += sizes.back();
  }
  for (size_t i = 0; i < paths.size(); ++i) {
    hash.Update(std::to_string(sizes[i]) + "\n");
    const File file(std::fopen(paths[i].c_str(), "rb"), std::fclose);
    if (file == nullptr) return FromErrno(errno, paths[i]);
    const bool whole = total <= kWholeFilesBytes || sizes[i] <= 2 * kEndBytes;
    VOXBIT_RETURN_IF_ERROR(
        AddBytes(paths[i], file.get(), whole ? sizes[i] : kEndBytes, stop, hash));
    if (whole) continue;
    if (std::fseek(file.get(), -kEndBytes, SEEK_END) != 0) return FromErrno(errno, paths[i]);
    VOXBIT_RETURN_IF_ERROR(AddBytes(paths[i], file.get(), kEndBytes, stop, hash));
  }
  return OkStatus();
}

}  // namespace voxbit::data
