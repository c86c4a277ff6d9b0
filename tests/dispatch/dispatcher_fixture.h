// A dispatcher over a store of one study with two trials, and one registered worker.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "server/dispatch/dispatcher.h"
#include "tests/support/store_fixture.h"

namespace voxbit::server {

class DispatcherTest : public testing::StoreTest {
 protected:
  void SetUp() override {
    testing::StoreTest::SetUp();
    Restart();
    study_ = NewStudy().id;
    AddTrials(study_, 0, 2);
    session_ = Register("w1");
  }

  // A new process over the same store.
  void Restart() {
    Reopen();
    dispatcher_.emplace(*store_, clock_, settings_);
    ASSERT_TRUE(dispatcher_->RefreshLeases().ok());
  }

  std::string Register(const std::string& worker) {
    return testing::Take(dispatcher_->Register(testing::WorkerNamed(worker))).session;
  }
  search::SyncRequest Idle() { return {"w1", session_, false, std::nullopt, std::nullopt}; }
  search::SyncRequest Running(const search::SyncReply& run) {
    search::SyncRequest request = Idle();
    request.running = {run.task_id, run.lease_token, {{"step", 3}}};
    return request;
  }
  search::SyncRequest Finished(const search::SyncReply& run, double miou = 0.5) {
    search::SyncRequest request = Idle();
    request.finished = {run.task_id, run.lease_token, testing::ResultOf("miou", miou),
                        std::nullopt};
    return request;
  }
  search::SyncRequest Failed(const search::SyncReply& run, search::FailureKind kind) {
    search::SyncRequest request = Idle();
    request.finished = {run.task_id, run.lease_token, std::nullopt,
                        search::TaskFailure{kind, "because"}};
    return request;
  }

  std::optional<search::SyncReply> Sync(const search::SyncRequest& request) {
    return testing::Take(dispatcher_->Sync(request));
  }
  // The answer to a request that is answered at once.
  search::SyncReply Answer(const search::SyncRequest& request) {
    const auto reply = Sync(request);
    EXPECT_TRUE(reply.has_value());
    return reply.value_or(search::SyncReply());
  }
  search::SyncReply Run() {
    search::SyncReply reply = Answer(Idle());
    EXPECT_EQ(reply.desired, search::Desired::kRun);
    return reply;
  }
  // A worker that reports another step every 30 s may go on.
  void ExpectProgress(search::SyncRequest& request, int reports) {
    for (int step = 0; step < reports; ++step) {
      request.running->progress["step"] = step;
      clock_.Advance(Milliseconds(30'000));
      EXPECT_EQ(Answer(request).desired, search::Desired::kKeep);
    }
  }
  search::Task Get(const search::SyncReply& run) {
    return testing::Take(store_->GetTask(run.task_id));
  }
  void Expire() {
    clock_.Advance(settings_.lease.lease_duration);
    EXPECT_EQ(testing::Take(dispatcher_->Sweep()), 1);
  }

  DispatchSettings settings_;
  std::optional<Dispatcher> dispatcher_;
  int64_t study_ = 0;
  std::string session_;
};

}  // namespace voxbit::server
