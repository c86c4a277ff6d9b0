#include "server/study/report.h"

#include <gtest/gtest.h>

#include <memory>

#include "common/rng.h"
#include "tests/support/temp_dir.h"

namespace voxbit::testing {
namespace {

search::Trial TrialWith(int64_t number, double miou, double macs) {
  search::Trial trial;
  trial.number = number;
  trial.state = search::TrialState::kSucceeded;
  for (const auto& [metric, value] : {std::pair{"miou", miou}, std::pair{"macs", macs}}) {
    search::Measurement measurement;
    measurement.metric = metric;
    measurement.value = value;
    trial.measured[{metric, ""}] = measurement;
  }
  return trial;
}

const std::vector<search::Objective> kMiouAndMacs = {{"miou", ""}, {"macs", ""}};

std::vector<int64_t> Numbers(const std::vector<search::Trial>& trials) {
  std::vector<int64_t> numbers;
  numbers.reserve(trials.size());
  for (const auto& trial : trials) numbers.push_back(trial.number);
  return numbers;
}

TEST(ReportTest, FrontHoldsTheNonDominatedBestFirst) {
  const auto front = server::ComputeFront(
      {TrialWith(1, 0.5, 100), TrialWith(2, 0.6, 200), TrialWith(3, 0.4, 150)}, kMiouAndMacs, {});
  EXPECT_EQ(Numbers(front.trials), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(Numbers(front.dominated), (std::vector<int64_t>{3}));
}

TEST(ReportTest, TrialsThatFailedOrBreakAConstraintAreNotCompared) {
  auto failed = TrialWith(1, 0.9, 1);
  failed.state = search::TrialState::kFailed;
  search::Constraint at_most;
  at_most.metric = "macs";
  at_most.max = 150;
  const auto front = server::ComputeFront({failed, TrialWith(2, 0.6, 200), TrialWith(3, 0.4, 150)},
                                          kMiouAndMacs, {at_most});
  EXPECT_EQ(Numbers(front.trials), (std::vector<int64_t>{3}));
  EXPECT_TRUE(front.dominated.empty());
}

TEST(ReportTest, NoTrialsGiveAnEmptyFront) {
  const auto front = server::ComputeFront({}, kMiouAndMacs, {});
  EXPECT_TRUE(front.trials.empty());
  EXPECT_FALSE(front.hypervolume.has_value());
}

TEST(ReportTest, EmptyFrontNamesTheConstraintThatNoTrialMeets) {
  const std::vector<search::Trial> trials = {TrialWith(1, 0.5, 100), TrialWith(2, 0.6, 200)};
  const auto why = [&](const std::vector<search::Constraint>& constraints) {
    return server::WhyNoFront(trials, kMiouAndMacs, constraints);
  };
  EXPECT_EQ(why({{"macs", "", std::nullopt, 150}}), "");
  EXPECT_EQ(why({{"macs", "", std::nullopt, 50}}), "no trial meets macs <= 50; the best has 100");
  EXPECT_EQ(why({{"miou", "", 0.9, std::nullopt}, {"macs", "", 300, 400}}),
            "no trial meets miou >= 0.9; the best has 0.6; none meets 300 <= macs <= 400; the best "
            "has 200");
  EXPECT_EQ(why({{"miou", "", 0.55, std::nullopt}, {"macs", "", std::nullopt, 150}}),
            "no trial meets miou >= 0.55 and macs <= 150 together");
  EXPECT_EQ(server::WhyNoFront({}, kMiouAndMacs, {}), "");
}

// A study whose trials end as soon as they are there, and a server's reporter that looks at it.
class ReporterTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(); }

  // Opens the store again and looks at it anew, as a restart does.
  void Start() {
    reporter_.reset();
    store_.reset();
    store_ = storage::Store::Open(dir_.path(), clock_).value();
    reporter_ = std::make_unique<server::Reporter>(*store_, clock_);
  }

  void NewStudy(const std::vector<search::Objective>& objectives, int64_t population,
                const std::vector<search::Constraint>& constraints = {}) {
    search::StudyConfig config;
    config.name = "study-" + std::to_string(++studies_);
    config.supernet = {{"kind", "toy"}};
    config.dataset = {{"kind", "toy"}};
    config.objectives = objectives;
    config.constraints = constraints;
    config.search.population = population;
    config.search.trials = 1000;
    study_ = store_->CreateStudy(config, CanonicalJson(search::ToJson(config)))->id;
    MoveTo(search::StudyPhase::kSearch);
  }
  void MoveTo(search::StudyPhase phase) { ASSERT_TRUE(store_->SetPhase(study_, phase).ok()); }

