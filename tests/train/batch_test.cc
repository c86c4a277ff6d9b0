#include "worker/train/batch.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace voxbit::train {
namespace {

// Two voxels, three points; the second voxel is ignored.
data::PreparedScan SmallScan(const std::string& name, float feature) {
  data::PreparedScan scan;
  scan.name = name;
  scan.coords = {0, 0, 0, 5, 6, 7};
  scan.feats = {feature, feature + 1};
  scan.labels = {1, 255};
  scan.inverse = {0, 1, 0};
  scan.point_labels = {1, 255, 0};
  return scan;
}

const at::Device kCpu(at::kCPU);

TEST(BatchTest, PutsTheBatchIndexLast) {
  const auto batch = Collate({SmallScan("a", 1), SmallScan("b", 3)}, BatchUse::kEvaluation, kCpu);
  ASSERT_TRUE(batch.ok()) << batch.status();
  const at::Tensor expected =
      torch::tensor({{0, 0, 0, 0}, {5, 6, 7, 0}, {0, 0, 0, 1}, {5, 6, 7, 1}}, at::kInt);
  EXPECT_TRUE(at::equal(batch->input.voxels.coords, expected));
  EXPECT_TRUE(at::equal(batch->input.voxels.feats, torch::tensor({{1.F}, {2.F}, {3.F}, {4.F}})));
  EXPECT_EQ(batch->input.num_samples, 2);
}

TEST(BatchTest, PointsFindTheirVoxelsInTheBatch) {
  const auto batch = Collate({SmallScan("a", 1), SmallScan("b", 3)}, BatchUse::kEvaluation, kCpu);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->inverse, std::vector<int64_t>({0, 1, 0, 2, 3, 2}));
  EXPECT_EQ(batch->point_labels, std::vector<int32_t>({1, 255, 0, 1, 255, 0}));
}

TEST(BatchTest, CountsTheVoxelsThatTrain) {
  const auto batch = Collate({SmallScan("a", 1), SmallScan("b", 3)}, BatchUse::kTraining, kCpu);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->num_labelled, 2);
  EXPECT_TRUE(at::equal(batch->labels, torch::tensor({1, 255, 1, 255}, at::kLong)));
}

TEST(BatchTest, UnlabelledScansCountAsIgnored) {
  data::PreparedScan scan = SmallScan("a", 1);
  scan.labels.clear();
  scan.point_labels.clear();
  const auto batch = Collate({scan}, BatchUse::kEvaluation, kCpu);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->num_labelled, 0);
  EXPECT_EQ(batch->point_labels, std::vector<int32_t>({255, 255, 255}));
}

TEST(BatchTest, RefusesScansOfDifferentFeatures) {
  data::PreparedScan wide = SmallScan("b", 1);
  wide.feats = {1, 2, 3, 4};
  const auto batch = Collate({SmallScan("a", 1), wide}, BatchUse::kTraining, kCpu);
  EXPECT_EQ(batch.status().code(), StatusCode::kInvalidArgument);
}

TEST(BatchTest, RefusesAnEvaluationScanThatLostPoints) {
  data::PreparedScan scan = SmallScan("a", 1);
  scan.inverse[1] = -1;
  EXPECT_EQ(Collate({scan}, BatchUse::kEvaluation, kCpu).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_TRUE(Collate({scan}, BatchUse::kTraining, kCpu).ok());
}

}  // namespace
}  // namespace voxbit::train
