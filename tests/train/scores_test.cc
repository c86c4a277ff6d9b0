#include "worker/train/scores.h"

#include <gtest/gtest.h>

#include <vector>

namespace voxbit::train {
namespace {

ClassScores Score(int64_t num_classes, const std::vector<int64_t>& predictions,
                  const std::vector<int32_t>& labels) {
  ConfusionMatrix matrix(num_classes);
  EXPECT_TRUE(matrix.Add(predictions, labels).ok());
  return matrix.Scores().value();
}

TEST(ScoresTest, ComputesIntersectionOverUnion) {
  // Class 0: 2 right, 1 missed; class 1: 1 right, 1 wrongly claimed.
  const auto scores = Score(2, {0, 0, 1, 1}, {0, 0, 0, 1});
  EXPECT_DOUBLE_EQ(scores.class_iou[0].value(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(scores.class_iou[1].value(), 1.0 / 2);
  EXPECT_DOUBLE_EQ(scores.miou, (2.0 / 3 + 1.0 / 2) / 2);
  EXPECT_DOUBLE_EQ(scores.accuracy, 3.0 / 4);
  EXPECT_EQ(scores.num_items, 4);
}

TEST(ScoresTest, LeavesIgnoredPointsOut) {
  const auto scores = Score(2, {0, 1, 0}, {0, 1, 255});
  EXPECT_DOUBLE_EQ(scores.miou, 1);
  EXPECT_EQ(scores.num_items, 2);
}

TEST(ScoresTest, LeavesOutAClassThatIsNeitherLabelledNorPredicted) {
  const auto scores = Score(3, {0, 1}, {0, 1});
  EXPECT_FALSE(scores.class_iou[2].has_value());
  EXPECT_DOUBLE_EQ(scores.miou, 1);
}

TEST(ScoresTest, LeavesAnUnlabelledClassThatIsPredictedOutOfTheMean) {
  const auto scores = Score(3, {0, 1, 2}, {0, 1, 1});
  EXPECT_FALSE(scores.class_iou[2].has_value());
  EXPECT_EQ(scores.num_predicted_absent, 1);
  // The wrong prediction counts where it belongs: in the class of its point.
  EXPECT_DOUBLE_EQ(scores.class_iou[1].value(), 0.5);
  EXPECT_DOUBLE_EQ(scores.miou, (1.0 + 0.5) / 2);
}

TEST(ScoresTest, AccumulatesCountsInsteadOfAveragingScans) {
  ConfusionMatrix matrix(2);
  ASSERT_TRUE(matrix.Add(std::vector<int64_t>{0}, std::vector<int32_t>{1}).ok());
  ASSERT_TRUE(matrix.Add(std::vector<int64_t>{0, 0, 1}, std::vector<int32_t>{0, 0, 1}).ok());
  // Averaging the two scans' scores would give (0 + 1) / 2.
  EXPECT_DOUBLE_EQ(matrix.Scores()->miou, (2.0 / 3 + 1.0 / 2) / 2);
  EXPECT_EQ(matrix.count(1, 0), 1);
}

TEST(ScoresTest, RefusesASetWithoutLabels) {
  ConfusionMatrix matrix(2);
  ASSERT_TRUE(matrix.Add(std::vector<int64_t>{0}, std::vector<int32_t>{255}).ok());
  EXPECT_EQ(matrix.Scores().status().code(), StatusCode::kInvalidArgument);
}

TEST(ScoresTest, RefusesALabelOutOfRangeAndAddsNothing) {
  ConfusionMatrix matrix(2);
  const Status status = matrix.Add(std::vector<int64_t>{0, 0}, std::vector<int32_t>{0, 2});
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(matrix.count(0, 0), 0);
}

TEST(ScoresTest, BalancedAccuracyIsTheMeanRecallOfTheClassesThatOccur) {
  const auto scores = Score(3, {0, 0, 0, 1, 0, 2}, {0, 0, 0, 1, 1, 0});
  EXPECT_DOUBLE_EQ(scores.accuracy, 4.0 / 6);
  EXPECT_DOUBLE_EQ(scores.class_recall[0].value(), 3.0 / 4);
  EXPECT_DOUBLE_EQ(scores.balanced_accuracy, (3.0 / 4 + 1.0 / 2) / 2);
  EXPECT_FALSE(scores.class_recall[2].has_value());
}

// Category 0 has the parts 0 and 1, category 1 the parts 2, 3 and 4.
PartCounts TwoCategories() { return PartCounts({{0, 1}, {2, 3, 4}}, 5); }

void AddShape(PartCounts& counts, int32_t category, const std::vector<int64_t>& predictions,
              const std::vector<int32_t>& labels) {
  const Status added = counts.AddShape(category, predictions, labels);
  EXPECT_TRUE(added.ok()) << added;
}

TEST(PartCountsTest, APartThatIsNeitherLabelledNorPredictedCountsAsOne) {
  PartCounts counts = TwoCategories();
  AddShape(counts, 1, {2, 2, 3}, {2, 2, 2});
  // Part 2: 2 of 3; part 3: 0 of 1; part 4: in neither.
  EXPECT_DOUBLE_EQ(counts.Scores()->instance_miou, (2.0 / 3 + 0 + 1) / 3);
  EXPECT_DOUBLE_EQ(counts.Scores()->accuracy, 2.0 / 3);
}

TEST(PartCountsTest, ShapesCountEquallyInOneMeanAndCategoriesInTheOther) {
  PartCounts counts = TwoCategories();
  AddShape(counts, 0, {0, 1}, {0, 1});
  AddShape(counts, 0, {0, 1, 0, 1}, {0, 1, 0, 1});
  AddShape(counts, 1, {2, 3, 3}, {2, 3, 4});
  const double rod = (1 + 1.0 / 2 + 0) / 3;
  const PartScores scores = counts.Scores().value();
  EXPECT_DOUBLE_EQ(scores.instance_miou, (1 + 1 + rod) / 3);
  EXPECT_DOUBLE_EQ(scores.class_miou, (1 + rod) / 2);
  EXPECT_DOUBLE_EQ(scores.accuracy, 8.0 / 9);
  EXPECT_EQ(scores.num_shapes, 3);
  EXPECT_EQ(counts.labelled(), std::vector<int64_t>({3, 3, 1, 1, 1}));
  EXPECT_EQ(counts.correct(), std::vector<int64_t>({3, 3, 1, 1, 0}));
}

TEST(PartCountsTest, ACategoryThatDoesNotOccurIsLeftOutOfTheMean) {
  PartCounts counts = TwoCategories();
  AddShape(counts, 0, {0, 0}, {0, 1});
  const PartScores scores = counts.Scores().value();
  EXPECT_FALSE(scores.category_iou[1].has_value());
  EXPECT_DOUBLE_EQ(scores.class_miou, (1.0 / 2 + 0) / 2);
}

TEST(PartCountsTest, IgnoredPointsAndUnlabelledShapesDoNotCount) {
  PartCounts counts = TwoCategories();
  AddShape(counts, 0, {0, 1, 1}, {0, 1, 255});
  AddShape(counts, 1, {2, 3}, {255, 255});
  const PartScores scores = counts.Scores().value();
  EXPECT_DOUBLE_EQ(scores.instance_miou, 1);
  EXPECT_EQ(scores.num_shapes, 1);
  EXPECT_EQ(scores.num_points, 2);
  EXPECT_EQ(TwoCategories().Scores().status().code(), StatusCode::kInvalidArgument);
}

TEST(PartCountsTest, RefusesPartsOfAnotherCategoryAndAddsNothing) {
  PartCounts counts = TwoCategories();
  const std::vector<int64_t> predictions = {0, 1};
  EXPECT_FALSE(counts.AddShape(0, predictions, std::vector<int32_t>{0, 2}).ok());
  EXPECT_FALSE(counts.AddShape(1, predictions, std::vector<int32_t>{2, 2}).ok());
  EXPECT_FALSE(counts.AddShape(2, predictions, std::vector<int32_t>{0, 1}).ok());
  EXPECT_FALSE(counts.AddShape(0, predictions, std::vector<int32_t>{0}).ok());
  EXPECT_EQ(counts.labelled(), std::vector<int64_t>(5, 0));
}

TEST(BestAmongTest, LooksAtTheAllowedClassesAndTakesTheFirstOfEqualOnes) {
  const std::vector<float> logits = {9, 1, 2, 2, -3};
  EXPECT_EQ(BestAmong(logits, std::vector<int64_t>{1, 2, 3}), 2);
  EXPECT_EQ(BestAmong(logits, std::vector<int64_t>{4}), 4);
}

}  // namespace
}  // namespace voxbit::train
