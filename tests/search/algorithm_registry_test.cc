#include <gtest/gtest.h>

#include "tests/search/harness.h"

namespace voxbit::search {
namespace {

TEST(AlgorithmRegistryTest, ASlipIsSetRight) {
  const Status status = Harness({}).algorithms().Find("evolutoin").status();
  EXPECT_NE(status.message().find("did you mean \"evolution\"?"), std::string::npos) << status;
}

TEST(AlgorithmRegistryTest, UnknownNameListsTheKnownOnes) {
  const Harness harness({});
  const Status status = harness.algorithms().Find("magic").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  std::string known;
  for (const std::string& name : harness.algorithms().Names()) {
    known += (known.empty() ? "" : ", ") + name;
  }
  EXPECT_NE(status.message().find("known: " + known), std::string::npos) << status;
}

}  // namespace
}  // namespace voxbit::search
