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
  scan.num_features = 1;
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
  wide.num_features = 2;
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

// Three points at (feature + i, 0, 0), of which the second is ignored.
data::PreparedScan SmallCloud(const std::string& name, float feature) {
  data::PreparedScan scan;
  scan.name = name;
  scan.feats = {feature, 0, 0, feature + 1, 0, 0, feature + 2, 0, 0};
  scan.num_features = 3;
  scan.labels = {4, 255, 3};
  scan.inverse = {0, 1, 2};
  scan.point_labels = scan.labels;
  scan.category = 7;
  return scan;
}

// The same as one object with a class.
data::PreparedScan SmallObject(const std::string& name, int32_t category) {
  data::PreparedScan scan = SmallCloud(name, 1);
  scan.labels = {category};
  scan.inverse.clear();
  scan.point_labels.clear();
  scan.category = category;
  return scan;
}

TEST(BatchTest, CloudsStandSideBySide) {
  const auto batch = Collate({SmallCloud("a", 1), SmallCloud("b", 5)}, BatchUse::kEvaluation, kCpu);
  ASSERT_TRUE(batch.ok()) << batch.status();
  const at::Tensor x = torch::tensor({{1.F, 2.F, 3.F}, {5.F, 6.F, 7.F}});
  const at::Tensor zero = at::zeros({2, 3});
  const at::Tensor expected = at::stack({x, zero, zero}, 2);
  EXPECT_TRUE(at::equal(batch->input.clouds, expected));
  EXPECT_FALSE(batch->input.voxels.feats.defined());
  EXPECT_TRUE(at::equal(batch->labels, torch::tensor({4, 255, 3, 4, 255, 3}, at::kLong)));
  EXPECT_EQ(batch->num_labelled, 4);
  EXPECT_EQ(batch->num_rows(), 6);
  EXPECT_EQ(batch->inverse, std::vector<int64_t>({0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(batch->point_labels, std::vector<int32_t>({4, 255, 3, 4, 255, 3}));
  EXPECT_EQ(batch->samples[1].name, "b");
  EXPECT_EQ(batch->samples[1].category, 7);
  EXPECT_EQ(batch->samples[1].num_points, 3);
  EXPECT_GT(batch->bytes(), 0);
}

TEST(BatchTest, AnObjectWithAClassIsOneRow) {
  const auto batch =
      Collate({SmallObject("a", 2), SmallObject("b", 0)}, BatchUse::kEvaluation, kCpu);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->input.clouds.sizes(), at::IntArrayRef({2, 3, 3}));
  EXPECT_TRUE(at::equal(batch->labels, torch::tensor({2, 0}, at::kLong)));
  EXPECT_EQ(batch->inverse, std::vector<int64_t>({0, 1}));
  EXPECT_EQ(batch->point_labels, std::vector<int32_t>({2, 0}));
  EXPECT_TRUE(CheckRows(at::zeros({2, 5}), *batch).ok());
  EXPECT_EQ(CheckRows(at::zeros({6, 5}), *batch).code(), StatusCode::kInvalidArgument);
}

TEST(BatchTest, RefusesCloudsThatDoNotFitTogether) {
  data::PreparedScan longer = SmallCloud("long", 1);
  longer.feats.insert(longer.feats.end(), {9, 9, 9});
  longer.labels.push_back(3);
  data::PreparedScan mislabelled = SmallCloud("mislabelled", 1);
  mislabelled.labels.pop_back();
  data::PreparedScan voxels = SmallCloud("voxels", 1);
  voxels.coords = {0, 0, 0, 1, 0, 0, 2, 0, 0};
  data::PreparedScan empty;
  empty.name = "empty";
  empty.num_features = 3;
  for (const data::PreparedScan& other :
       {longer, mislabelled, empty, SmallObject("object", 1), voxels}) {
    const auto batch = Collate({SmallCloud("a", 1), other}, BatchUse::kTraining, kCpu);
    EXPECT_EQ(batch.status().code(), StatusCode::kInvalidArgument) << other.name;
    EXPECT_NE(batch.status().message().find(other.name), std::string::npos) << batch.status();
  }
}

}  // namespace
}  // namespace voxbit::train
