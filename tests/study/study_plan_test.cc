// What a study's creation refuses before any data is read.
#include "server/study/study_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "supernet/models/specs.h"
#include "tests/support/toy_clouds.h"
#include "tests/support/toy_study.h"

namespace voxbit::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class StudyPlanTest : public ::testing::Test {
 protected:
  StudyPlanTest() { plugins_.datasets.Add("toy_clouds", ToyCloudsKind(), "for tests"); }

  Status Create(const Json& config) const {
    return server::StudyPlan::Create(config, "/studies/0", plugins_).status();
  }

  static void ExpectRefusal(const Status& status, const std::vector<std::string>& words) {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    for (const std::string& word : words) {
      EXPECT_NE(status.message().find(word), std::string::npos) << status << " lacks " << word;
    }
  }

  server::Plugins plugins_ = ToyPlugins();
};

TEST_F(StudyPlanTest, RefusesAnObjectiveThatTheDatasetDoesNotMeasure) {
  Json config = ToyStudy("a", 8);
  config["objectives"] = {{{"metric", "macs"}}, {{"metric", "instance_miou"}}};
  ExpectRefusal(Create(config), {"/studies/0/objectives/1/metric", "instance_miou",
                                 "synthetic_lidar", "miou, accuracy"});
}

TEST_F(StudyPlanTest, RefusesAConstraintThatTheDatasetDoesNotMeasure) {
  Json config = ToyStudy("a", 8);
  config["constraints"] = {{{"metric", "balanced_accuracy"}, {"min", 0.5}}};
  ExpectRefusal(Create(config), {"/studies/0/constraints/0/metric", "balanced_accuracy"});
}

