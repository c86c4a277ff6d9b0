#include "worker/data/dataset.h"

namespace voxbit::data {
namespace {

Result<DatasetKind> FindKind(const DatasetRegistry& registry, const Json& config,
                             const std::string& pointer) {
  if (!config.is_object()) return ExpectedError(pointer, "an object", config);
  const auto kind = config.find("kind");
  if (kind == config.end()) return FieldError(pointer + "/kind", "missing");
  if (!kind->is_string()) return ExpectedError(pointer + "/kind", "text", *kind);
  Result<DatasetKind> found = registry.Find(kind->get<std::string>());
  if (!found.ok()) return FieldError(pointer + "/kind", found.status().message());
  return found;
}

}  // namespace

std::string_view SplitName(Split split) { return split == Split::kTrain ? "train" : "val"; }

Result<Json> ParseDatasetConfig(const DatasetRegistry& registry, const Json& config,
                                const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(const DatasetKind kind, FindKind(registry, config, pointer));
  return kind.parse_config(config, pointer);
}

Result<std::unique_ptr<Dataset>> OpenDataset(const DatasetRegistry& registry, const Json& config,
                                             const std::string& pointer,
                                             const std::stop_token& stop) {
  VOXBIT_ASSIGN_OR_RETURN(const DatasetKind kind, FindKind(registry, config, pointer));
  return kind.open(config, pointer, stop);
}

}  // namespace voxbit::data
