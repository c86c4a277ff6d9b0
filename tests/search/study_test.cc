#include "search/domain/study.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "common/files.h"
#include "search/domain/metric.h"

namespace voxbit::search {
namespace {

constexpr char kStudy[] = R"({
  "name": "spvnas-lidar",
  "seed": 7,
  "supernet": { "kind": "spvnas", "width": 0.25 },
  "dataset": { "kind": "semantic_kitti", "voxel_m": 0.4 },
  "train": { "steps": 300, "batch": 2, "lr": 0.1 },
  "search": { "algorithm": "evolution", "population": 16, "trials": 64 },
  "objectives": [ { "metric": "miou" }, { "metric": "latency_ms" } ],
  "constraints": [ { "metric": "macs", "max": 2.0e9 },
                   { "metric": "latency_ms", "target": "cpu-avx2", "max": 40 } ],
  "finetune": { "top": 3, "steps": 200 }
})";

Json Valid() { return ParseJson(kStudy).value(); }

// The study with `value` put at `pointer`; text "REMOVE" removes the key.
Json With(const std::string& pointer, const Json& value) {
  Json study = Valid();
  const Json::json_pointer at(pointer);
  if (value == "REMOVE") {
    study[at.parent_pointer()].erase(at.back());
  } else {
    study[at] = value;
  }
  return study;
}

TEST(StudyConfigTest, ReadsAStudyAndFillsInDefaults) {
  const auto config = ParseStudyConfig(Valid(), "");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->name, "spvnas-lidar");
  EXPECT_EQ(config->seed, 7U);
  EXPECT_EQ(config->supernet["width"], 0.25);
  EXPECT_EQ(config->train.momentum, 0.9);
  EXPECT_EQ(config->search.mutation_probability, 0.1);
  EXPECT_EQ(config->evaluate.calibration_scans, 64);
  EXPECT_EQ(config->finetune.top, 3);
  ASSERT_EQ(config->objectives.size(), 2U);
  EXPECT_EQ(config->objectives[0], (Objective{"miou", ""}));
  EXPECT_EQ(config->objectives[1], (Objective{"latency_ms", "local"}));
  ASSERT_EQ(config->constraints.size(), 2U);
  EXPECT_EQ(config->constraints[0], (Constraint{"macs", "", std::nullopt, 2.0e9}));
  EXPECT_EQ(config->constraints[1], (Constraint{"latency_ms", "cpu-avx2", std::nullopt, 40}));
}

TEST(StudyConfigTest, MetricOfALatencyTableNeedsOne) {
  for (const std::string list : {"/objectives", "/constraints"}) {
    Json study = With(list + "/1", {{"metric", "latency_lut_ms"}, {"max", 40}});
    if (list == "/objectives") study["objectives"][1].erase("max");
    EXPECT_EQ(
        ParseStudyConfig(study, "/studies/0").status().message(),
        "/studies/0" + list + "/1/metric: latency_lut_ms needs a \"latency_table\" in the study");
    study["latency_table"] = {{"layers", Json::object()}};
    EXPECT_TRUE(ParseStudyConfig(study, "").ok());
    study["latency_table"] = "table.json";
    EXPECT_EQ(ParseStudyConfig(study, "").status().message(),
              "/latency_table: expected a latency table, found \"table.json\"");
  }
}

TEST(StudyConfigTest, ResolvedFormOfNoLatencyTableHasNone) {
  EXPECT_FALSE(ToJson(ParseStudyConfig(Valid(), "").value()).contains("latency_table"));
  const Json with = With("/latency_table", {{"layers", Json::object()}});
  EXPECT_EQ(ToJson(ParseStudyConfig(with, "").value())["latency_table"], with["latency_table"]);
}

TEST(StudyConfigTest, ResolvedFormIsReadBackUnchanged) {
  const Json resolved = ToJson(ParseStudyConfig(Valid(), "").value());
  const auto again = ParseStudyConfig(resolved, "");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(ToJson(*again), resolved);
  EXPECT_EQ(resolved["objectives"][1]["target"], "local");
  EXPECT_EQ(resolved["latency"]["repeats"], 10);
}

