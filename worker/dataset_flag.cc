#include "worker/dataset_flag.h"

#include <filesystem>
#include <utility>

namespace voxbit::worker {
namespace {

bool IsInline(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string::npos && text[first] == '{';
}

}  // namespace

Result<FoundDataset> FindDataset(const std::string& text) {
  std::error_code error;
  if (!IsInline(text) && std::filesystem::is_directory(text, error)) {
    return InvalidArgument("--dataset " + text +
                           ": a folder; expected settings as JSON or in a file. search-worker "
                           "suggest --data " +
                           text + " makes them for it");
  }
  FoundDataset found;
  found.source = IsInline(text) ? "--dataset" : text;
  Result<Json> json = IsInline(text) ? ParseJson(text) : ReadJsonFile(text);
  if (!json.ok()) {
    const std::string& message = json.status().message();
    return InvalidArgument(IsInline(text) ? "--dataset: " + message : message);
  }
  found.config = std::move(json).value();
  if (const auto studies = found.config.find("studies"); studies != found.config.end()) {
    if (!studies->is_array() || studies->size() != 1 || !studies->front().is_object()) {
      return InvalidArgument(found.source +
                             ": expected a dataset, a study, or a server's configuration with one "
                             "study in it");
    }
    found.pointer = "/studies/0";
    found.config = Json(studies->front());
  }
  if (const auto dataset = found.config.find("dataset"); dataset != found.config.end()) {
    found.pointer += "/dataset";
    found.config = Json(*dataset);
  }
  return found;
}

}  // namespace voxbit::worker
