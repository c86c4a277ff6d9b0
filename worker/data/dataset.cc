#include "worker/data/dataset.h"

#include <map>
#include <numeric>

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

std::string_view SplitName(Split split) {
  if (split == Split::kTrain) return "train";
  return split == Split::kVal ? "val" : "test";
}

Result<Split> UsableSplit(const Dataset& dataset, const std::string& name) {
  for (const Split split : {Split::kTrain, Split::kVal, Split::kTest}) {
    if (SplitName(split) != name) continue;
    if (dataset.size(split) > 0) return split;
    return FailedPrecondition("the dataset has no scans in the split " + name);
  }
  return InvalidArgument("no split is called " + name);
}

std::string_view InputFormName(InputForm form) {
  return form == InputForm::kVoxels ? "voxels" : "clouds";
}

DatasetTraits MakeTraits(InputForm input, Scoring scoring) {
  DatasetTraits traits{.input = input, .scoring = scoring};
  switch (scoring) {
    case Scoring::kClasses:
      traits.metrics = {"miou", "accuracy"};
      break;
    case Scoring::kParts:
      traits.metrics = {"instance_miou", "class_miou", "accuracy"};
      break;
    case Scoring::kObjects:
      traits.metrics = {"accuracy", "balanced_accuracy"};
      break;
  }
  return traits;
}

std::vector<std::string> ToldApart(std::vector<std::string> names) {
  while (true) {
    std::map<std::string, int64_t> counts;
    for (const std::string& name : names) ++counts[name];
    if (counts.size() == names.size()) return names;
    for (size_t i = 0; i < names.size(); ++i) {
      if (counts[names[i]] > 1) names[i] += " (class " + std::to_string(i) + ")";
    }
  }
}

std::vector<uint32_t> Dataset::raw_ids() const {
  std::vector<uint32_t> ids(class_names().size());
  std::iota(ids.begin(), ids.end(), 0U);
  return ids;
}

std::string Dataset::ScanName(Split /*split*/, int64_t index) const {
  return std::to_string(index);
}

std::vector<ScanWarning> Dataset::TakeWarnings(const Scan& /*scan*/) const { return {}; }

const std::vector<std::vector<int64_t>>& Dataset::parts_of_category() const {
  static const std::vector<std::vector<int64_t>> none;
  return none;
}

const std::vector<std::string>& Dataset::category_names() const {
  static const std::vector<std::string> none;
  return none;
}

std::vector<std::string> Dataset::feature_names() const {
  std::vector<std::string> names;
  for (int64_t i = 0; i < num_features(); ++i) names.push_back("feature " + std::to_string(i));
  return names;
}

std::vector<std::string> Dataset::files(Split /*split*/, int64_t /*index*/) const { return {}; }

Result<Json> ParseDatasetConfig(const DatasetRegistry& registry, const Json& config,
                                const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(const DatasetKind kind, FindKind(registry, config, pointer));
  return kind.parse_config(config, pointer);
}

Result<DatasetTraits> ReadDatasetTraits(const DatasetRegistry& registry, const Json& config,
                                        const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(const DatasetKind kind, FindKind(registry, config, pointer));
  return kind.traits(config, pointer);
}

Result<std::unique_ptr<Dataset>> OpenDataset(const DatasetRegistry& registry, const Json& config,
                                             const std::string& pointer,
                                             const std::stop_token& stop) {
  VOXBIT_ASSIGN_OR_RETURN(const DatasetKind kind, FindKind(registry, config, pointer));
  return kind.open(config, pointer, stop);
}

Status LookAtDataset(const DatasetRegistry& registry, const Json& config,
                     const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(const DatasetKind kind, FindKind(registry, config, pointer));
  Status status = kind.look == nullptr ? OkStatus() : kind.look(config, pointer);
  if (status.ok()) return status;
  const bool has_pointer = status.message().rfind(pointer + "/", 0) == 0;
  return InvalidArgument((has_pointer ? "" : pointer + "/root: ") + status.message());
}

Result<std::unique_ptr<Dataset>> OpenIncompleteDataset(const DatasetRegistry& registry,
                                                       const Json& config,
                                                       const std::string& pointer,
                                                       const std::stop_token& stop) {
  VOXBIT_ASSIGN_OR_RETURN(const DatasetKind kind, FindKind(registry, config, pointer));
  const auto open = kind.open_incomplete == nullptr ? kind.open : kind.open_incomplete;
  return open(config, pointer, stop);
}

Result<std::unique_ptr<Dataset>> OpenFiles(const DatasetRegistry& registry, const Json& description,
                                           const FileList& files) {
  VOXBIT_ASSIGN_OR_RETURN(const DatasetKind kind, FindKind(registry, description, "/dataset"));
  if (kind.open_files == nullptr) {
    return FailedPrecondition("/dataset/kind: " + description.at("kind").get<std::string>() +
                              " reads no files");
  }
  return kind.open_files(description, files);
}

}  // namespace voxbit::data
