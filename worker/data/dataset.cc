#include "worker/data/dataset.h"

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

std::vector<uint32_t> Dataset::raw_ids() const {
  std::vector<uint32_t> ids(class_names().size());
  std::iota(ids.begin(), ids.end(), 0U);
  return ids;
}

const std::vector<std::vector<int64_t>>& Dataset::parts_of_category() const {
  static const std::vector<std::vector<int64_t>> none;
  return none;
}

const std::vector<std::string>& Dataset::category_names() const {
  static const std::vector<std::string> none;
  return none;
}

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
