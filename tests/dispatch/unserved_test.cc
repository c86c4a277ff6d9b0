#include "server/dispatch/unserved.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/store_fixture.h"

namespace voxbit::server {
namespace {

using search::TaskKind;
using testing::StoreTest;
using testing::Take;
using testing::WorkerNamed;

class UnservedTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    study_ = NewStudy("lidar").id;
    storage::NewTrial trial = testing::TrialOf(0, {});
    trial.tasks.push_back({testing::SpecOf(TaskKind::kMeasureLatency, 0, "local")});
    const auto added = store_->AppendTrials(study_, {trial}, {});
    ASSERT_TRUE(added.ok()) << added.status();
    clock_.Advance(kUnservedAfter);
  }

  void Register(search::WorkerInfo worker) {
    worker.targets = {"cpu-avx512"};
    ASSERT_TRUE(store_->RegisterWorker(worker, "session", settings_.lease).ok());
  }
  std::vector<std::string> Why() {
    std::vector<std::string> lines;
    for (const UnservedWork& work :
         FindUnserved(Take(store_->ListWaiting()), Take(store_->ListWorkers()), quarantined_,
                      clock_.NowMs(), settings_)) {
      EXPECT_EQ(work.study, "lidar");
      EXPECT_EQ(work.study_id, study_);
      lines.push_back(work.why);
    }
    return lines;
  }
  using Lines = std::vector<std::string>;

  std::set<std::string> quarantined_;
  DispatchSettings settings_;
  int64_t study_ = 0;
};

TEST_F(UnservedTest, NamesTheTargetThatNobodyHasAndWhatThereIs) {
  Register(WorkerNamed("w1"));
  EXPECT_EQ(Why(),
            Lines{"no worker serves measure_latency on target \"local\"; workers here offer: "
                  "cpu-avx512"});
  search::WorkerInfo other = WorkerNamed("w2");
  other.targets = {"local"};
  ASSERT_TRUE(store_->RegisterWorker(other, "session", settings_.lease).ok());
  EXPECT_EQ(Why(), Lines{});
}

TEST_F(UnservedTest, NamesTheFirstDemandThatNobodyMeets) {
  search::WorkerInfo worker = WorkerNamed("w1");
  worker.task_kinds = {TaskKind::kProfile, TaskKind::kEvaluate};
  Register(worker);
  EXPECT_EQ(Why(),
            Lines{"no worker serves measure_latency; workers here offer: evaluate, profile"});
  worker = WorkerNamed("w1");
  worker.supernets = {"minkunet", "spvnas"};
  Register(worker);
  EXPECT_EQ(Why(),
            Lines{"no worker serves measure_latency of supernet \"toy\"; workers here offer: "
                  "minkunet, spvnas"});
  worker = WorkerNamed("w1");
  worker.datasets = {};
  Register(worker);
  EXPECT_EQ(Why(),
            Lines{"no worker serves measure_latency on dataset \"toy\"; workers here offer: none"});
}

TEST_F(UnservedTest, CountsNoWorkerThatIsLostOrDraining) {
  const Lines nobody = {"no worker serves measure_latency: none is connected, or all are draining"};
  EXPECT_EQ(Why(), nobody);
  Register(WorkerNamed("w1"));
  ASSERT_TRUE(store_->DrainWorker("w1", true).ok());
  EXPECT_EQ(Why(), nobody);
  Register(WorkerNamed("w1"));
  EXPECT_NE(Why(), nobody);
  clock_.Advance(settings_.lost_after + Milliseconds(1));
  EXPECT_EQ(Why(), nobody);
}

TEST_F(UnservedTest, NamesWorkersThatAreQuarantined) {
  search::WorkerInfo able = WorkerNamed("w1");
  able.targets = {"local"};
  ASSERT_TRUE(store_->RegisterWorker(able, "session", settings_.lease).ok());
  EXPECT_EQ(Why(), Lines{});
  quarantined_ = {"w1"};
  EXPECT_EQ(Why(),
            Lines{"no worker serves measure_latency: none is connected, or all are draining; "
                  "quarantined, because others did what they failed at: w1"});
  Register(WorkerNamed("w2"));
  EXPECT_EQ(Why(),
            Lines{"no worker serves measure_latency on target \"local\"; workers here offer: "
                  "cpu-avx512; quarantined, because others did what they failed at: w1"});
}

TEST_F(UnservedTest, SaysNothingOfFreshTasksAndOfStudiesThatAreNotActive) {
  Take(store_->MoveStudy(study_, search::StudyState::kPaused, ""));
  EXPECT_EQ(Why(), Lines{});
  Take(store_->MoveStudy(study_, search::StudyState::kActive, ""));
  EXPECT_EQ(Why().size(), 1u);
  const int64_t other = NewStudy("other").id;
  AddTrials(other, 0, 1);
  EXPECT_EQ(Why().size(), 1u);
}

}  // namespace
}  // namespace voxbit::server
