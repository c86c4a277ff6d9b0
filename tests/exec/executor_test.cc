#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <new>
#include <set>

#include "search/space/layer_table.h"
#include "tests/exec/exec_fixture.h"
#include "worker/exec/checkpoint.h"

namespace voxbit::worker {
namespace {

TEST(ExecutorsTest, SupportsEveryTaskKindAndListsWhatItWasBuiltWith) {
  EXPECT_EQ(SupportedKinds().size(), search::AllTaskKinds().size());
  const auto supernets = SupportedSupernets();
  EXPECT_NE(std::find(supernets.begin(), supernets.end(), "spvnas"), supernets.end());
  const auto datasets = SupportedDatasets();
  EXPECT_NE(std::find(datasets.begin(), datasets.end(), "semantic_kitti"), datasets.end());
  EXPECT_FALSE(DeviceModel("cpu").empty());
}

TEST(ExecutorsTest, KnowsTheNamesOfDevices) {
  EXPECT_TRUE(CheckDevice("cpu").ok());
  EXPECT_EQ(CheckDevice("gpu").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckDevice("cuda:").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckDevice("cuda:999").code(), StatusCode::kUnavailable);
}

TEST_F(ExecTest, ProfileCountsWhatOneScanAsksFor) {
  const auto result = Run(Spec(search::TaskKind::kProfile, {{"max_scans", 8}}));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(IsSha256(result->detail.at("dataset_digest").get<std::string>()));
  const auto workload = search::ParseWorkload(result->detail.at("workload"));
  ASSERT_TRUE(workload.ok()) << workload.status();
  EXPECT_EQ(workload->num_samples, 2);
  EXPECT_EQ(workload->in_channels, 5);
  EXPECT_EQ(workload->num_classes, static_cast<int64_t>(workload->class_names.size()));
  const auto& counts = workload->counts;
  EXPECT_EQ(counts.at(search::PointsKey()), counts.at(search::VoxelsKey(1)));
  EXPECT_GT(counts.at(search::VoxelsKey(1)), counts.at(search::VoxelsKey(2)));
  EXPECT_GE(counts.at(search::Pairs3Key(16)), counts.at(search::VoxelsKey(16)));
  EXPECT_EQ(counts.at(search::Pairs2Key(1)), counts.at(search::VoxelsKey(1)));
  // Every layer of every candidate finds its number.
  for (const auto& layer : spec_->Expand(spec_->space().Largest(), 5, workload->num_classes)) {
    EXPECT_EQ(counts.count(layer.workload), 1U) << layer.name << " " << layer.workload;
  }
}

TEST_F(ExecTest, ASplitWithoutScansIsAnError) {
  const Json test = {{"split", "test"}};
  Train();
  for (const search::TaskSpec& spec : {Spec(search::TaskKind::kProfile, test),
                                       Spec(search::TaskKind::kEvaluate, {{"evaluate", test}})}) {
    const auto result = Run(spec);
    EXPECT_EQ(result.status().code(), StatusCode::kFailedPrecondition);
    EXPECT_EQ(result.status().message(), std::string(search::Name(spec.kind)) +
                                             ": the dataset has no scans in the split test");
  }
}

TEST_F(ExecTest, TrainingKeepsACheckpointThatSaysWhatItIs) {
  const auto result = Run(TrainSpec(3));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->detail.at("steps"), 3);
  EXPECT_TRUE(IsSha256(result->artifacts.at("checkpoint")));
  // The same spec gives the same bytes.
  const auto again = Run(TrainSpec(3));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->artifacts, result->artifacts);
}

TEST_F(ExecTest, EvaluationMeasuresTheSameWhateverCameBefore) {
  Train();
  const auto first = Run(EvaluateSpec());
  ASSERT_TRUE(first.ok()) << first.status();
  search::TaskSpec other = EvaluateSpec();
  other.candidate = spec_->space().Largest();
  ASSERT_TRUE(Run(other).ok());
  EXPECT_EQ(Run(EvaluateSpec())->measurements, first->measurements);
  // Nor does it matter what the executor has in its caches.
  executor_ = MakeExecutor({.device = "cpu", .threads = 1, .cache_bytes = 0});
  EXPECT_EQ(Run(EvaluateSpec())->measurements, first->measurements);
  ASSERT_EQ(first->measurements.size(), 2U);
  EXPECT_EQ(first->measurements[0].metric, "miou");
  EXPECT_EQ(first->measurements[1].metric, "accuracy");
}

TEST_F(ExecTest, FinetuningGivesScoresAndWeights) {
  Train();
  const auto result = Run(FinetuneSpec(3));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->measurements.at(0).metric, "miou");
  EXPECT_TRUE(IsSha256(result->artifacts.at("finetuned_weights")));
  EXPECT_EQ(result->detail.at("steps"), 3);
}

TEST_F(ExecTest, RefusesAnotherSearchSpace) {
  for (const search::TaskKind kind : SupportedKinds()) {
    search::TaskSpec spec = Spec(kind, Json::object());
    if (kind == search::TaskKind::kExport) spec.settings = {{"manifest", Json::object()}};
    spec.space_digest = std::string(64, '0');
    const Status status = Run(spec).status();
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(status.reason(), "SPACE_MISMATCH") << status;
  }
}

