#include "supernet/nn/row_sample.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <vector>

#include "tests/supernet/test_tensors.h"

namespace voxbit::supernet {
namespace {

// The values of a sample of x [n,C], given in calls of these numbers of rows.
at::Tensor ValuesOf(const at::Tensor& x, const std::vector<int64_t>& rows_of_calls) {
  RowSample sample;
  int64_t begin = 0;
  for (const int64_t rows : rows_of_calls) {
    sample.Add(x.narrow(0, begin, rows));
    begin += rows;
  }
  EXPECT_EQ(begin, x.size(0));
  return sample.Values();
}

TEST(RowSampleTest, IsEverythingWhileThatFits) {
  const at::Tensor x = RandomTensor({100, 7}, 1);
  EXPECT_TRUE(at::equal(ValuesOf(x, {100}), x.flatten()));
  EXPECT_TRUE(at::equal(ValuesOf(x, {1, 60, 39}), x.flatten()));
}

TEST(RowSampleTest, DoesNotDependOnHowRowsAreDivided) {
  const at::Tensor x = RandomTensor({9001, 32}, 2);  // four times what is kept
  const at::Tensor whole = ValuesOf(x, {9001});
  EXPECT_TRUE(at::equal(ValuesOf(x, {3000, 1, 2999, 3001}), whole));
  EXPECT_TRUE(at::equal(ValuesOf(x, std::vector<int64_t>(9001, 1)), whole));
}

TEST(RowSampleTest, KeepsABoundedNumberOfRowsFromEverywhereAndBothExtremes) {
  const int64_t columns = 32;
  at::Tensor x = at::arange(9001, at::kFloat).unsqueeze(1).expand({-1, columns}).clone();
  x[4567][3] = -50;
  x[4569][4] = 20000;
  const at::Tensor values = ValuesOf(x, {4000, 4000, 1001});
  EXPECT_LE(values.numel(), RowSample::kMostValues + 2);
  EXPECT_GT(values.numel(), RowSample::kMostValues / 2);
  EXPECT_EQ(values.min().item<float>(), -50);
  EXPECT_EQ(values.max().item<float>(), 20000);
  EXPECT_NEAR(values.mean().item<float>(), 4500, 10);
}

TEST(RowSampleTest, OwnsItsValues) {
  at::Tensor x = RandomTensor({10, 4}, 3);
  const at::Tensor before = x.clone();
  RowSample sample;
  sample.Add(x);
  x.zero_();
  EXPECT_TRUE(at::equal(sample.Values(), before.flatten()));
}

TEST(RowSampleTest, NothingAddsNothing) {
  RowSample sample;
  sample.Add(at::empty({0, 4}));
  EXPECT_TRUE(sample.empty());
}

}  // namespace
}  // namespace voxbit::supernet
