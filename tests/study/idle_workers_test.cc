// When a study says that workers have nothing to do.
#include "server/study/idle_workers.h"

#include <gtest/gtest.h>

#include "server/study/study_plan.h"
#include "tests/support/toy_study.h"

namespace voxbit::testing {
namespace {

class IdleWorkersTest : public ::testing::Test {
 protected:
  IdleWorkersTest() {
    study_.config = server::StudyPlan::Create(ToyStudy("idle", 64), "", plugins_).value()->config();
    study_.config.search.population = 16;
    study_.phase = search::StudyPhase::kSearch;
    counts_.proposed = 16;
  }

  void Have(int num_workers, const std::string& state) {
    for (int i = 0; i < num_workers; ++i) {
      search::WorkerRow row;
      row.info = ToyWorker();
      row.state = state;
      workers_.push_back(row);
    }
  }

  std::string Idle(search::Pace pace = search::Pace::kSteady, bool has_queued = false) const {
    return server::IdleWorkers(study_, counts_, has_queued, pace, workers_);
  }

  const server::Plugins plugins_ = ToyPlugins();
  search::Study study_;
  storage::TrialCounts counts_;
  std::vector<search::WorkerRow> workers_;
};

TEST_F(IdleWorkersTest, NamesTheSettingThatHoldsThemBack) {
  Have(16, "busy");
  Have(48, "idle");
  EXPECT_EQ(Idle(), "48 of 64 workers idle: in_flight 0 (the population of 16)");
  EXPECT_EQ(Idle(search::Pace::kGenerations),
            "48 of 64 workers idle: in_flight 0 (a generation of 16 is complete before the next "
            "begins)");
  study_.config.search.in_flight = 16;
  EXPECT_EQ(Idle(search::Pace::kGenerations), "48 of 64 workers idle: in_flight 16");
  EXPECT_EQ(Idle(search::Pace::kRounds),
            "48 of 64 workers idle: in_flight 16 (a round of 16 is complete before the next "
            "begins)");
}

TEST_F(IdleWorkersTest, LastResultsOfAGenerationAreWaitedFor) {
  Have(2, "busy");
  Have(14, "idle");
  counts_.succeeded = 13;
  counts_.infeasible = 1;
  EXPECT_EQ(Idle(search::Pace::kGenerations).find("14 of 16 workers idle"), 0U);
  EXPECT_EQ(Idle(), "") << "the next are being asked for";
}

TEST_F(IdleWorkersTest, OnlyThoseCountThatCouldServeTheStudyNow) {
  Have(1, "busy");
  Have(1, "idle");
  Have(3, "lost");
  Have(2, "draining");
  Have(3, "idle");
  workers_[workers_.size() - 1].info.supernets = {"spvnas"};
  workers_[workers_.size() - 2].info.datasets = {"shapenet_part"};
  workers_[workers_.size() - 3].info.task_kinds = {search::TaskKind::kMeasureLatency};
  EXPECT_EQ(Idle(), "1 of 2 workers idle: in_flight 0 (the population of 16)");
}

TEST_F(IdleWorkersTest, NothingIsSaidWhereNothingIsHeldBack) {
  Have(4, "busy");
  EXPECT_EQ(Idle(), "") << "all are busy";
  Have(4, "idle");
  EXPECT_NE(Idle(), "");
  EXPECT_EQ(Idle(search::Pace::kSteady, /*has_queued=*/true), "") << "they may take what is queued";
  const auto unless = [&](auto change) {
    const search::Study study = study_;
    const storage::TrialCounts counts = counts_;
    change();
    std::string text = Idle();
    study_ = study;
    counts_ = counts;
    return text;
  };
  EXPECT_EQ(unless([&] { study_.state = search::StudyState::kPaused; }), "");
  EXPECT_EQ(unless([&] { study_.phase = search::StudyPhase::kTrain; }), "");
  EXPECT_EQ(unless([&] { counts_.proposed = 64; }), "") << "the last trials are under way";
}

}  // namespace
}  // namespace voxbit::testing
