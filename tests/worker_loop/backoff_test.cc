#include "worker/loop/backoff.h"

#include <gtest/gtest.h>

namespace voxbit::worker {
namespace {

TEST(BackoffTest, GrowsUpToItsLimitAndStaysWithinHalfOfEachSpan) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Backoff backoff({.first = Milliseconds(100), .max = Milliseconds(1000)}, seed);
    for (const int64_t full : {100, 200, 400, 800, 1000, 1000}) {
      const int64_t span = backoff.Next().count();
      EXPECT_LE(span, full);
      EXPECT_GE(span, full / 2);
    }
    backoff.Reset();
    EXPECT_LE(backoff.Next().count(), 100);
  }
}

TEST(BackoffTest, DiffersBetweenSeeds) {
  Backoff one({.first = Milliseconds(1'000'000), .max = Milliseconds(1'000'000)}, 1);
  Backoff two({.first = Milliseconds(1'000'000), .max = Milliseconds(1'000'000)}, 2);
  EXPECT_NE(one.Next(), two.Next());
}

TEST(SleepForTest, EndsAtOnceWhenStopped) {
  std::stop_source source;
  source.request_stop();
  EXPECT_FALSE(SleepFor(Milliseconds(1'000'000'000), source.get_token()));
}

TEST(SleepForTest, LastsItsSpanWhenNobodyStopsIt) {
  EXPECT_TRUE(SleepFor(Milliseconds(1), std::stop_token{}));
}

}  // namespace
}  // namespace voxbit::worker
