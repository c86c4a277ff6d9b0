#include "worker/train/evaluator.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/train/train_fixture.h"

namespace voxbit::train {
namespace {

// A network after a few steps: its running statistics are a mixture of candidates.
class EvaluatorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    source_ = OpenTiny();
    net_ = MakeTinyNet(*source_);
    search::TrainSettings settings;
    settings.steps = 12;
    ASSERT_TRUE(TrainSupernet(*net_, *source_, settings, 1, OnCpu()).ok());
    calibration_ = WholeSplit(*source_, data::Split::kTrain);
    scans_ = WholeSplit(*source_, data::Split::kVal);
  }

  std::vector<search::Measurement> Score(const search::Candidate& candidate) {
    const auto result = EvaluateCandidate(*net_, candidate, *calibration_, *scans_, OnCpu());
    EXPECT_TRUE(result.ok()) << result.status();
    return result->measurements;
  }

  search::Candidate Largest() const { return net_->spec().space().Largest(); }
  search::Candidate Smallest() const { return net_->spec().space().Smallest(); }

  std::unique_ptr<ScanSource> source_;
  std::shared_ptr<supernet::Supernet> net_;
  std::unique_ptr<EvaluationSet> calibration_;
  std::unique_ptr<EvaluationSet> scans_;
};

TEST_F(EvaluatorTest, ScoresOfACandidateDoNotDependOnWhatCameBefore) {
  const auto first = Score(Largest());
  const auto small = Score(Smallest());
  EXPECT_EQ(first, Score(Largest()));
  EXPECT_EQ(small, Score(Smallest()));
}

TEST_F(EvaluatorTest, LeavesWeightsAndStatisticsAsTheyWere) {
  const supernet::TensorMap before = CopyOf(net_->NamedTensors());
  Score(Smallest());
  EXPECT_TRUE(SameBits(before, net_->NamedTensors()));
}

TEST_F(EvaluatorTest, LeavesStatisticsAsTheyWereWhenStopped) {
  const supernet::TensorMap before = CopyOf(net_->NamedTensors());
  std::stop_source stop;
  // The first evaluation batch follows the whole calibration.
  const auto result = EvaluateCandidate(
      *net_, Smallest(), *calibration_, *WholeSplit(*source_, data::Split::kVal, 1),
      OnCpu(stop.get_token(), [&](const Progress&) { stop.request_stop(); }));
  EXPECT_EQ(result.status().code(), StatusCode::kCancelled);
  EXPECT_TRUE(SameBits(before, net_->NamedTensors()));
}

TEST_F(EvaluatorTest, CountsEveryPointOfEveryScan) {
  int64_t labelled = 0;
  for (int64_t i = 0; i < source_->dataset().size(data::Split::kVal); ++i) {
    for (const int32_t label : source_->Load(data::Split::kVal, i).value()->labels) {
      labelled += label != data::kIgnoredLabel;
    }
  }
  EXPECT_EQ(Score(Smallest())[0].detail.at("points"), labelled);
}

TEST_F(EvaluatorTest, ReportsMeasurementsWithTheIouOfEachClass) {
  const auto rows = Score(Largest());
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].metric, "miou");
  EXPECT_EQ(rows[0].detail.at("class_iou").size(), source_->dataset().class_names().size());
  EXPECT_EQ(rows[0].detail.at("scans"), 2);
  EXPECT_EQ(rows[1].metric, "accuracy");
  EXPECT_TRUE(search::CheckFinite(rows[0]).ok());
}

// A reward that does not move with the weights (a frozen network, a stale cache) teaches nothing.
TEST_F(EvaluatorTest, ScoresChangeWhenWeightsChange) {
  const auto before = Score(Largest());
  const at::Tensor bias = net_->parameters().back();  // the classifier's
  {
    const at::NoGradGuard no_grad;
    bias[1] += 1000;
  }
  const auto after = Score(Largest());
  EXPECT_LT(after[0].value, before[0].value);
  EXPECT_NE(after[1].value, before[1].value);
  {
    const at::NoGradGuard no_grad;
    bias[1] -= 1000;
  }
  EXPECT_NEAR(Score(Largest())[1].value, before[1].value, 0.01);  // the bias was rounded
}

TEST_F(EvaluatorTest, LogitsThatAreNotFiniteAreInfeasible) {
  {
    const at::NoGradGuard no_grad;
    net_->parameters().back().fill_(std::nan(""));  // the classifier's bias
  }
  const auto result = EvaluateCandidate(*net_, Largest(), *calibration_, *scans_, OnCpu());
  EXPECT_EQ(result.status().code(), StatusCode::kInfeasible);
}

TEST(CloudEvaluatorTest, ScoresDoNotDependOnTheSizeOfTheBatches) {
  for (const data::Scoring scoring : {data::Scoring::kParts, data::Scoring::kObjects}) {
    const auto source = OpenClouds(scoring);
    const auto net = MakeCloudNet(*source);
    search::TrainSettings settings;
    settings.steps = 5;
    ASSERT_TRUE(TrainSupernet(*net, *source, settings, 1, OnCpu()).ok());
    std::vector<std::vector<search::Measurement>> seen;
    for (const int64_t batch : {1, 3, 7}) {
      const auto result = Evaluate(*net, *WholeSplit(*source, data::Split::kVal, batch), OnCpu());
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(result->primary().metric, source->dataset().traits().metrics.front());
      EXPECT_EQ(result->primary().samples, 7);
      seen.push_back(result->measurements);
    }
    EXPECT_EQ(seen[1], seen[0]);
    EXPECT_EQ(seen[2], seen[0]);
  }
}

TEST(CloudEvaluatorTest, ANetworkOfAnotherTaskIsRefused) {
  const auto parts = OpenClouds(data::Scoring::kParts);
  testing::ToyCloudNet classifier(/*is_parts=*/false, parts->dataset().num_features(),
                                  parts->dataset().num_classes());
  const auto scans = WholeSplit(*parts, data::Split::kVal);
  EXPECT_EQ(Evaluate(classifier, *scans, OnCpu()).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(TrainNetwork(classifier, "it", *parts, {}, 1, OnCpu()).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace voxbit::train