TEST(StudyConfigTest, EveryMistakeIsNamedWithItsPointer) {
  const struct {
    const char* pointer;
    Json value;
    const char* message;
  } cases[] = {
      {"/name", "REMOVE", "/name: missing"},
      {"/name", "", "/name: expected 1 to 100 characters"},
      {"/name", "Upper", "/name: expected 1 to 100 characters"},
      {"/name", "..", "/name: expected 1 to 100 characters"},
      {"/name", "-x", "/name: expected 1 to 100 characters"},
      {"/name", "a/b", "/name: expected 1 to 100 characters"},
      {"/name", std::string(101, 'a'), "/name: expected 1 to 100 characters"},
      {"/name", 3, "/name: expected 1 to 100 characters"},
      {"/nam", "x", "/nam: unknown key; did you mean \"name\"?"},
      {"/seed", -1, "/seed: expected an integer from 0 to 18446744073709551615, found -1"},
      {"/seed", 1.5, "/seed: expected an integer from 0 to"},
      {"/seed", 18446744073709551616.0, "/seed: expected an integer from 0 to"},
      {"/supernet", "REMOVE", "/supernet: missing"},
      {"/supernet", "spvnas", "/supernet: expected an object"},
      {"/supernet/kind", "REMOVE", "/supernet/kind: missing"},
      {"/supernet/kind", 3, "/supernet/kind: expected a name, found 3"},
      {"/dataset", Json::array(), "/dataset: expected an object"},
      {"/dataset/kind", "", "/dataset/kind: expected a name"},
      {"/train", 3, "/train: expected an object, found 3"},
      {"/train/steps", 0, "/train/steps: expected an integer from 1 to 10000000, found 0"},
      {"/train/steps", 1.5, "/train/steps: expected an integer"},
      {"/train/lr", "fast", "/train/lr: expected a number"},
      {"/train/lr", 0, "/train/lr: expected a number from 1e-09 to 100"},
      {"/train/sampling", "all", "/train/sampling: expected one of sandwich, random"},
      {"/train/sampling", "Random",
       "/train/sampling: expected one of sandwich, random, found \"Random\"; did you mean "
       "\"random\"?"},
      {"/train/stepz", 1, "/train/stepz: unknown key; did you mean \"steps\"?"},
      {"/train/progressive_depth", 1, "/train/progressive_depth: expected true or false"},
      {"/train/warmup_steps", 301, "/train/warmup_steps: expected at most the 300 steps"},
      {"/search/population", 1, "/search/population: expected an integer from 2 to 10000"},
      {"/search/parents", 17, "/search/parents: expected at most the population of 16, found 17"},
      {"/search/mutation_probability", 1.5, "/search/mutation_probability: expected a number"},
      {"/search/trials", 0, "/search/trials: expected an integer from 1"},
      {"/evaluate", Json{{"calibration_scans", 0}}, "/evaluate/calibration_scans: expected"},
      {"/latency", Json{{"repeats", 0}}, "/latency/repeats: expected an integer from 1"},
      {"/finetune/top", -1, "/finetune/top: expected an integer from 0"},
      {"/objectives", "REMOVE", "/objectives: missing"},
      {"/objectives", Json::array(), "/objectives: expected a list of 1 to 4 objectives"},
      {"/objectives", Json::object(), "/objectives: expected a list"},
      {"/objectives/0", "miou", "/objectives/0: expected an object"},
      {"/objectives/0/metric", "REMOVE", "/objectives/0/metric: missing"},
      {"/objectives/0/metric", "mious",
       "/objectives/0/metric: unknown metric \"mious\"; did you mean \"miou\"?"},
      {"/objectives/0/metric", "beauty",
       "/objectives/0/metric: unknown metric \"beauty\"; known: "},
      {"/objectives/0/metric", 3, "/objectives/0/metric: expected the name of a metric"},
      {"/objectives/0/target", "local", "/objectives/0/target: miou is not measured on a target"},
      {"/objectives/1/target", "", "/objectives/1/target: expected the name of a target"},
      {"/objectives/0/max", 1, "/objectives/0/max: unknown key"},
      {"/objectives/1", Json{{"metric", "miou"}}, "/objectives/1: miou is listed twice"},
      {"/constraints", 3, "/constraints: expected a list"},
      {"/constraints/0/max", "REMOVE", "/constraints/0: a constraint needs \"min\" or \"max\""},
      {"/constraints/0/max", "2e9", "/constraints/0/max: expected a finite number"},
      {"/constraints/0/max", Json(), "/constraints/0/max: expected a finite number"},
      {"/constraints/0/min", 3.0e9, "/constraints/0/min: is above \"max\""},
      {"/constraints/0/maximum", 1, "/constraints/0/maximum: unknown key"},
      {"/constraints/1", Json{{"metric", "macs"}, {"min", 1}}, "/constraints/1: macs is listed tw"},
      {"/constraints/0/target", "x", "/constraints/0/target: macs is not measured"},
  };
  for (const auto& c : cases) {
    const auto config = ParseStudyConfig(With(c.pointer, c.value), "/studies/0");
    ASSERT_FALSE(config.ok()) << c.pointer << " " << c.value;
    EXPECT_EQ(config.status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(config.status().message().find(std::string("/studies/0") + c.message), 0U)
        << config.status();
  }
}

TEST(StudyConfigTest, LatenciesAreMeasuredOnTheTargetsOfObjectivesAndConstraints) {
  Json json = With("/objectives", {{{"metric", "miou"}}, {{"metric", "latency_ms"}}});
  json["constraints"] = {{{"metric", "latency_ms"}, {"target", "cpu-avx2"}, {"max", 3}}};
  EXPECT_EQ(LatencyTargets(ParseStudyConfig(json, "").value()),
            (std::set<std::string>{"cpu-avx2", kDefaultTarget}));
  json["objectives"] = Json::array({Json{{"metric", "miou"}}});
  json["constraints"] = Json::array();
  EXPECT_TRUE(LatencyTargets(ParseStudyConfig(json, "").value()).empty());
}

TEST(StudyConfigTest, EverySeedOf64BitsIsReadAndWritten) {
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1} << 63, ~uint64_t{0}}) {
    const StudyConfig config = ParseStudyConfig(With("/seed", seed), "").value();
    EXPECT_EQ(config.seed, seed);
    EXPECT_EQ(ToJson(config)["seed"].get<uint64_t>(), seed);
  }
}

