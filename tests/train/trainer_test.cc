#include "worker/train/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/train/train_fixture.h"
#include "worker/train/class_weights.h"
#include "worker/train/evaluator.h"

namespace voxbit::train {
namespace {

search::TrainSettings FewSteps(int64_t steps) {
  search::TrainSettings settings;
  settings.steps = steps;
  settings.lr = 0.05;
  return settings;
}

supernet::TensorMap WeightsAfter(uint64_t seed, const search::TrainSettings& settings) {
  const auto source = OpenTiny();
  const auto net = MakeTinyNet(*source);
  const auto report = TrainSupernet(*net, *source, settings, seed, OnCpu());
  EXPECT_TRUE(report.ok()) << report.status();
  return CopyOf(net->NamedTensors());
}

TEST(TrainerTest, EqualSeedsGiveEqualBits) {
  const search::TrainSettings settings = FewSteps(5);
  const supernet::TensorMap one = WeightsAfter(3, settings);
  EXPECT_TRUE(SameBits(one, WeightsAfter(3, settings)));
  EXPECT_FALSE(SameBits(one, WeightsAfter(4, settings)));
}

TEST(TrainerTest, SettingsOfTheLossReachIt) {
  const supernet::TensorMap plain = WeightsAfter(3, FewSteps(2));
  search::TrainSettings smoothed = FewSteps(2);
  smoothed.label_smoothing = 0.2;
  EXPECT_FALSE(SameBits(plain, WeightsAfter(3, smoothed)));
  search::TrainSettings weighted = FewSteps(2);
  weighted.class_weights = "sqrt_inverse";
  EXPECT_FALSE(SameBits(plain, WeightsAfter(3, weighted)));
}

// Trained on and scored on the same scans: what is learnt must show.
TEST(TrainerTest, OverfitsAFewScans) {
  const auto source =
      OpenTiny({{"train_scans", 2}, {"rotate", false}, {"scale_min", 1}, {"scale_max", 1}});
  const auto net = MakeTinyNet(*source);
  std::vector<double> losses;
  search::TrainSettings settings = FewSteps(150);
  settings.lr = 0.1;
  const auto report =
      TrainSupernet(*net, *source, settings, 1,
                    OnCpu({}, [&](const Progress& progress) { losses.push_back(progress.loss); }));
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(losses.size(), 150U);
  EXPECT_LT(report->final_loss, 0.5 * losses.front());

  const auto scans = WholeSplit(*source, data::Split::kTrain);
  const auto score =
      EvaluateCandidate(*net, net->spec().space().Largest(), *scans, *scans, OnCpu());
  ASSERT_TRUE(score.ok()) << score.status();
  // Chance is below 1 / classes, and the share of the most frequent class bounds no IoU mean.
  EXPECT_GT(score->primary().value, 0.5);
}

TEST(TrainerTest, TrainsAStandaloneSubNetwork) {
  const auto source = OpenTiny();
  const auto supernet = MakeTinyNet(*source);
  const auto net = supernet->Standalone(supernet->spec().space().Smallest());
  std::vector<double> losses;
  const auto report =
      TrainNetwork(*net, "the smallest", *source, FewSteps(40), 1,
                   OnCpu({}, [&](const Progress& progress) { losses.push_back(progress.loss); }));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_LT(report->final_loss, losses.front());
  EXPECT_FALSE(net->is_training());
}

TEST(TrainerTest, NamesStepAndCandidateOfALossThatIsNotFinite) {
  const auto source = OpenTiny();
  const auto net = MakeTinyNet(*source);
  {
    const at::NoGradGuard no_grad;
    net->parameters().back().fill_(std::nan(""));  // the classifier's bias
  }
  const auto report = TrainSupernet(*net, *source, FewSteps(3), 1, OnCpu());
  EXPECT_EQ(report.status().code(), StatusCode::kInfeasible);
  const std::string name = search::Encode(net->spec().space().Largest());
  EXPECT_NE(report.status().message().find("step 0"), std::string::npos) << report.status();
  EXPECT_NE(report.status().message().find(name), std::string::npos) << report.status();
}

TEST(TrainerTest, ADivergedRunIsInfeasible) {
  const auto source = OpenTiny();
  const auto net = MakeTinyNet(*source);
  search::TrainSettings settings = FewSteps(6);
  settings.lr = 1e30;
  EXPECT_EQ(TrainSupernet(*net, *source, settings, 1, OnCpu()).status().code(),
            StatusCode::kInfeasible);
}

TEST(TrainerTest, StopsWithinABatch) {
  const auto source = OpenTiny();
  const auto net = MakeTinyNet(*source);
  std::stop_source stop;
  int64_t steps = 0;
  const auto report = TrainSupernet(*net, *source, FewSteps(1000), 1,
                                    OnCpu(stop.get_token(), [&](const Progress& progress) {
                                      steps = progress.step;
                                      if (steps == 2) stop.request_stop();
                                    }));
  EXPECT_EQ(report.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(steps, 2);
}

TEST(TrainerTest, ReportsProgressWithRemainingTime) {
  const auto source = OpenTiny();
  const auto net = MakeTinyNet(*source);
  std::vector<Progress> seen;
  ASSERT_TRUE(TrainSupernet(*net, *source, FewSteps(3), 1, OnCpu({}, [&](const Progress& p) {
                seen.push_back(p);
              })).ok());
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].step, 1);
  EXPECT_EQ(seen[0].steps, 3);
  EXPECT_GE(seen[0].eta_s, 0);
  EXPECT_EQ(seen[2].eta_s, 0);
  EXPECT_TRUE(std::isfinite(seen[1].loss));
}

TEST(TrainerTest, WeighsRareClassesMore) {
  const std::vector<float> weights = SqrtInverseWeights({100, 0, 400, 10000});
  EXPECT_FLOAT_EQ(weights[0] / weights[2], 2);
  EXPECT_FLOAT_EQ(weights[0] / weights[3], 10);
  EXPECT_FLOAT_EQ(weights[0] + weights[2] + weights[3], 3);
  EXPECT_FLOAT_EQ(weights[1], 1);
}

TEST(TrainerTest, LearnsPartsAndClassesOfClouds) {
  for (const data::Scoring scoring : {data::Scoring::kParts, data::Scoring::kObjects}) {
    const auto source = OpenClouds(scoring);
    const auto net = MakeCloudNet(*source);
    search::TrainSettings settings = FewSteps(200);
    settings.optimizer = "adam";
    settings.batch = 4;
    settings.class_weights = "sqrt_inverse";
    const auto report = TrainSupernet(*net, *source, settings, 1, OnCpu());
    ASSERT_TRUE(report.ok()) << report.status();
    net->Select(net->spec().space().Largest());
    const auto score = Evaluate(*net, *WholeSplit(*source, data::Split::kVal), OnCpu());
    ASSERT_TRUE(score.ok()) << score.status();
    // Guessing the frequent class gives 0.71.
    EXPECT_GT(score->primary().value, 0.85) << score->primary().metric;
  }
}

TEST(TrainerTest, CountsPointsOrObjectsForTheClassWeights) {
  const auto parts = OpenClouds(data::Scoring::kParts);
  const auto of_parts = ClassWeights("sqrt_inverse", *parts, {});
  ASSERT_TRUE(of_parts.ok()) << of_parts.status();
  EXPECT_EQ(of_parts->size(), 5U);
  EXPECT_LT(of_parts->at(0), of_parts->at(3));  // balls are more frequent and have fewer parts
  const auto objects = OpenClouds(data::Scoring::kObjects);
  // 8 balls and 4 rods.
  EXPECT_EQ(ClassWeights("sqrt_inverse", *objects, {}).value(), SqrtInverseWeights({8, 4}));
}

TEST(TrainerTest, ClassWeightsChangeTheLoss) {
  search::TrainSettings settings = FewSteps(2);
  const supernet::TensorMap plain = WeightsAfter(3, settings);
  settings.class_weights = "sqrt_inverse";
  EXPECT_FALSE(SameBits(plain, WeightsAfter(3, settings)));
}

// Tiny streets of whose first training scan one labelled point is left: a single voxel.
class OneTinyScan final : public data::Dataset {
 public:
  explicit OneTinyScan(int64_t train_scans)
      : inner_(data::OpenDataset(data::BuiltinDatasets(),
                                 TinyStreets({{"train_scans", train_scans}}), "/dataset")
                   .value()) {}

