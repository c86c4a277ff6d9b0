#include "worker/train/meters.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <vector>

#include "search/domain/metric.h"
#include "tests/support/toy_clouds.h"

namespace voxbit::train {
namespace {

using data::Scoring;
using testing::ToyClouds;

// A batch of samples as Collate would make it: their categories and the labels of their points.
Batch MakeBatch(const std::vector<std::pair<int32_t, std::vector<int32_t>>>& samples) {
  Batch batch;
  for (const auto& [category, labels] : samples) {
    const auto num = static_cast<int64_t>(labels.size());
    batch.samples.push_back({"sample", category, num});
    for (const int32_t label : labels) {
      batch.inverse.push_back(static_cast<int64_t>(batch.inverse.size()));
      batch.point_labels.push_back(label);
    }
  }
  batch.labels = at::zeros({static_cast<int64_t>(batch.inverse.size())}, at::kLong);
  return batch;
}

// Logits [rows, classes] whose largest entries are at `best`.
at::Tensor LogitsOf(const std::vector<int64_t>& best, int64_t num_classes) {
  return 3 * at::one_hot(torch::tensor(best), num_classes).to(at::kFloat);
}

std::vector<double> Values(const Result<std::vector<search::Measurement>>& measured) {
  EXPECT_TRUE(measured.ok()) << measured.status();
  std::vector<double> values;
  for (const search::Measurement& row : *measured) values.push_back(row.value);
  return values;
}

TEST(MeterTest, MeasuresTheMetricsOfTheDatasetInTheirOrder) {
  for (const Scoring scoring : {Scoring::kParts, Scoring::kObjects}) {
    const ToyClouds dataset(scoring);
    const auto meter = MakeMeter(dataset);
    ASSERT_TRUE(meter->Add(LogitsOf({1}, dataset.num_classes()), MakeBatch({{0, {1}}})).ok());
    const auto measured = meter->Finish();
    ASSERT_TRUE(measured.ok()) << measured.status();
    std::vector<std::string> names;
    for (const search::Measurement& row : *measured) {
      names.push_back(row.metric);
      EXPECT_TRUE(search::FindMetric(row.metric).ok()) << row.metric;
    }
    EXPECT_EQ(names, dataset.traits().metrics);
  }
}

TEST(MeterTest, TellsHowManyPointsTheSettingsLeftOut) {
  const ToyClouds dataset(Scoring::kObjects);
  const auto meter = MakeMeter(dataset);
  Batch batch = MakeBatch({{0, {1}}});
  ASSERT_TRUE(meter->Add(LogitsOf({1}, dataset.num_classes()), batch).ok());
  EXPECT_FALSE(meter->Finish()->front().detail.contains("points_dropped"));
  batch.samples.front().num_dropped = 7;
  ASSERT_TRUE(meter->Add(LogitsOf({1}, dataset.num_classes()), batch).ok());
  EXPECT_EQ(meter->Finish()->front().detail.at("points_dropped"), 7);
}

TEST(MeterTest, APartIsChosenAmongThoseOfTheCategory) {
  const ToyClouds dataset(Scoring::kParts);
  const auto meter = MakeMeter(dataset);
  // The largest logit is that of part 4, which a ball (parts 0 and 1) does not have.
  const at::Tensor logits = torch::tensor({{1.F, 2.F, 0.F, 0.F, 9.F}, {2.F, 1.F, 0.F, 0.F, 9.F}});
  ASSERT_TRUE(meter->Add(logits, MakeBatch({{0, {1, 0}}})).ok());
  EXPECT_EQ(Values(meter->Finish()), std::vector<double>({1, 1, 1}));
}

// Averages over batches would be other numbers: 2 shapes of 1 point, then 1 shape of 2 points.
TEST(MeterTest, ScoresAreThoseOfTheWholeSetHoweverItIsBatched) {
  const ToyClouds dataset(Scoring::kParts);
  const auto at_once = MakeMeter(dataset);
  ASSERT_TRUE(
      at_once->Add(LogitsOf({0, 1, 2, 2}, 5), MakeBatch({{0, {0}}, {0, {0}}, {1, {2, 3}}})).ok());
  const auto in_turns = MakeMeter(dataset);
  ASSERT_TRUE(in_turns->Add(LogitsOf({0, 1}, 5), MakeBatch({{0, {0}}, {0, {0}}})).ok());
  ASSERT_TRUE(in_turns->Add(LogitsOf({2, 2}, 5), MakeBatch({{1, {2, 3}}})).ok());
  const double rod = (1.0 / 2 + 0 + 1) / 3;
  EXPECT_EQ(Values(in_turns->Finish()),
            std::vector<double>({(1 + 0 + rod) / 3, (0.5 + rod) / 2, 2.0 / 4}));
  EXPECT_EQ(Values(in_turns->Finish()), Values(at_once->Finish()));
}

TEST(MeterTest, ObjectsAreCountedOverAllBatches) {
  const ToyClouds dataset(Scoring::kObjects);
  const auto meter = MakeMeter(dataset);
  ASSERT_TRUE(meter->Add(LogitsOf({0, 0, 0}, 2), MakeBatch({{0, {0}}, {0, {0}}, {0, {0}}})).ok());
  ASSERT_TRUE(meter->Add(LogitsOf({0}, 2), MakeBatch({{1, {1}}})).ok());
  const auto measured = meter->Finish();
  EXPECT_EQ(Values(measured), std::vector<double>({3.0 / 4, 1.0 / 2}));
  EXPECT_EQ((*measured)[0].samples, 4);
  EXPECT_EQ((*measured)[1].detail.at("class_recall"), Json({{"ball", 1.0}, {"rod", 0.0}}));
}

TEST(MeterTest, ClassesOfOneNameKeepTheirOwnScores) {
  class TwoOthers final : public ToyClouds {
   public:
    TwoOthers() : ToyClouds(Scoring::kObjects) {}
    const std::vector<std::string>& class_names() const override { return names_; }

   private:
    const std::vector<std::string> names_ = {"other", "other"};
  };
  const TwoOthers dataset;
  const auto meter = MakeMeter(dataset);
  ASSERT_TRUE(meter->Add(LogitsOf({0, 0}, 2), MakeBatch({{0, {0}}, {1, {1}}})).ok());
  EXPECT_EQ((*meter->Finish())[1].detail.at("class_recall"),
            Json({{"other (class 0)", 1.0}, {"other (class 1)", 0.0}}));
}

TEST(MeterTest, NamesCategoriesAndPartsInTheDetail) {
  const ToyClouds dataset(Scoring::kParts);
  const auto meter = MakeMeter(dataset);
  ASSERT_TRUE(meter->Add(LogitsOf({0, 0}, 5), MakeBatch({{0, {0, 1}}})).ok());
  const auto measured = meter->Finish();
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_EQ((*measured)[1].detail.at("category_miou"), Json({{"ball", 0.25}, {"rod", nullptr}}));
  EXPECT_EQ((*measured)[2].detail.at("part_recall").at("upper"), 0.0);
  EXPECT_EQ((*measured)[2].detail.at("part_recall").at("left"), nullptr);
}

TEST(MeterTest, NamesASampleWithoutACategory) {
  const ToyClouds dataset(Scoring::kParts);
  const Status status = MakeMeter(dataset)->Add(LogitsOf({0}, 5), MakeBatch({{-1, {0}}}));
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("sample"), std::string::npos) << status;
}

}  // namespace
}  // namespace voxbit::train
