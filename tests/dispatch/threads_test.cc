#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/log.h"
#include "server/dispatch/dispatcher.h"
#include "tests/support/store_fixture.h"

namespace voxbit::server {
namespace {

using search::Desired;
using search::SyncRequest;
using testing::Take;
using testing::WorkerNamed;

using DispatcherThreadsTest = testing::StoreTest;

TEST_F(DispatcherThreadsTest, ServesManyWorkersAtOnce) {
  constexpr int kTasks = 48;
  constexpr int kWorkers = 6;
  log::Configure(log::Format::kText, log::Level::kOff, "threads_test");
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, kTasks);
  Dispatcher dispatcher(*store_, clock_, DispatchSettings{});
  std::atomic<int> recorded = 0;
  std::vector<std::thread> workers;
  workers.reserve(kWorkers);
  for (int i = 0; i < kWorkers; ++i) {
    workers.emplace_back([&, i] {
      const std::string name = "w" + std::to_string(i);
      SyncRequest request{name, Take(dispatcher.Register(WorkerNamed(name))).session, false,
                          std::nullopt, std::nullopt};
      while (true) {
        const auto reply = dispatcher.Sync(request);
        ASSERT_TRUE(reply.ok()) << reply.status();
        if (reply->has_value() && (*reply)->verdict == search::Verdict::kRecorded) ++recorded;
        if (!reply->has_value() || (*reply)->desired != Desired::kRun) return;
        SyncRequest running = request;
        running.finished.reset();
        running.running = {(*reply)->task_id, (*reply)->lease_token, Json::object()};
        EXPECT_EQ(Take(dispatcher.Sync(running))->desired, Desired::kKeep);
        request.finished = {(*reply)->task_id, (*reply)->lease_token,
                            testing::ResultOf("miou", 0.5), std::nullopt};
      }
    });
  }
  std::atomic<bool> stop = false;
  std::thread sweeper([&] {
    while (!stop) {
      Take(dispatcher.Sweep());
      Take(dispatcher.ListWorkers());
      Take(store_->NextDeadlineMs());
    }
  });
  for (auto& worker : workers) worker.join();
  stop = true;
  sweeper.join();
  EXPECT_EQ(recorded, kTasks);
  EXPECT_EQ(Take(store_->CountTrials(study.id)).succeeded, kTasks);
}

}  // namespace
}  // namespace voxbit::server
