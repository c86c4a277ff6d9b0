#include "worker/loop/task_runner.h"

#include <gtest/gtest.h>

namespace voxbit::worker {
namespace {

using search::FailureKind;

TEST(ToFailureTest, FollowsTheExecutorsContract) {
  EXPECT_EQ(ToFailure(Infeasible("nan"), false).kind, FailureKind::kInfeasible);
  EXPECT_EQ(ToFailure(Unavailable("peer"), false).kind, FailureKind::kTransient);
  EXPECT_EQ(ToFailure(ResourceExhausted("disk"), false).kind, FailureKind::kTransient);
  EXPECT_EQ(ToFailure(FailedPrecondition("other version", "SPACE_MISMATCH"), false).kind,
            FailureKind::kTransient);
  EXPECT_EQ(ToFailure(FailedPrecondition("state"), false).kind, FailureKind::kFailed);
  EXPECT_EQ(ToFailure(Internal("bug"), false).kind, FailureKind::kFailed);
  EXPECT_EQ(ToFailure(InvalidArgument("space"), false).kind, FailureKind::kFailed);
  EXPECT_EQ(ToFailure(NotFound("file"), false).kind, FailureKind::kFailed);
  EXPECT_EQ(ToFailure(InvalidArgument("file", "DATASET_BROKEN"), false).kind, FailureKind::kData);
  EXPECT_EQ(ToFailure(DataLoss("file", "DATASET_BROKEN"), true).message, "file");
  EXPECT_EQ(ToFailure(Cancelled("stopped"), true).kind, FailureKind::kReleased);
  EXPECT_EQ(ToFailure(Cancelled("stopped"), false).kind, FailureKind::kFailed);
}

}  // namespace
}  // namespace voxbit::worker