  // Trials with these values of miou and macs, all at once.
  void Add(const std::vector<std::pair<double, double>>& values) {
    std::vector<storage::NewTrial> trials;
    for (const auto& [miou, macs] : values) {
      storage::NewTrial& trial = trials.emplace_back();
      trial.candidate.choices = {++choice_};
      trial.digest = std::to_string(choice_);
      trial.costs = TrialWith(choice_, miou, macs).measured;
    }
    ASSERT_TRUE(store_->AppendTrials(study_, trials, {}).ok());
  }

  search::Study Study() const { return store_->GetStudy(study_).value(); }
  server::Progress Progress() { return reporter_->GetProgress(Study()).value(); }
  std::optional<double> Hypervolume() { return Progress().hypervolume; }
  std::optional<double> FrontHypervolume(const std::vector<std::string>& metrics = {}) {
    return reporter_->GetFront(Study(), metrics)->hypervolume;
  }
  std::optional<double> Speed() { return Progress().trials_per_minute; }

  TempDir dir_;
  ManualClock clock_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<server::Reporter> reporter_;
  int64_t study_ = 0;
  int studies_ = 0;
  int32_t choice_ = 0;
};

// Steps of 2^-26 in each direction.
constexpr double kStep = 1e-7;

TEST_F(ReporterTest, HypervolumeIsMeasuredFromTheFirstGeneration) {
  NewStudy(kMiouAndMacs, 3);
  Add({{0.6, 200}, {0.5, 100}});
  EXPECT_FALSE(Hypervolume().has_value());
  EXPECT_FALSE(FrontHypervolume().has_value());
  Add({{0.4, 200}});
  // mIoU between 0 and 1, costs between the largest, 200, and 0: only (0.5, 0.5) is above.
  EXPECT_NEAR(*Hypervolume(), 0.25, kStep);
  EXPECT_EQ(Hypervolume(), FrontHypervolume());
  // A trial below the reference widens nothing.
  Add({{0.3, 1000}});
  EXPECT_NEAR(*Hypervolume(), 0.25, kStep);
  Add({{0.6, 150}});
  EXPECT_NEAR(*Hypervolume(), 0.5 * 0.5 + 0.1 * 0.25, kStep);
}

TEST_F(ReporterTest, ConstraintsAndGivenReferencesComeFirst) {
  NewStudy(kMiouAndMacs, 2, {{"macs", "", 100, 500}, {"miou", "", 0.2, std::nullopt}});
  Add({{0.6, 300}, {0.4, 300}});
  EXPECT_NEAR(*Hypervolume(), (0.6 - 0.2) / 0.8 * (500 - 300) / 400, kStep);
  EXPECT_EQ(store_->GetStudy(study_)->hypervolume_reference, "[[0.2,1.0],[500.0,100.0]]");

  NewStudy({{"miou", "", search::ReferenceRange{0.5, 0.7}}, {"macs", ""}}, 2);
  Add({{0.6, 50}});
  EXPECT_FALSE(Hypervolume().has_value());
  Add({{0.4, 100}});
  EXPECT_NEAR(*Hypervolume(), 0.5 * 0.5, kStep);

  NewStudy({{"miou", "", search::ReferenceRange{0.5, 0.7}},
            {"macs", "", search::ReferenceRange{400, 200}}},
           16);
  EXPECT_EQ(Hypervolume(), 0.0);
  Add({{0.6, 100}});  // better than the best counts as the best
  EXPECT_NEAR(*Hypervolume(), 0.5, kStep);
}

TEST_F(ReporterTest, AConstantObjectiveIsLeftOutForGood) {
  NewStudy(kMiouAndMacs, 2);
  Add({{0.5, 300}, {0.4, 300}});
  EXPECT_NEAR(*Hypervolume(), 0.5, kStep);
  Add({{0.3, 100}, {0.5, 400}});
  EXPECT_NEAR(*Hypervolume(), 0.5, kStep);
  Add({{0.7, 900}});
  EXPECT_NEAR(*Hypervolume(), 0.7, kStep);

  NewStudy({{"macs", ""}}, 2);
  Add({{0.5, 300}, {0.4, 300}});
  EXPECT_FALSE(Hypervolume().has_value());
}

TEST_F(ReporterTest, AStudyThatEndsWithinItsFirstGenerationHasAReferenceThen) {
  NewStudy(kMiouAndMacs, 16);
  Add({{0.5, 100}, {0.4, 200}});
  EXPECT_FALSE(Hypervolume().has_value());
  MoveTo(search::StudyPhase::kFinetune);
  EXPECT_NEAR(*Hypervolume(), 0.25, kStep);
}

TEST_F(ReporterTest, AStudyStoppedWithinItsFirstGenerationGetsItsReferenceWhenItIsTriedAgain) {
  NewStudy(kMiouAndMacs, 2);
  Add({{0.5, 100}});
  ASSERT_TRUE(store_->MoveStudy(study_, search::StudyState::kStopped, "").ok());
  // Costs that are all equal are left out.
  EXPECT_NEAR(*Hypervolume(), 0.5, kStep);
  EXPECT_EQ(Study().hypervolume_reference, "");
  ASSERT_TRUE(store_->RetryStudy(study_).ok());
  reporter_->Forget(study_);
  EXPECT_FALSE(Hypervolume().has_value());
  Add({{0.4, 200}});
  EXPECT_NEAR(*Hypervolume(), 0.25, kStep);
  EXPECT_EQ(Study().hypervolume_reference, "[[0.0,1.0],[200.0,0.0]]");
}

TEST_F(ReporterTest, TheReferenceIsKeptWithTheStudy) {
  NewStudy(kMiouAndMacs, 2);
  Add({{0.5, 100}, {0.4, 200}});
  const std::optional<double> before = Hypervolume();
  EXPECT_EQ(Study().hypervolume_reference, "[[0.0,1.0],[200.0,0.0]]");
  Start();
  EXPECT_EQ(Hypervolume(), before);
  // Another one is not taken.
  ASSERT_TRUE(store_->SetHypervolumeReference(study_, "[[0,1],[1,0]]").ok());
  EXPECT_EQ(Study().hypervolume_reference, "[[0.0,1.0],[200.0,0.0]]");
}

TEST_F(ReporterTest, OtherMetricsHaveAReferenceByTheSameRules) {
  NewStudy({{"miou", ""}}, 2);
  Add({{0.5, 100}, {0.4, 200}});
  EXPECT_NEAR(*FrontHypervolume(), 0.5, kStep);
  EXPECT_NEAR(*FrontHypervolume({"miou", "macs"}), 0.25, kStep);
  EXPECT_NEAR(*FrontHypervolume({"macs"}), 0.5, kStep);
  Add({{0.1, 900}});
  EXPECT_NEAR(*FrontHypervolume({"macs"}), 0.5, kStep);
}

TEST_F(ReporterTest, HypervolumeNeverFallsAndDependsOnTheTrialsAlone) {
  const std::vector<search::Objective> kAll = {
      {"miou", ""}, {"macs", ""}, {"params", ""}, {"accuracy", ""}};
  Rng rng(11);
  for (int sequence = 0; sequence < 60; ++sequence) {
    SCOPED_TRACE(sequence);
    const auto dimensions = static_cast<size_t>(1 + sequence % 4);
    NewStudy({kAll.begin(), kAll.begin() + static_cast<std::ptrdiff_t>(dimensions)},
             2 + rng.Below(8));
    std::optional<double> last;
    // Some objectives have one value in the first generation, some few values.
    const int64_t levels = 1 + rng.Below(4);
    for (int step = 0; step < 12; ++step) {
      std::vector<storage::NewTrial> trials;
      for (int64_t left = rng.Below(5); left >= 0; --left) {
        storage::NewTrial& trial = trials.emplace_back();
        trial.candidate.choices = {++choice_};
        trial.digest = std::to_string(choice_);
        const auto some = [&] {
          return step < 4 ? static_cast<double>(rng.Below(levels)) / 4 : rng.Uniform(0, 1);
        };
        trial.costs = TrialWith(choice_, some(), some() * 1e9).measured;
        trial.costs[{"params", ""}] = {"params", "", some() * 1000};
        trial.costs[{"accuracy", ""}] = {"accuracy", "", some()};
      }
      ASSERT_TRUE(store_->AppendTrials(study_, trials, {}).ok());
      const std::optional<double> now = Hypervolume();
      EXPECT_EQ(now, FrontHypervolume());
      if (rng.Below(4) == 0) {
        Start();
        EXPECT_EQ(now, Hypervolume());
      }
      EXPECT_GE(now.value_or(0), last.value_or(0));
      EXPECT_FALSE(last.has_value() && !now.has_value());
      EXPECT_LE(now.value_or(0), 1);
      last = now;
    }
  }
}

TEST_F(ReporterTest, ProgressAddsNewTrialsToWhatItKnows) {
  NewStudy(kMiouAndMacs, 16, {{"macs", "", std::nullopt, 900}});
  EXPECT_EQ(Progress().front_size, 0);
  Rng rng(5);
  for (int number = 1; number <= 105; ++number) {
    Add({{rng.Uniform(0, 1), rng.Uniform(0, 1000)}});
    if (number % 7 != 0) continue;
    const auto progress = Progress();
    EXPECT_EQ(progress.front_size,
              static_cast<int64_t>(reporter_->GetFront(Study(), {})->trials.size()));
    EXPECT_EQ(progress.hypervolume, FrontHypervolume());
  }
}

TEST_F(ReporterTest, SpeedFallsWhileResultsStayAway) {
  NewStudy(kMiouAndMacs, 16);
  EXPECT_FALSE(Speed().has_value());
  for (int i = 0; i < 60; ++i) {
    clock_.Advance(Milliseconds(1000));
    Add({{0.5, 100}});
  }
  EXPECT_DOUBLE_EQ(*Speed(), 60.0);
  clock_.Advance(Milliseconds(32'000));
  EXPECT_DOUBLE_EQ(*Speed(), 30.0);
  clock_.Advance(Milliseconds(32 * 60'000 - 64'000));
  EXPECT_DOUBLE_EQ(*Speed(), 1.0);
  // A study that searches no more keeps the last one.
  MoveTo(search::StudyPhase::kFinetune);
  EXPECT_DOUBLE_EQ(*Speed(), 60.0);
}

TEST_F(ReporterTest, ResultsOfOneMomentAreNoSpeed) {
  NewStudy(kMiouAndMacs, 16);
  Add(std::vector<std::pair<double, double>>(200, {0.5, 100}));
  EXPECT_FALSE(Speed().has_value());
  clock_.Advance(Milliseconds(2));
  Add({{0.5, 100}});
  EXPECT_FALSE(Speed().has_value());
  // 100 of each second, in batches.
  for (int i = 0; i < 40; ++i) {
    clock_.Advance(Milliseconds(500));
    Add(std::vector<std::pair<double, double>>(50, {0.5, 100}));
    if (i < 20) continue;
    EXPECT_NEAR(*Speed(), 6000, 300);
  }
}

TEST_F(ReporterTest, PausesAndStopsOfTheServerAreNotCounted) {
  NewStudy(kMiouAndMacs, 16);
  const auto work = [&](int results) {
    for (int i = 0; i < results; ++i) {
      clock_.Advance(Milliseconds(1000));
      Add({{0.5, 100}});
    }
  };
  work(10);
  ASSERT_TRUE(store_->MoveStudy(study_, search::StudyState::kPaused, "").ok());
  clock_.Advance(Milliseconds(3'600'000));
  EXPECT_NEAR(*Speed(), 60, 7);
  ASSERT_TRUE(store_->MoveStudy(study_, search::StudyState::kActive, "").ok());
  EXPECT_FALSE(Speed().has_value());
  work(5);
  EXPECT_DOUBLE_EQ(*Speed(), 60.0);
  clock_.Advance(Milliseconds(3'600'000));
  Start();
  EXPECT_FALSE(Speed().has_value());
  work(5);
  EXPECT_DOUBLE_EQ(*Speed(), 60.0);
}

TEST_F(ReporterTest, ASearchThatIsOverKeepsItsSpeedOverARestart) {
  NewStudy(kMiouAndMacs, 16);
  for (int i = 0; i < 40; ++i) {
    clock_.Advance(Milliseconds(500));
    Add({{0.5, 100}});
  }
  MoveTo(search::StudyPhase::kFinetune);
  const std::optional<double> before = Speed();
  EXPECT_DOUBLE_EQ(before.value_or(0), 120.0);
  clock_.Advance(Milliseconds(3'600'000));
  Start();
  EXPECT_EQ(Speed(), before);
  ASSERT_TRUE(store_->MoveStudy(study_, search::StudyState::kCompleted, "").ok());
  EXPECT_EQ(Speed(), before);
}

TEST(ReportTest, MetricKeysNameMetricAndTarget) {
  EXPECT_EQ(server::ParseMetricKey("miou").value(), (search::Objective{"miou", ""}));
  EXPECT_EQ(server::ParseMetricKey("latency_ms[orin]").value(),
            (search::Objective{"latency_ms", "orin"}));
  EXPECT_EQ(server::ParseMetricKey("latency_ms").value(),
            (search::Objective{"latency_ms", "local"}));
  EXPECT_EQ(server::ParseMetricKey("beauty").status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace voxbit::testing