TEST(StudyConfigTest, AReferenceIsWorstThenBest) {
  const auto config = ParseStudyConfig(With("/objectives/1/reference", {80, 10}), "");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(config->objectives[0].reference.has_value());
  EXPECT_EQ(config->objectives[1].reference, (ReferenceRange{80, 10}));
  const Json resolved = ToJson(*config);
  EXPECT_FALSE(resolved["objectives"][0].contains("reference"));
  EXPECT_EQ(ToJson(ParseStudyConfig(resolved, "").value()), resolved);
  const auto refused = [](const std::string& at, const Json& reference) {
    return ParseStudyConfig(With(at + "/reference", reference), "").status().message();
  };
  EXPECT_EQ(refused("/objectives/1", {10, 80}),
            "/objectives/1/reference: expected the worst value first, then a better one: of "
            "latency_ms a lower one is better");
  EXPECT_EQ(refused("/objectives/0", {0.8, 0.2}),
            "/objectives/0/reference: expected the worst value first, then a better one: of miou a "
            "higher one is better");
  EXPECT_EQ(refused("/objectives/0", {0.5, 0.5}).substr(0, 24), "/objectives/0/reference:");
  EXPECT_EQ(refused("/objectives/0", Json::array({1})),
            "/objectives/0/reference: expected two finite numbers, the worst value and the best, "
            "found an array of 1");
  EXPECT_EQ(refused("/constraints/0", {1, 2}).substr(0, 24), "/constraints/0/reference");
}

TEST(StudyConfigTest, TheSameMetricOnTwoTargetsIsTwoObjectives) {
  const Json objectives =
      Json::parse(R"([{"metric": "latency_ms"}, {"metric": "latency_ms", "target": "cpu-avx2"}])");
  EXPECT_TRUE(ParseStudyConfig(With("/objectives", objectives), "").ok());
  const Json twice =
      Json::parse(R"([{"metric": "latency_ms"}, {"metric": "latency_ms", "target": "local"}])");
  EXPECT_FALSE(ParseStudyConfig(With("/objectives", twice), "").ok());
}

TEST(StudyConfigTest, EveryFieldHasHelpAndEveryDefaultIsAccepted) {
  const auto check = [](const auto& fields) {
    for (const FieldHelp& help : fields.Help()) {
      EXPECT_FALSE(help.help.empty()) << help.name;
      EXPECT_FALSE(help.initial.empty()) << help.name;
    }
  };
  check(StudyFields());
  check(TrainFields());
  check(SearchFields());
  check(EvaluateFields());
  check(LatencyFields());
  check(FinetuneFields());
  EXPECT_TRUE(TrainFields().Parse(TrainFields().ToJson({}), "").ok());
  EXPECT_TRUE(SearchFields().Parse(SearchFields().ToJson({}), "").ok());
  EXPECT_TRUE(EvaluateFields().Parse(EvaluateFields().ToJson({}), "").ok());
  EXPECT_TRUE(LatencyFields().Parse(LatencyFields().ToJson({}), "").ok());
  EXPECT_TRUE(FinetuneFields().Parse(FinetuneFields().ToJson({}), "").ok());
}