  const std::vector<std::string>& class_names() const override { return inner_->class_names(); }
  int64_t size(data::Split split) const override { return inner_->size(split); }
  Result<data::Scan> Load(data::Split split, int64_t index) const override {
    VOXBIT_ASSIGN_OR_RETURN(data::Scan scan, inner_->Load(split, index));
    if (split != data::Split::kTrain || index != 0) return scan;
    size_t row = 0;
    while (scan.labels[row] == data::kIgnoredLabel) ++row;
    scan.points = {scan.points.begin() + 4 * static_cast<std::ptrdiff_t>(row),
                   scan.points.begin() + 4 * static_cast<std::ptrdiff_t>(row + 1)};
    scan.labels = {scan.labels[row]};
    for (data::ExtraChannel& channel : scan.extra) channel.values = {channel.values[row]};
    return scan;
  }
  Result<data::PreparedScan> Prepare(const data::Scan& scan, Rng* augment) const override {
    return inner_->Prepare(scan, augment);
  }
  int64_t num_features() const override { return inner_->num_features(); }
  data::DatasetTraits traits() const override { return inner_->traits(); }
  Json InputContract() const override { return inner_->InputContract(); }
  Json OutputContract() const override { return inner_->OutputContract(); }
  Json Describe() const override { return inner_->Describe(); }

