#include "worker/synth.h"

#include <algorithm>
#include <iostream>
#include <memory>

#include "common/check.h"
#include "common/config.h"
#include "common/files.h"
#include "common/json.h"
#include "common/set_value.h"
#include "worker/data/dataset.h"
#include "worker/data/files/writer.h"

namespace voxbit::worker {
namespace {

struct SynthKind {
  std::string kind;
  std::string unit;
  std::vector<std::string> splits;
  Status (*write)(const data::Dataset& dataset, const std::string& root);
  std::string read_by;  // the kind of dataset that reads what `write` writes
};

const std::vector<SynthKind>& Kinds() {
  static const std::vector<SynthKind> kinds = {{"synthetic_lidar",
                                                "scans",
                                                {"train", "val"},
                                                data::WriteSemanticKittiFolder,
                                                "semantic_kitti"},
                                               {"synthetic_objects",
                                                "objects",
                                                {"train", "val", "test"},
                                                data::WriteShapeNetPartFolder,
                                                "shapenet_part"}};
  return kinds;
}

// "beams=16".
Status ApplySetting(const std::string& setting, Json& config) {
  const size_t equals = setting.find('=');
  if (equals == std::string::npos || equals == 0) {
    return InvalidArgument("--set " + setting + ": expected KEY=VALUE");
  }
  const Result<Json> value = ParseSetValue(setting.substr(equals + 1));
  if (!value.ok()) return value.status().Annotate("--set " + setting.substr(0, equals));
  config[setting.substr(0, equals)] = *value;
  return OkStatus();
}

}  // namespace

Status Synthesise(const SynthFlags& flags) {
  const auto found = std::find_if(Kinds().begin(), Kinds().end(),
                                  [&](const SynthKind& k) { return k.kind == flags.kind; });
  if (found == Kinds().end()) return InvalidArgument("--kind: unknown kind " + flags.kind);
  const SynthKind& kind = *found;
  if (flags.test != 0 && kind.splits.size() < 3) {
    return InvalidArgument("--test: " + kind.kind + " has no test split");
  }
  Json config = {{"kind", kind.kind}, {"seed", flags.seed}};
  const int64_t sizes[] = {flags.train, flags.val, flags.test};
  for (size_t i = 0; i < kind.splits.size(); ++i) {
    config[kind.splits[i] + "_" + kind.unit] = sizes[i];
  }
  for (const std::string& setting : flags.settings) {
    VOXBIT_RETURN_IF_ERROR(ApplySetting(setting, config));
  }
  VOXBIT_RETURN_IF_ERROR(CheckFolderWritable(flags.out).Annotate("--out"));
  VOXBIT_ASSIGN_OR_RETURN(const std::unique_ptr<data::Dataset> dataset,
                          data::OpenDataset(data::BuiltinDatasets(), config, ""));
  VOXBIT_RETURN_IF_ERROR(kind.write(*dataset, flags.out));
  std::cout << "wrote " << dataset->size(data::Split::kTrain) << " " << kind.unit
            << " for training, " << dataset->size(data::Split::kVal) << " for validation and "
            << dataset->size(data::Split::kTest) << " for testing to " << flags.out
            << "\nuse them with \"dataset\": {\"kind\": \"" << kind.read_by << "\", \"root\": \""
            << flags.out << "\"}\n";
  return OkStatus();
}

std::vector<std::string> SynthKinds() {
  std::vector<std::string> names;
  names.reserve(Kinds().size());
  for (const SynthKind& kind : Kinds()) names.push_back(kind.kind);
  return names;
}

std::string SynthSettingsHelp() {
  std::string help;
  for (const SynthKind& synth : Kinds()) {
    const auto kind = data::BuiltinDatasets().Find(synth.kind);
    VOXBIT_CHECK(kind.ok(), "a kind that synth writes is no dataset");
    help += "Settings of " + synth.kind + ":\n" + HelpTable(kind->help()) + "\n";
  }
  return help;
}

}  // namespace voxbit::worker