TEST(StudyConfigTest, DocumentationNamesEverySettingWithItsDefault) {
  const char* root = std::getenv("VOXBIT_SOURCE_DIR");  // NOLINT(concurrency-mt-unsafe): unchanged
  ASSERT_NE(root, nullptr) << "run through ctest";
  const std::string text = ReadFile(std::string(root) + "/docs/settings.md").value();
  const auto check = [&](const std::string& object, const auto& fields) {
    for (const FieldHelp& field : fields.Help()) {
      const std::string row = "| `" + object + "." + field.name + "` | " + field.initial + " |";
      EXPECT_NE(text.find(row), std::string::npos) << row;
    }
  };
  check("search", SearchFields());
  check("train", TrainFields());
  check("evaluate", EvaluateFields());
  check("latency", LatencyFields());
  check("finetune", FinetuneFields());
}

TEST(StudyStateTest, MovesAreThoseOfTheTable) {
  const std::vector<StudyState> all = {StudyState::kActive, StudyState::kPaused,
                                       StudyState::kStopped, StudyState::kCompleted,
                                       StudyState::kFailed};
  const std::vector<std::pair<StudyState, StudyState>> legal = {
      {StudyState::kActive, StudyState::kPaused},    {StudyState::kActive, StudyState::kStopped},
      {StudyState::kActive, StudyState::kCompleted}, {StudyState::kActive, StudyState::kFailed},
      {StudyState::kPaused, StudyState::kActive},    {StudyState::kPaused, StudyState::kStopped},
      {StudyState::kPaused, StudyState::kFailed},
  };
  for (const StudyState from : all) {
    for (const StudyState to : all) {
      const bool is_legal =
          std::find(legal.begin(), legal.end(), std::make_pair(from, to)) != legal.end();
      EXPECT_EQ(CanMove(from, to), is_legal) << Name(from) << " to " << Name(to);
    }
  }
}

TEST(MetricTest, TableHasUnitsAndDirections) {
  EXPECT_EQ(FindMetric("miou")->direction, Direction::kHigher);
  EXPECT_EQ(FindMetric("accuracy")->source, MetricSource::kEvaluation);
  for (const char* name : {"instance_miou", "class_miou", "balanced_accuracy"}) {
    EXPECT_EQ(FindMetric(name)->source, MetricSource::kEvaluation) << name;
    EXPECT_EQ(FindMetric(name)->direction, Direction::kHigher) << name;
  }
  EXPECT_EQ(FindMetric("macs")->source, MetricSource::kCostModel);
  EXPECT_EQ(FindMetric("latency_ms")->unit, "ms");
  EXPECT_EQ(FindMetric("latency_ms")->source, MetricSource::kLatency);
  for (const Metric& metric : Metrics()) EXPECT_FALSE(metric.help.empty()) << metric.name;
  EXPECT_FALSE(FindMetric("bytes").ok());
}

Measurements Measured(const std::vector<std::tuple<std::string, std::string, double>>& values) {
  Measurements measured;
  for (const auto& [metric, target, value] : values) {
    Measurement measurement;
    measurement.metric = metric;
    measurement.target = target;
    measurement.value = value;
    measured[{metric, target}] = measurement;
  }
  return measured;
}

TEST(ObjectiveTest, ViolationIsRelativeToTheBound) {
  EXPECT_EQ(Violation({"macs", "", std::nullopt, 100}, 100), 0);
  EXPECT_DOUBLE_EQ(Violation({"macs", "", std::nullopt, 100}, 150), 0.5);
  EXPECT_DOUBLE_EQ(Violation({"miou", "", 0.5, std::nullopt}, 0.25), 0.5);
  EXPECT_EQ(Violation({"macs", "", 10, 100}, 50), 0);
  EXPECT_DOUBLE_EQ(Violation({"macs", "", std::nullopt, 0}, 2), 2);  // absolute at bound 0

  const std::vector<Constraint> constraints = {{"macs", "", std::nullopt, 100},
                                               {"latency_ms", "a", std::nullopt, 10},
                                               {"latency_ms", "b", std::nullopt, 10}};
  const auto measured = Measured({{"macs", "", 150}, {"latency_ms", "a", 20}});
  EXPECT_DOUBLE_EQ(TotalViolation(constraints, measured), 1.5);
}

TEST(ObjectiveTest, ScoresAreLargerIsBetterAndNeedEveryMeasurement) {
  const std::vector<Objective> objectives = {{"miou", ""}, {"latency_ms", "local"}};
  const auto scores = Scores(objectives, Measured({{"miou", "", 0.4}, {"latency_ms", "local", 8}}));
  ASSERT_TRUE(scores.has_value());
  EXPECT_EQ(*scores, (std::vector<double>{0.4, -8}));
  EXPECT_FALSE(Scores(objectives, Measured({{"miou", "", 0.4}, {"latency_ms", "gpu", 8}})));
  EXPECT_EQ(MetricKey("latency_ms", "local"), "latency_ms[local]");
  EXPECT_EQ(MetricKey("miou", ""), "miou");
}

}  // namespace
}  // namespace voxbit::search
