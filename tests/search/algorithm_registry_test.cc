#include <gtest/gtest.h>

#include "tests/search/harness.h"

namespace voxbit::search {
namespace {

TEST(AlgorithmRegistryTest, UnknownNameListsTheKnownOnes) {
  const Harness harness({});
  const Status status = harness.algorithms().Find("evolutoin").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("known: evolution, nsga2, random"), std::string::npos) << status;
}

}  // namespace
}  // namespace voxbit::search
