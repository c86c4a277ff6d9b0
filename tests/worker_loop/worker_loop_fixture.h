// A worker loop between a fake server and a fake executor, and the work that they give it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "tests/support/fake_coordinator.h"
#include "tests/support/fake_executor.h"
#include "tests/support/temp_dir.h"
#include "worker/loop/worker_loop.h"

namespace voxbit::worker {

inline constexpr Milliseconds kLong{60'000};

inline search::WorkerInfo Info() {
  search::WorkerInfo info;
  info.name = "w";
  info.device = "cpu";
  return info;
}

inline search::SyncReply RunTask(int64_t id, const std::string& token) {
  search::SyncReply reply;
  reply.desired = search::Desired::kRun;
  reply.task_id = id;
  reply.lease_token = token;
  reply.attempt = 1;
  reply.spec.kind = search::TaskKind::kEvaluate;
  reply.next_sync = Milliseconds(5'000);
  return reply;
}

inline search::SyncReply Tell(search::Desired desired,
                              search::Verdict verdict = search::Verdict::kNone) {
  search::SyncReply reply;
  reply.desired = desired;
  reply.verdict = verdict;
  reply.reason = "because";
  return reply;
}

// A worker with a fake server; the clock stands still, so that nothing waits for time.
class WorkerLoopTest : public ::testing::Test {
 protected:
  void Make(testing::FakeExecutor::Work work) { Make(std::move(work), clock_); }
  void Make(testing::FakeExecutor::Work work, const Clock& clock) {
    executor_ = std::make_unique<testing::FakeExecutor>(std::move(work));
    Result<std::unique_ptr<ArtifactCache>> cache =
        ArtifactCache::Open({.folder = folder_.path(),
                             .max_bytes = 1'000'000,
                             .backoff = {Milliseconds(1), Milliseconds(2)}},
                            server_, clock_);
    ASSERT_TRUE(cache.ok()) << cache.status();
    cache_ = *std::move(cache);
    loop_ = std::make_unique<WorkerLoop>(server_, *executor_, clock, Info(), *cache_, settings_);
  }
  Milliseconds Step() { return loop_->Step({}); }
  void StepThroughTask() {
    Step();
    ASSERT_TRUE(loop_->WaitForTask(kLong));
    Step();
  }
  search::SyncRequest last() const { return server_.last(); }

  testing::TempDir folder_;
  testing::FakeCoordinator server_;
  ManualClock clock_;
  testing::Gate gate_;     // what the task waits for
  testing::Gate started_;  // opened by the task
  WorkerLoop::Settings settings_{.backoff = {Milliseconds(1), Milliseconds(2)},
                                 .finish_grace = Milliseconds(0)};
  std::unique_ptr<testing::FakeExecutor> executor_;
  std::unique_ptr<ArtifactCache> cache_;
  std::unique_ptr<WorkerLoop> loop_;
};

inline testing::FakeExecutor::Work Returns(double miou) {
  return [miou](const search::TaskSpec&, ArtifactAccess&, const ProgressSink&,
                const std::stop_token&) { return testing::ResultWithMiou(miou); };
}

// Works until the gate opens; CANCELLED when stopped before.
inline testing::FakeExecutor::Work WaitsFor(testing::Gate& gate, testing::Gate& started) {
  return [&](const search::TaskSpec&, ArtifactAccess&, const ProgressSink& progress,
             const std::stop_token& stop) -> Result<search::TaskResult> {
    progress({{"phase", "train"}, {"step", 3}});
    started.Open();
    if (!gate.Wait(stop)) return Cancelled("stopped");
    return testing::ResultWithMiou(0.5);
  };
}

// Works until the gate opens, whoever asks it to stop.
inline testing::FakeExecutor::Work IsDeafUntil(testing::Gate& gate) {
  return
      [&](const search::TaskSpec&, ArtifactAccess&, const ProgressSink&, const std::stop_token&) {
        gate.Wait();
        return testing::ResultWithMiou(0.5);
      };
}

}  // namespace voxbit::worker