 private:
  const std::unique_ptr<data::Dataset> inner_;
};

std::unique_ptr<ScanSource> OpenWithATinyScan(int64_t train_scans) {
  return std::make_unique<ScanSource>(std::make_unique<OneTinyScan>(train_scans),
                                      std::make_shared<ByteBudget>(int64_t{1} << 28));
}

TEST(TrainerTest, BatchesThatGiveABatchNormASingleRowAreLeftOutAndCounted) {
  const auto source = OpenWithATinyScan(/*train_scans=*/4);
  const auto net = MakeTinyNet(*source);
  search::TrainSettings settings = FewSteps(8);  // two epochs
  settings.batch = 1;
  std::vector<double> losses;
  const auto report =
      TrainSupernet(*net, *source, settings, 1,
                    OnCpu({}, [&](const Progress& progress) { losses.push_back(progress.loss); }));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->steps, 8);
  EXPECT_EQ(report->single_row_steps, 2);
  EXPECT_EQ(report->skipped_steps, 0);
  EXPECT_EQ(std::count_if(losses.begin(), losses.end(), [](double x) { return std::isnan(x); }), 2);
  settings.batch = 2;  // beside another scan it trains
  EXPECT_EQ(TrainSupernet(*net, *source, settings, 1, OnCpu())->single_row_steps, 0);
}

TEST(TrainerTest, ATrainingOfSingleRowsIsCountedAndLeavesNoTrace) {
  const auto source = OpenWithATinyScan(/*train_scans=*/1);
  const auto net = MakeTinyNet(*source);
  const supernet::TensorMap before = CopyOf(net->NamedTensors());
  search::TrainSettings settings = FewSteps(3);
  settings.batch = 1;
  const auto report = TrainSupernet(*net, *source, settings, 1, OnCpu());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->single_row_steps, 3);
  EXPECT_TRUE(std::isfinite(report->final_loss)) << report->final_loss;
  EXPECT_TRUE(SameBits(before, net->NamedTensors()));
}

// The norms before the one that sees a single row have looked at the batch by then.
TEST(TrainerTest, ABatchThatFailsHalfwayLeavesNoTraceInStatistics) {
  data::DatasetRegistry datasets = data::BuiltinDatasets();
  auto dataset = data::OpenDataset(datasets,
                                   {{"kind", "synthetic_objects"},
                                    {"task", "class"},
                                    {"points", 32},
                                    {"object_points", 64},
                                    {"train_objects", 4},
                                    {"val_objects", 2},
                                    {"test_objects", 0},
                                    {"features", {"x", "y", "z"}}},
                                   "/dataset");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  ScanSource source(std::move(dataset).value(), std::make_shared<ByteBudget>(0));
  supernet::SupernetRegistry registry("supernet");
  supernet::RegisterBuiltinSupernets(registry);
  const auto net =
      registry.Find("pct")
          .value()({{"kind", "pct"}, {"channels", 8}, {"picked", {16, 8}}, {"neighbours", {4}}}, "",
                   3, source.dataset().num_classes(), 1)
          .value();
  const supernet::TensorMap before = CopyOf(net->NamedTensors());
  search::TrainSettings settings = FewSteps(2);
  settings.batch = 1;
  const auto report = TrainSupernet(*net, source, settings, 1, OnCpu());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->single_row_steps, 2);
  EXPECT_TRUE(SameBits(before, net->NamedTensors()));
  settings.batch = 2;
  EXPECT_TRUE(TrainSupernet(*net, source, settings, 1, OnCpu()).ok());
}

}  // namespace
}  // namespace voxbit::train
