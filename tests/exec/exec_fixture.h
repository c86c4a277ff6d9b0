// Task specs on small streets, and an artifact store for one test.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "common/files.h"
#include "search/domain/study.h"
#include "supernet/models/specs.h"
#include "tests/support/temp_dir.h"
#include "worker/data/dataset.h"
#include "worker/exec/executors.h"

namespace voxbit::worker {

// Artifacts as files of a temporary folder.
class FolderArtifacts final : public ArtifactAccess {
 public:
  Result<std::string> Fetch(const std::string& sha256) override {
    const std::string path = PathOf(sha256);
    VOXBIT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    return path;
  }
  Result<std::string> Put(std::string_view bytes) override {
    std::string sha256 = Sha256Hex(bytes);
    VOXBIT_RETURN_IF_ERROR(WriteFileAtomically(PathOf(sha256), bytes));
    return sha256;
  }
  std::string PathOf(const std::string& sha256) const { return folder_.path() + "/" + sha256; }

 private:
  testing::TempDir folder_;
};

// An executor with its artifacts, and the specs of one small study.
class ExecTest : public ::testing::Test {
 protected:
  void SetUp() override {
    search::SupernetSpecRegistry registry("supernet");
    supernet::RegisterBuiltinSpecs(registry);
    auto spec = registry.Find("spvnas").value()(Json{{"kind", "spvnas"}, {"width", 0.25}}, "");
    ASSERT_TRUE(spec.ok()) << spec.status();
    spec_ = std::move(spec).value();
    auto dataset = data::ParseDatasetConfig(data::BuiltinDatasets(),
                                            {{"kind", "synthetic_lidar"},
                                             {"train_scans", 4},
                                             {"val_scans", 2},
                                             {"beams", 16},
                                             {"azimuth_steps", 128},
                                             {"voxel_m", 0.5},
                                             {"center", true},
                                             {"features", {"x", "y", "z", "intensity", "height"}}},
                                            "/dataset");
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    dataset_ = std::move(dataset).value();
    executor_ = MakeExecutor({});
  }

  search::TaskSpec Spec(search::TaskKind kind, Json settings) const {
    search::TaskSpec spec;
    const bool is_shared =
        kind == search::TaskKind::kProfile || kind == search::TaskKind::kTrainSupernet;
    const search::SupernetSpec& supernet = is_shared ? spec_->trained() : *spec_;
    spec.kind = kind;
    spec.supernet = supernet.config();
    spec.dataset = dataset_;
    spec.settings = std::move(settings);
    spec.space_digest = supernet.space().digest();
    spec.checkpoint = checkpoint_;
    if (!is_shared) spec.candidate = spec_->space().Smallest();
    return spec;
  }
  search::TaskSpec TrainSpec(int64_t steps) const {
    search::TrainSettings settings;
    settings.steps = steps;
    settings.lr = 0.05;
    return Spec(search::TaskKind::kTrainSupernet, search::TrainFields().ToJson(settings));
  }
  search::TaskSpec EvaluateSpec() const {
    return Spec(search::TaskKind::kEvaluate, {{"evaluate", EvaluateJson()}});
  }
  static Json EvaluateJson() { return {{"calibration_scans", 4}, {"batch", 2}}; }
  search::TaskSpec FinetuneSpec(int64_t steps) const {
    search::FinetuneSettings settings;
    settings.steps = steps;
    return Spec(search::TaskKind::kFinetune,
                {{"finetune", search::FinetuneFields().ToJson(settings)},
                 {"train", search::TrainFields().ToJson({})},
                 {"evaluate", EvaluateJson()}});
  }

  Result<search::TaskResult> Run(const search::TaskSpec& spec, ProgressSink progress = nullptr,
                                 std::stop_token stop = {}) {
    return executor_->Execute(spec, artifacts_, progress, std::move(stop));
  }

  // Trains for a few steps; later specs name the checkpoint.
  void Train(int64_t steps = 4) {
    const auto result = Run(TrainSpec(steps));
    ASSERT_TRUE(result.ok()) << result.status();
    checkpoint_ = result->artifacts.at("checkpoint");
  }

  std::unique_ptr<search::SupernetSpec> spec_;
  Json dataset_;
  std::string checkpoint_;
  FolderArtifacts artifacts_;
  std::unique_ptr<TaskExecutor> executor_;
};

}  // namespace voxbit::worker
