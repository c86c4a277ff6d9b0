#include "worker/synth.h"

#include <iostream>
#include <memory>

#include "common/config.h"
#include "common/json.h"
#include "worker/data/dataset.h"
#include "worker/data/writer.h"

namespace voxbit::worker {
namespace {

constexpr char kKind[] = "synthetic_lidar";

// "beams=16": the value is JSON; what is not JSON is text.
Status ApplySetting(const std::string& setting, Json& config) {
  const size_t equals = setting.find('=');
  if (equals == std::string::npos || equals == 0) {
    return InvalidArgument("--set " + setting + ": expected KEY=VALUE");
  }
  const std::string text = setting.substr(equals + 1);
  const Result<Json> value = ParseJson(text);
  config[setting.substr(0, equals)] = value.ok() ? *value : Json(text);
  return OkStatus();
}

}  // namespace

Status Synthesise(const SynthFlags& flags) {
  Json config = {{"kind", kKind},
                 {"train_scans", flags.train},
                 {"val_scans", flags.val},
                 {"seed", flags.seed}};
  for (const std::string& setting : flags.settings) {
    VOXBIT_RETURN_IF_ERROR(ApplySetting(setting, config));
  }
  VOXBIT_ASSIGN_OR_RETURN(const std::unique_ptr<data::Dataset> dataset,
                          data::OpenDataset(data::BuiltinDatasets(), config, ""));
  VOXBIT_RETURN_IF_ERROR(data::WriteSemanticKittiFolder(*dataset, flags.out));
  std::cout << "wrote " << dataset->size(data::Split::kTrain) << " scans for training and "
            << dataset->size(data::Split::kVal) << " for validation to " << flags.out
            << "\nuse them with \"dataset\": {\"kind\": \"semantic_kitti\", \"root\": \""
            << flags.out << "\"}\n";
  return OkStatus();
}

std::string SynthSettingsHelp() {
  const auto kind = data::BuiltinDatasets().Find(kKind);
  return kind.ok() ? HelpTable(kind->help()) : "";
}

}  // namespace voxbit::worker