TEST_F(StudyPlanTest, TakesLatenciesCostsAndEveryMetricOfTheDataset) {
  Json config = ToyStudy("a", 8);
  config["objectives"] = {{{"metric", "accuracy"}}, {{"metric", "latency_ms"}}};
  config["constraints"] = {{{"metric", "miou"}, {"min", 0.1}}, {{"metric", "macs"}, {"max", 1e9}}};
  const Status status = Create(config);
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(StudyPlanTest, TargetsOfANewStudyAreNames) {
  Json config = ToyStudy("s", 8);
  config["objectives"].push_back({{"metric", "latency_ms"}, {"target", "a\n=1 "}});
  EXPECT_TRUE(Create(config).ok());  // a store may have it
  ExpectRefusal(server::StudyPlan::CreateNew(config, "/studies/0", plugins_).status(),
                {"/studies/0/objectives/2/target", "UTF-8", "\"a\\n=1 \""});
  config["objectives"].erase(2);
  config["constraints"] = {{{"metric", "latency_ms"}, {"target", "\x1b[31m "}, {"max", 5}}};
  ExpectRefusal(server::StudyPlan::CreateNew(config, "/studies/0", plugins_).status(),
                {"/studies/0/constraints/0/target", "\\x1b[31m "});
}

TEST_F(StudyPlanTest, ALatencyTableIsReadBackFromTheStoredStudy) {
  Json config = ToyStudy("a", 8);
  config["objectives"] = {{{"metric", "miou"}}, {{"metric", "latency_lut_ms"}}};
  config["latency_table"] = ToyLatencyTable();
  const auto plan = server::StudyPlan::Create(config, "", plugins_);
  ASSERT_TRUE(plan.ok()) << plan.status();
  const Json stored = Json::parse((*plan)->config_json());
  EXPECT_EQ(stored["latency_table"]["rest_ms"], 0.0);
  EXPECT_EQ(stored["latency_table"]["layers"], config["latency_table"]["layers"]);
  const auto again = server::StudyPlan::Create(stored, "", plugins_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->config_json(), (*plan)->config_json());
}

TEST_F(StudyPlanTest, RefusesALatencyTableThatLacksALayer) {
  Json config = ToyStudy("a", 8);
  config["latency_table"] = ToyLatencyTable();
  config["latency_table"]["layers"].erase("stage.1.2");
  ExpectRefusal(Create(config), {"/studies/0/latency_table/layers", "stage.1.2", "32-bit weights"});
}

TEST_F(StudyPlanTest, RefusesALatencyTableThatIsNone) {
  Json config = ToyStudy("a", 8);
  config["latency_table"] = ToyLatencyTable();
  config["latency_table"]["layers"]["stage.1.2"][0][2] = -1;
  ExpectRefusal(Create(config), {"/studies/0/latency_table/layers/stage.1.2/0", "-1"});
}

TEST_F(StudyPlanTest, RefusesALatencyThatNoCandidateHas) {
  Json config = ToyStudy("a", 8);
  config["latency_table"] = ToyLatencyTable();
  config["constraints"] = {{{"metric", "latency_lut_ms"}, {"max", 4}}};  // 4 stages, classifier
  const Status status = Create(config);
  EXPECT_EQ(status.reason(), "CONSTRAINTS_INFEASIBLE") << status;
  EXPECT_NE(status.message().find("latency_lut_ms <= 4"), std::string::npos) << status;
}

TEST_F(StudyPlanTest, RefusesASupernetThatCannotReadTheDataset) {
  Json config = ToyStudy("a", 8);
  config["dataset"] = ToyClouds::Config(data::Scoring::kParts);
  config["objectives"] = {{{"metric", "instance_miou"}}};
  ExpectRefusal(Create(config), {"/studies/0/supernet/kind", "\"toy\" reads voxels",
                                 "\"toy_clouds\" gives clouds"});
}

TEST_F(StudyPlanTest, RefusesATaskThatTheLabelsDoNotFit) {
  supernet::RegisterBuiltinSpecs(plugins_.supernets);
  Json config = ToyStudy("a", 8);
  const auto create = [&](const char* task, data::Scoring scoring, const char* metric) {
    config["supernet"] = {{"kind", "pct"}, {"task", task}};
    config["dataset"] = ToyClouds::Config(scoring);
    config["objectives"] = {{{"metric", metric}}};
    return Create(config);
  };
  ExpectRefusal(create("classification", data::Scoring::kParts, "instance_miou"),
                {"/studies/0/supernet: ", "classifies clouds", "labels of points", "\"task\""});
  ExpectRefusal(create("segmentation", data::Scoring::kObjects, "balanced_accuracy"),
                {"/studies/0/supernet: ", "labels points", "labels of whole objects"});
  EXPECT_TRUE(create("classification", data::Scoring::kObjects, "balanced_accuracy").ok());
  EXPECT_TRUE(create("segmentation", data::Scoring::kParts, "instance_miou").ok());
}

// Bits act on a supernet that was trained in float, so all settings for them share it.
TEST_F(StudyPlanTest, SettingsOfBitsShareOneTraining) {
  supernet::RegisterBuiltinSpecs(plugins_.supernets);
  const auto training_of = [&](const Json& quantization) {
    Json config = ToyStudy("a", 8);
    config["supernet"] = {{"kind", "spvnas"}, {"width", 0.25}};
    if (!quantization.is_null()) config["supernet"]["quantization"] = quantization;
    const auto plan = server::StudyPlan::Create(config, "", plugins_);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return std::pair(search::TaskDigest((*plan)->TrainTask({})),
                     search::TaskDigest((*plan)->ProfileTask()));
  };
  const auto plain = training_of(nullptr);
  EXPECT_EQ(training_of({{"weight_bits", {2, 4}}}), plain);
  EXPECT_EQ(training_of({{"weight_bits", {8}}, {"activation_bits", {4, 8}}}), plain);
  EXPECT_NE(training_of({{"weight_bits", {2, 4}}, {"train_bits", "sampled"}}), plain);
}

TEST_F(StudyPlanTest, RecipesMatterToAnEvaluationThatTrains) {
  const auto digest_of = [&](int64_t finetune_steps, double lr) {
    Json config = ToyStudy("a", 8);
    config["evaluate"] = {{"finetune_steps", finetune_steps}};
    config["finetune"] = {{"lr", lr}};
    const auto plan = server::StudyPlan::Create(config, "", plugins_).value();
    return search::TaskDigest(plan->TrialTasks(plan->spec().space().Smallest(), {}).at(0));
  };
  EXPECT_EQ(digest_of(0, 0.1), digest_of(0, 0.2));
  EXPECT_NE(digest_of(5, 0.1), digest_of(5, 0.2));
  EXPECT_NE(digest_of(0, 0.1), digest_of(5, 0.1));
}

TEST_F(StudyPlanTest, EvaluationsReportQuantizationErrorsToTheAlgorithmThatReadsThem) {
  const auto asks = [&](const char* algorithm, int64_t finetune_steps) {
    Json config = ToyStudy("a", 8);
    config["supernet"]["weight_bits"] = {2, 4, 8};
    config["search"]["algorithm"] = algorithm;
    config["evaluate"] = {{"finetune_steps", finetune_steps}};
    const auto plan = server::StudyPlan::Create(config, "", plugins_).value();
    const search::Candidate candidate = plan->spec().space().Smallest();
    return plan->TrialTasks(candidate, {}).at(0).settings.contains("quantization_error");
  };
  EXPECT_TRUE(asks("knapsack_bits", 0));
  EXPECT_TRUE(asks("knapsack_bits", 5));
  for (const char* other : {"evolution", "greedy_bits", "random"}) {
    EXPECT_FALSE(asks(other, 0)) << other;
    EXPECT_FALSE(asks(other, 5)) << other;
  }
}

TEST_F(StudyPlanTest, AlgorithmThatDoesNotKeepInFlightSaysSo) {
  const auto notes = [&](const char* algorithm, int64_t in_flight) {
    Json config = ToyStudy("a", 8);
    config["supernet"]["weight_bits"] = {2, 4, 8};
    config["search"].update({{"algorithm", algorithm}, {"in_flight", in_flight}});
    return server::StudyPlan::Create(config, "/studies/0", plugins_).value()->notes();
  };
  EXPECT_EQ(notes("greedy_bits", 64),
            std::vector<std::string>{
                "/studies/0/search/in_flight: greedy_bits does not always keep 64 trials under "
                "way: the algorithm proposes a few candidates by a plan of its own"});
  EXPECT_TRUE(notes("greedy_bits", 0).empty());
  for (const char* steady : {"evolution", "nsga2", "random"}) {
    EXPECT_TRUE(notes(steady, 64).empty()) << steady;
  }
}

TEST_F(StudyPlanTest, KeptArchitectureHoldsForEveryCandidate) {
  Json config = ToyStudy("a", 8);
  config["supernet"]["weight_bits"] = {2, 4, 8};
  config["search"]["architecture"] = "1";
  ExpectRefusal(Create(config), {"/studies/0/search/architecture: expected"});
  const auto free = server::StudyPlan::Create(ToyStudy("b", 8), "", plugins_).value();
  const search::Candidate kept = free->spec().space().Smallest();
  config["search"]["architecture"] = search::Encode(kept);
  const auto plan = server::StudyPlan::Create(config, "", plugins_);
  ASSERT_TRUE(plan.ok()) << plan.status();
  const auto filter = (*plan)->MakeFilter(nullptr).value();
  EXPECT_GT(filter->Violation((*plan)->spec().space().Largest()), 0);
  EXPECT_EQ(filter->Violation((*plan)->spec().space().Smallest()), 0);
}

// A study of PCT on whole objects.
Json ObjectStudy() {
  Json config = ToyStudy("objects", 8);
  config["supernet"] = {{"kind", "pct"}, {"picked", {16, 8}}, {"neighbours", {4}}};
  config["dataset"] = {{"kind", "synthetic_objects"},
                       {"task", "class"},
                       {"points", 32},
                       {"features", {"x", "y", "z"}}};
  config["objectives"] = {{{"metric", "accuracy"}}};
  return config;
}

class ObjectStudyTest : public StudyPlanTest {
 protected:
  ObjectStudyTest() { supernet::RegisterBuiltinSpecs(plugins_.supernets); }

  Status CreateNew(const Json& config) const {
    return server::StudyPlan::CreateNew(config, "/studies/0", plugins_).status();
  }
  std::vector<std::string> Notes(const Json& config) const {
    const auto plan = server::StudyPlan::CreateNew(config, "/studies/0", plugins_);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? (*plan)->notes() : std::vector<std::string>();
  }
};

TEST_F(ObjectStudyTest, WarnsOfBatchesThatGiveABatchNormASingleRow) {
  Json config = ObjectStudy();
  config["train"] = {{"batch", 1}};
  config["evaluate"] = {{"calibration_scans", 1}};
  EXPECT_THAT(Notes(config),
              ElementsAre(AllOf(StartsWith("/studies/0/train/batch: "), HasSubstr("\"pct\""),
                                HasSubstr("at least 2 would be right, found 1")),
                          StartsWith("/studies/0/evaluate/calibration_scans: ")));
  config["train"] = {{"batch", 2}};
  config["evaluate"] = {{"calibration_scans", 2}};
  EXPECT_THAT(Notes(config), IsEmpty());
}

TEST_F(ObjectStudyTest, ABatchOfOneIsFineWhereEveryBatchNormSeesPoints) {
  Json config = ObjectStudy();
  config["supernet"] = {{"kind", "point_transformer"},
                        {"task", "classification"},
                        {"levels", 2},
                        {"neighbours", {4}}};
  config["train"] = {{"batch", 1}};
  EXPECT_THAT(Notes(config), IsEmpty());
  config["supernet"]["neighbours"] = Json::array({1});
  config["dataset"]["points"] = 16;  // one point with one neighbour is left at the last level
  EXPECT_THAT(Notes(config), ElementsAre(AllOf(StartsWith("/studies/0/train/batch: "),
                                               HasSubstr("\"point_transformer\""))));
}

TEST_F(ObjectStudyTest, RefusesFewerPointsThanTheSupernetNeeds) {
  Json config = ObjectStudy();
  config["dataset"]["points"] = 8;
  ExpectRefusal(CreateNew(config), {"/studies/0/dataset/points: ", "at least 16", "found 8"});
  config["supernet"] = {{"kind", "point_transformer"}, {"task", "classification"}, {"levels", 3}};
  config["dataset"]["points"] = 63;
  ExpectRefusal(CreateNew(config), {"/studies/0/dataset/points: ", "at least 64", "found 63"});
  config["dataset"]["points"] = 64;
  EXPECT_TRUE(CreateNew(config).ok()) << CreateNew(config);
}

TEST_F(ObjectStudyTest, BitsChangeNothingAboutThat) {
  Json config = ObjectStudy();
  config["supernet"]["quantization"] = {{"weight_bits", {4, 8}}};
  config["train"] = {{"batch", 1}};
  EXPECT_THAT(Notes(config), ElementsAre(StartsWith("/studies/0/train/batch: ")));
  config["train"] = {{"batch", 2}};
  config["dataset"]["points"] = 8;
  ExpectRefusal(CreateNew(config), {"/studies/0/dataset/points: "});
}

// The results of a stored study stay readable, whatever began it.
TEST_F(ObjectStudyTest, WhatAnEarlierVersionBeganIsOpened) {
  Json config = ObjectStudy();
  config["train"] = {{"batch", 1}};
  EXPECT_TRUE(Create(config).ok()) << Create(config);
}

TEST_F(ObjectStudyTest, ObjectsTrainInLargerBatchesUnlessTheStudySaysOtherwise) {
  const auto batch_of = [&](const Json& config) {
    const auto plan = server::StudyPlan::CreateNew(config, "", plugins_);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return Json::parse((*plan)->config_json()).at("train").at("batch").get<int64_t>();
  };
  Json config = ObjectStudy();
  EXPECT_EQ(batch_of(config), 16);
  config["train"] = {{"steps", 10}};
  EXPECT_EQ(batch_of(config), 16);
  config["train"]["batch"] = 4;
  EXPECT_EQ(batch_of(config), 4);
  EXPECT_EQ(batch_of(ToyStudy("scans", 8)), 2);
  EXPECT_EQ(batch_of(server::WithEarlierDefaults(ObjectStudy())), 2);
  EXPECT_EQ(batch_of(server::WithEarlierDefaults(config)), 4);
}

}  // namespace
}  // namespace voxbit::testing
