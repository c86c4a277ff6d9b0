#include "server/study/study_supervisor.h"

#include <gtest/gtest.h>

#include <atomic>

#include "server/study/study_runner.h"
#include "tests/support/temp_dir.h"
#include "tests/support/toy_study.h"

namespace voxbit::testing {
namespace {

// Its saved state cannot be read: `load` says how often and why.
class Unreadable final : public search::Algorithm {
 public:
  explicit Unreadable(std::function<Status()> load) : load_(std::move(load)) {}
  search::AskResult Ask(int64_t) override { return {.proposals = {}, .exhausted = true}; }
  void Tell(std::span<const search::Trial>) override {}
  std::string Save() const override { return ""; }
  Status Load(std::string_view) override { return load_(); }

 private:
  std::function<Status()> load_;
};

class StudySupervisorTest : public ::testing::Test {
 protected:
  StudySupervisorTest() { store_ = storage::Store::Open(dir_.path(), clock_).value(); }

  // A study before its search, which starts with load(); returns once it has ended.
  search::Study RunWith(const std::function<Status()>& load) {
    server::Plugins plugins = ToyPlugins();
    plugins.algorithms.Add("unreadable",
                           {.make =
                                [load](const search::AlgorithmContext&) {
                                  return std::make_unique<Unreadable>(load);
                                }},
                           "for tests");
    Json config = ToyStudy("study", 8);
    config["search"]["algorithm"] = "unreadable";
    const auto plan = server::StudyPlan::Create(config, "", plugins).value();
    const auto study = store_->CreateStudy(plan->config(), plan->config_json()).value();
    EXPECT_TRUE(store_->SaveAlgorithmState(study.id, {"state", 0}).ok());
    const auto runner = server::StudyRunner::Create(study.id, *store_, plugins).value();
    while (store_->GetStudy(study.id)->phase != search::StudyPhase::kSearch) {
      EXPECT_TRUE(runner->Step().ok());
      WorkOnce(*store_);
    }
    server::ChangeSignal changes;
    server::StudySupervisor supervisor(*store_, plugins, changes);
    EXPECT_TRUE(supervisor.StartAll().ok());
    while (!search::IsFinal(store_->GetStudy(study.id)->state)) {
      changes.Wait(changes.version(), Milliseconds(10), {});
    }
    return store_->GetStudy(study.id).value();
  }

  TempDir dir_;
  SystemClock clock_;
  std::unique_ptr<storage::Store> store_;
};

TEST_F(StudySupervisorTest, EndsAStudyWhoseStepCanNeverSucceed) {
  std::atomic<int> loads = 0;
  const auto study = RunWith([&] {
    ++loads;
    return DataLoss("the saved state of the algorithm is damaged");
  });
  EXPECT_EQ(study.state, search::StudyState::kFailed);
  EXPECT_EQ(study.message, "the saved state of the algorithm is damaged");
  EXPECT_EQ(loads, 1);
}

TEST_F(StudySupervisorTest, TriesAgainWhatMayEndDifferently) {
  std::atomic<int> loads = 0;
  const auto study = RunWith([&] {
    return ++loads == 1 ? Unavailable("another program holds the lock", "STORE_BUSY") : OkStatus();
  });
  EXPECT_EQ(loads, 2);
  EXPECT_NE(study.message.find("no trial was proposed"), std::string::npos) << study.message;
}

}  // namespace
}  // namespace voxbit::testing
