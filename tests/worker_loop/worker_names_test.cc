// Workers that want one name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/worker_loop/worker_loop_fixture.h"

namespace voxbit::worker {
namespace {

using search::Desired;

TEST_F(WorkerLoopTest, PausesMoreAndMoreWhenAnotherWorkerTakesItsName) {
  settings_.register_backoff = {Milliseconds(1'000), Milliseconds(64'000)};
  Make(Returns(0.5));
  for (int64_t pause = 500; pause <= 4'000; pause *= 2) {
    Step();
    server_.Answer(Tell(Desired::kRegister));
    EXPECT_GE(Step().count(), pause);
  }
}

TEST_F(WorkerLoopTest, EndsWhenTheServerSaysThatAnotherWorkerHasItsName) {
  Make(Returns(0.5));
  server_.Answer(FailedPrecondition("start this one with --name", "WORKER_NAME_TAKEN"));
  const Status status = loop_->Run({});
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), ::testing::HasSubstr("--name"));
  EXPECT_EQ(server_.registrations(), 1U);
}

TEST_F(WorkerLoopTest, AWorkerWithADefaultNameTakesTheNextOneThatIsFree) {
  server_.TakeName("w", "alive-1");
  server_.TakeName("w-2", "alive-2");
  settings_.may_rename = true;
  settings_.life_of = [](const std::string&) { return Life::kAlive; };
  Make(Returns(0.5));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Step().count(), 0);
  EXPECT_EQ(server_.registered().back().name, "w-3");
  Step();
  EXPECT_EQ(last().worker, "w-3");
  // It keeps the name when it has to register again.
  server_.Answer(Tell(Desired::kRegister));
  Step();
  Step();
  EXPECT_EQ(server_.registered().back().name, "w-3");
}

TEST_F(WorkerLoopTest, AnEndedPredecessorIsReplacedAtOnce) {
  server_.TakeName("w", "alive");
  server_.TakeName("w-2", "ended");
  settings_.may_rename = true;
  settings_.life_of = [](const std::string& instance) {
    return instance == "ended" ? Life::kEnded : Life::kAlive;
  };
  Make(Returns(0.5));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Step().count(), 0);
  Step();
  EXPECT_EQ(last().worker, "w-2");
}

TEST_F(WorkerLoopTest, AGivenNameThatALivingWorkerHasIsRefused) {
  server_.TakeName("w", "alive");
  settings_.life_of = [](const std::string&) { return Life::kAlive; };
  Make(Returns(0.5));
  const Status status = loop_->Run({});
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.reason(), "WORKER_NAME_TAKEN");
  EXPECT_THAT(status.message(), ::testing::HasSubstr("another worker works as \"w\""));
  EXPECT_THAT(status.message(), ::testing::HasSubstr("--name"));
  EXPECT_EQ(server_.registrations(), 1U);
}

TEST_F(WorkerLoopTest, AWorkerElsewhereHasTimeToProveThatItLives) {
  server_.TakeName("w", "elsewhere");
  settings_.life_of = [](const std::string&) { return Life::kUnknown; };
  settings_.may_rename = true;
  Make(Returns(0.5));
  EXPECT_GT(Step().count(), 0);
  clock_.Advance(settings_.name_wait - Milliseconds(1));
  EXPECT_GT(Step().count(), 0);
  EXPECT_EQ(server_.registered().back().name, "w");
  clock_.Advance(Milliseconds(1));
  Step();
  Step();
  EXPECT_EQ(server_.registered().back().name, "w-2");
}

}  // namespace
}  // namespace voxbit::worker
