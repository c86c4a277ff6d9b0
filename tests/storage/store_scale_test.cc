// A store of a hundred thousand trials answers; how fast is printed, not judged. Instrumented
// builds, which are looking for something else, make do with a tenth.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using testing::Take;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int32_t kTrials = 10'000;
#else
constexpr int32_t kTrials = 100'000;
#endif

using StoreScaleTest = testing::StoreTest;

class Stopwatch {
 public:
  explicit Stopwatch(const char* what) : what_(what) {}
  ~Stopwatch() {
    std::printf("%-28s %8.1f ms\n", what_, static_cast<double>(clock_.MonotonicMs() - start_));
  }

 private:
  const char* what_;
  SystemClock clock_;
  int64_t start_ = clock_.MonotonicMs();
};

TEST_F(StoreScaleTest, HoldsVeryManyTrials) {
  constexpr int32_t kWaiting = 1'000;
  const search::Study study = NewStudy();
  Take(store_->AppendTask(study.id, 0, testing::SpecOf(search::TaskKind::kProfile)));
  Complete(Claim());
  {
    const Stopwatch watch("append all trials");
    for (int32_t i = 0; i < kTrials; i += 1000) {
      const bool waits = i >= kTrials - kWaiting;
      std::vector<search::TaskKind> kinds;
      if (waits) kinds = {search::TaskKind::kEvaluate};
      AddTrials(study.id, i, 1000, kinds);
    }
  }
  {
    const Stopwatch watch("list a page of 1000");
    const auto page = Take(store_->ListTrials(study.id, {{}, kTrials / 2, 1000}));
    ASSERT_EQ(page.size(), 1000u);
    EXPECT_EQ(page.front().number, kTrials / 2 + 1);
  }
  {
    const Stopwatch watch("list all");
    EXPECT_EQ(Take(store_->ListTrials(study.id, {})).size(), size_t{kTrials});
  }
  {
    const Stopwatch watch("count");
    EXPECT_EQ(Take(store_->CountTrials(study.id)).succeeded, kTrials - kWaiting);
  }
  {
    const Stopwatch watch("claim and complete 100");
    for (int i = 0; i < 100; ++i) Complete(Claim());
  }
  {
    const Stopwatch watch("find the profile");
    const auto found =
        Take(store_->ListTasks(study.id, search::TaskKind::kProfile, search::TaskState::kDone));
    ASSERT_EQ(found.size(), 1u);
  }
  {
    const Stopwatch watch("check invariants");
    ExpectSound();
  }
}

}  // namespace
}  // namespace voxbit::storage
