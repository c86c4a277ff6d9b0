#include "worker/train/meters.h"

#include <gtest/gtest.h>

#include <vector>

namespace voxbit::train {
namespace {

SegmentationScores Score(int64_t num_classes, const std::vector<int64_t>& predictions,
                         const std::vector<int32_t>& labels) {
  ConfusionMatrix matrix(num_classes);
  EXPECT_TRUE(matrix.Add(predictions, labels).ok());
  return matrix.Scores().value();
}

TEST(MetersTest, ComputesIntersectionOverUnion) {
  // Class 0: 2 right, 1 missed; class 1: 1 right, 1 wrongly claimed.
  const auto scores = Score(2, {0, 0, 1, 1}, {0, 0, 0, 1});
  EXPECT_DOUBLE_EQ(scores.class_iou[0].value(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(scores.class_iou[1].value(), 1.0 / 2);
  EXPECT_DOUBLE_EQ(scores.miou, (2.0 / 3 + 1.0 / 2) / 2);
  EXPECT_DOUBLE_EQ(scores.accuracy, 3.0 / 4);
  EXPECT_EQ(scores.num_points, 4);
}

TEST(MetersTest, LeavesIgnoredPointsOut) {
  const auto scores = Score(2, {0, 1, 0}, {0, 1, 255});
  EXPECT_DOUBLE_EQ(scores.miou, 1);
  EXPECT_EQ(scores.num_points, 2);
}

TEST(MetersTest, LeavesOutAClassThatIsNeitherLabelledNorPredicted) {
  const auto scores = Score(3, {0, 1}, {0, 1});
  EXPECT_FALSE(scores.class_iou[2].has_value());
  EXPECT_DOUBLE_EQ(scores.miou, 1);
}

TEST(MetersTest, LeavesAnUnlabelledClassThatIsPredictedOutOfTheMean) {
  const auto scores = Score(3, {0, 1, 2}, {0, 1, 1});
  EXPECT_FALSE(scores.class_iou[2].has_value());
  EXPECT_EQ(scores.num_predicted_absent, 1);
  // The wrong prediction counts where it belongs: in the class of its point.
  EXPECT_DOUBLE_EQ(scores.class_iou[1].value(), 0.5);
  EXPECT_DOUBLE_EQ(scores.miou, (1.0 + 0.5) / 2);
}

TEST(MetersTest, AccumulatesCountsInsteadOfAveragingScans) {
  ConfusionMatrix matrix(2);
  ASSERT_TRUE(matrix.Add(std::vector<int64_t>{0}, std::vector<int32_t>{1}).ok());
  ASSERT_TRUE(matrix.Add(std::vector<int64_t>{0, 0, 1}, std::vector<int32_t>{0, 0, 1}).ok());
  // Averaging the two scans' scores would give (0 + 1) / 2.
  EXPECT_DOUBLE_EQ(matrix.Scores()->miou, (2.0 / 3 + 1.0 / 2) / 2);
  EXPECT_EQ(matrix.count(1, 0), 1);
}

TEST(MetersTest, RefusesASetWithoutLabels) {
  ConfusionMatrix matrix(2);
  ASSERT_TRUE(matrix.Add(std::vector<int64_t>{0}, std::vector<int32_t>{255}).ok());
  EXPECT_EQ(matrix.Scores().status().code(), StatusCode::kInvalidArgument);
}

TEST(MetersTest, RefusesALabelOutOfRangeAndAddsNothing) {
  ConfusionMatrix matrix(2);
  const Status status = matrix.Add(std::vector<int64_t>{0, 0}, std::vector<int32_t>{0, 2});
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(matrix.count(0, 0), 0);
}

}  // namespace
}  // namespace voxbit::train
