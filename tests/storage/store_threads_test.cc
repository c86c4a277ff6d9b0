#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using testing::ResultOf;
using testing::Take;
using testing::WorkerNamed;

using StoreThreadsTest = testing::StoreTest;

TEST_F(StoreThreadsTest, LetsFiftyReadersReadWhileItWrites) {
  const search::Study study = NewStudy();
  std::atomic<bool> stop = false;
  std::atomic<int64_t> reads = 0;
  std::vector<std::thread> readers;
  readers.reserve(50);
  for (int i = 0; i < 50; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        // A trial and its sequence are written together: what is read fits together.
        const auto trials = store_->TrialsAfter(study.id, 0);
        ASSERT_TRUE(trials.ok()) << trials.status();
        for (size_t k = 0; k < trials->size(); ++k) {
          ASSERT_EQ((*trials)[k].sequence, static_cast<int64_t>(k) + 1);
        }
        ++reads;
      }
    });
  }
  for (int32_t i = 0; i < 40; ++i) AddTrials(study.id, i, 1, {});
  while (reads < 50) std::this_thread::yield();
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(Take(store_->CountTrials(study.id)).succeeded, 40);
}

TEST_F(StoreThreadsTest, HandsEachTaskToOneWorkerOnly) {
  constexpr int kTasks = 60;
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, kTasks);
  std::mutex mutex;
  std::multiset<int64_t> claimed;
  std::vector<std::thread> workers;
  workers.reserve(8);
  for (int i = 0; i < 8; ++i) {
    workers.emplace_back([&, i] {
      const search::WorkerInfo worker = WorkerNamed("w" + std::to_string(i));
      while (true) {
        const auto task = store_->ClaimTask(worker, policy_);
        ASSERT_TRUE(task.ok()) << task.status();
        if (!task->has_value()) return;
        const auto verdict =
            store_->CompleteTask((*task)->id, (*task)->lease_token, ResultOf("miou", 0.5));
        ASSERT_TRUE(verdict.ok()) << verdict.status();
        EXPECT_EQ(*verdict, search::Verdict::kRecorded);
        const std::lock_guard<std::mutex> lock(mutex);
        claimed.insert((*task)->id);
      }
    });
  }
  for (auto& worker : workers) worker.join();
  EXPECT_EQ(claimed.size(), size_t{kTasks});
  EXPECT_EQ(std::set<int64_t>(claimed.begin(), claimed.end()).size(), size_t{kTasks});
}

TEST_F(StoreThreadsTest, ShowsOthersNothingOfAnOpenTransaction) {
  const Status written = store_->Write([&]() -> Status {
    NewStudy("new");
    EXPECT_TRUE(store_->GetStudy("new").ok());
    std::thread([&] {
      EXPECT_EQ(store_->GetStudy("new").status().code(), StatusCode::kNotFound);
    }).join();
    return OkStatus();
  });
  EXPECT_TRUE(written.ok()) << written;
  EXPECT_TRUE(store_->GetStudy("new").ok());
}

TEST_F(StoreThreadsTest, RunsARequestOnceHoweverManySendIt) {
  std::atomic<int> runs = 0;
  const RequestKey key{"123e4567-e89b-12d3-a456-426614174000", "m", "b"};
  std::vector<std::thread> callers;
  callers.reserve(8);
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      const auto answer = store_->RunOnce(key, [&]() -> Result<std::optional<std::string>> {
        return std::optional<std::string>(std::to_string(++runs));
      });
      ASSERT_TRUE(answer.ok()) << answer.status();
      EXPECT_EQ(**answer, "1");
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace voxbit::storage
