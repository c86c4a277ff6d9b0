#include "common/number_text.h"

#include <gtest/gtest.h>

namespace voxbit {
namespace {

TEST(NumberTextTest, WholeNumbersHaveNoFraction) {
  EXPECT_EQ(NumberText(99.0), "99");
  EXPECT_EQ(NumberText(-3.0F), "-3");
  EXPECT_EQ(NumberText(100000.0), "100000");
  EXPECT_EQ(NumberText(16777216.0F), "16777216");
  EXPECT_EQ(NumberText(0.0), "0");
}

TEST(NumberTextTest, FractionsHaveTheDigitsThatTheyWereWrittenWith) {
  EXPECT_EQ(NumberText(0.1), "0.1");
  EXPECT_EQ(NumberText(0.1F), "0.1");
  EXPECT_EQ(NumberText(36.5F), "36.5");
  EXPECT_EQ(NumberText(20.05), "20.05");
}

TEST(NumberTextTest, CountsAgreeWithTheirNoun) {
  EXPECT_EQ(Counted(int64_t{0}, "part"), "0 parts");
  EXPECT_EQ(Counted(int64_t{1}, "part"), "1 part");
  EXPECT_EQ(Counted(size_t{2}, "part"), "2 parts");
}

}  // namespace
}  // namespace voxbit