TEST_F(ExecTest, RefusesSettingsThatItDoesNotKnow) {
  for (const search::TaskKind kind : SupportedKinds()) {
    const Status status = Run(Spec(kind, {{"stepz", 3}})).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    EXPECT_NE(status.message().find("stepz"), std::string::npos) << status;
  }
}

TEST_F(ExecTest, RefusesACandidateOfAnotherShape) {
  search::TaskSpec spec = EvaluateSpec();
  spec.candidate.choices.pop_back();
  EXPECT_EQ(Run(spec).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(ExecTest, AMissingCheckpointIsNotFound) {
  search::TaskSpec spec = EvaluateSpec();
  spec.checkpoint = std::string(64, 'a');
  EXPECT_EQ(Run(spec).status().code(), StatusCode::kNotFound);
}

TEST_F(ExecTest, ADamagedCheckpointIsRefused) {
  const auto sha = artifacts_.Put("no weights at all");
  ASSERT_TRUE(sha.ok());
  search::TaskSpec spec = EvaluateSpec();
  spec.checkpoint = *sha;
  EXPECT_FALSE(Run(spec).ok());
}

TEST_F(ExecTest, WeightsThatAreNotFiniteAreInfeasible) {
  search::TaskSpec spec = TrainSpec(1);
  spec.settings["lr"] = 100;
  spec.settings["weight_decay"] = 1;
  spec.settings["steps"] = 40;
  const Status status = Run(spec).status();
  EXPECT_EQ(status.code(), StatusCode::kInfeasible) << status;
  EXPECT_NE(status.message().find("candidate"), std::string::npos) << status;
}

// Runs out of memory for the first `failures` fetches.
class TightArtifacts final : public ArtifactAccess {
 public:
  TightArtifacts(ArtifactAccess& artifacts, int failures)
      : artifacts_(artifacts), failures_(failures) {}
  Result<std::string> Fetch(const std::string& sha256) override {
    if (failures_-- > 0) throw std::bad_alloc();
    return artifacts_.Fetch(sha256);
  }
  Result<std::string> Put(std::string_view bytes) override { return artifacts_.Put(bytes); }

 private:
  ArtifactAccess& artifacts_;
  int failures_;
};

TEST_F(ExecTest, RunsOnceMoreWithoutCachesWhenMemoryRunsOut) {
  Train();
  TightArtifacts artifacts(artifacts_, 1);
  const auto result = executor_->Execute(EvaluateSpec(), artifacts, nullptr, {});
  EXPECT_TRUE(result.ok()) << result.status();
}

TEST_F(ExecTest, ACandidateThatDoesNotFitHereIsForAnotherWorker) {
  Train();
  TightArtifacts artifacts(artifacts_, 2);
  const Status status = executor_->Execute(EvaluateSpec(), artifacts, nullptr, {}).status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(status.reason(), "OUT_OF_MEMORY") << status;
  EXPECT_TRUE(Run(EvaluateSpec()).ok());
}

TEST_F(ExecTest, ATaskOfNoCandidateThatDoesNotFitIsTriedElsewhere) {
  Train();
  TightArtifacts artifacts(artifacts_, 2);
  const Status status = executor_->Execute(TrainSpec(1), artifacts, nullptr, {}).status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(status.reason(), "OUT_OF_MEMORY") << status;
}

TEST_F(ExecTest, EveryKindStopsWhenAsked) {
  Train();
  std::vector<search::TaskSpec> specs = {
      Spec(search::TaskKind::kProfile, Json::object()), TrainSpec(1000), EvaluateSpec(),
      FinetuneSpec(1000), Spec(search::TaskKind::kMeasureLatency, {{"repeats", 1000}})};
  for (search::TaskSpec& spec : specs) {
    if (spec.kind == search::TaskKind::kEvaluate) spec.settings["evaluate"]["batch"] = 1;
    std::stop_source stop;
    int64_t reports = 0;
    const auto result = Run(
        spec,
        [&](const Json&) {
          ++reports;
          stop.request_stop();
        },
        stop.get_token());
    EXPECT_EQ(result.status().code(), StatusCode::kCancelled) << search::Name(spec.kind);
    EXPECT_EQ(reports, 1) << search::Name(spec.kind);
  }
}

TEST_F(ExecTest, ReportsProgressWithPhaseStepAndTime) {
  std::vector<Json> seen;
  ASSERT_TRUE(Run(TrainSpec(3), [&](const Json& progress) { seen.push_back(progress); }).ok());
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[1].at("phase"), "train");
  EXPECT_EQ(seen[1].at("step"), 2);
  EXPECT_EQ(seen[1].at("steps"), 3);
  EXPECT_TRUE(seen[1].at("loss").is_number());
  EXPECT_TRUE(seen[1].at("eta_s").is_number());
}

}  // namespace
}  // namespace voxbit::worker
