// JSON forms of measurements, tasks and workers: what is stored can be read, and nothing else.
#include <gtest/gtest.h>

#include <limits>

#include "common/digest.h"
#include "search/domain/measurement.h"
#include "search/domain/study.h"
#include "search/domain/task.h"
#include "search/domain/trial.h"
#include "search/domain/worker.h"

namespace voxbit::search {
namespace {

Measurement Latency() {
  Measurement measurement;
  measurement.metric = "latency_ms";
  measurement.target = "local";
  measurement.value = 0.1 + 0.2;  // needs all digits
  measurement.spread = 1e-7;
  measurement.samples = 10;
  measurement.detail = {{"device", "cpu"}, {"threads", 1}};
  return measurement;
}

TaskSpec Spec() {
  TaskSpec spec;
  spec.kind = TaskKind::kEvaluate;
  spec.supernet = {{"kind", "toy"}, {"width", 0.25}};
  spec.dataset = {{"kind", "synthetic"}};
  spec.dataset_digest = Sha256Hex("files");
  spec.settings = {{"batch", 2}};
  spec.space_digest = Sha256Hex("space");
  spec.candidate = Candidate{{1, 0, 7}};
  spec.checkpoint = Sha256Hex("weights");
  spec.seed = std::numeric_limits<uint64_t>::max();
  spec.target = "local";
  return spec;
}

// Through text, as storage and the wire do.
Json ThroughText(const Json& json) { return ParseJson(CanonicalJson(json)).value(); }

TEST(MeasurementTest, RoundTripsThroughText) {
  const auto parsed = ParseMeasurement(ThroughText(ToJson(Latency())));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, Latency());

  Measurement miou;
  miou.metric = "miou";
  miou.value = 0.5;
  const Measurements all = {{{"latency_ms", "local"}, Latency()}, {{"miou", ""}, miou}};
  const auto map = ParseMeasurements(ThroughText(ToJson(all)));
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(*map, all);
}

TEST(MeasurementTest, RefusesValuesThatAreNotFinite) {
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    for (double Measurement::*member : {&Measurement::value, &Measurement::spread}) {
      Measurement measurement = Latency();
      measurement.*member = value;
      EXPECT_EQ(CheckFinite(measurement).reason(), "RESULT_NON_FINITE");
      EXPECT_EQ(ParseMeasurement(ToJson(measurement)).status().reason(), "RESULT_NON_FINITE");
      // In text it has become null.
      EXPECT_EQ(ParseMeasurement(ThroughText(ToJson(measurement))).status().reason(),
                "RESULT_NON_FINITE");
      TaskResult result;
      result.measurements = {Latency(), measurement};
      const Status status = ParseTaskResult(ThroughText(ToJson(result))).status();
      EXPECT_EQ(status.reason(), "RESULT_NON_FINITE");
      EXPECT_NE(status.message().find("/measurements/1/"), std::string::npos) << status;
    }
  }
  EXPECT_TRUE(CheckFinite(Latency()).ok());
}

TEST(MeasurementTest, RefusesTheSameMetricTwice) {
  const Json twice = Json::array({ToJson(Latency()), ToJson(Latency())});
  const auto parsed = ParseMeasurements(twice);
  ASSERT_FALSE(parsed.ok());
  EXPECT_NE(parsed.status().message().find("latency_ms"), std::string::npos);
}

TEST(MeasurementTest, NamesWhatIsWrong) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {R"([])", "expected an object"},
      {R"({"value": 1})", "/metric: missing"},
      {R"({"metric": "miou"})", "/value: missing"},
      {R"({"metric": "miou", "value": "1"})", "/value: expected a finite number"},
      {R"({"metric": 3, "value": 1})", "/metric: expected text"},
      {R"({"metric": "miou", "value": 1, "samples": -1})", "/samples: expected an integer"},
      {R"({"metric": "miou", "value": 1, "detail": []})", "/detail: expected an object"},
      {R"({"metric": "miou", "value": 1, "unit": "m"})", "/unit: unknown key"},
  };
  for (const auto& c : cases) {
    const auto parsed = ParseMeasurement(ParseJson(c.text).value());
    ASSERT_FALSE(parsed.ok()) << c.text;
    EXPECT_NE(parsed.status().message().find(c.message), std::string::npos) << parsed.status();
  }
}

TEST(TaskTest, SpecResultAndFailureRoundTrip) {
  const auto spec = ParseTaskSpec(ThroughText(ToJson(Spec())));
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(*spec, Spec());

  TaskResult result;
  result.measurements = {Latency(), Latency()};
  result.artifacts = {{"checkpoint", Sha256Hex("weights")}};
  result.detail = {{"workload", {{"points", 3.5}}}};
  const auto parsed = ParseTaskResult(ThroughText(ToJson(result)));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, result);

  const TaskFailure failure{FailureKind::kInfeasible, "the loss is not finite"};
  const auto parsed_failure = ParseTaskFailure(ThroughText(ToJson(failure)));
  ASSERT_TRUE(parsed_failure.ok()) << parsed_failure.status();
  EXPECT_EQ(*parsed_failure, failure);
}

TEST(TaskTest, SpecNamesWhatIsWrong) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {R"({})", "/kind: missing"},
      {R"({"kind": "evaluat"})", "/kind: unknown task kind"},
      {R"({"kind": "profile", "candidate": "1..2"})", "/candidate: "},
      {R"({"kind": "profile", "seed": -1})", "/seed: expected an integer"},
      {R"({"kind": "profile", "seed": 0.5})", "/seed: expected an integer"},
      {R"({"kind": "profile", "supernet": "x"})", "/supernet: expected an object"},
      {R"({"kind": "profile", "sed": 1})", "did you mean \"seed\""},
  };
  for (const auto& c : cases) {
    const auto parsed = ParseTaskSpec(ParseJson(c.text).value());
    ASSERT_FALSE(parsed.ok()) << c.text;
    EXPECT_NE(parsed.status().message().find(c.message), std::string::npos) << parsed.status();
  }
  EXPECT_FALSE(ParseTaskResult(Json{{"artifacts", {{"checkpoint", "abc"}}}}).ok());
}

TEST(TaskTest, DigestChangesWithEveryField) {
  const std::string digest = TaskDigest(Spec());
  EXPECT_EQ(digest, TaskDigest(Spec()));
  const Json json = ToJson(Spec());
  const Json other = {{"kind", "finetune"},
                      {"supernet", {{"kind", "other"}}},
                      {"dataset", {{"kind", "other"}}},
                      {"dataset_digest", ""},
                      {"settings", {{"batch", 3}}},
                      {"space_digest", ""},
                      {"candidate", "1.0.8"},
                      {"checkpoint", ""},
                      {"seed", 2},
                      {"target", "other"}};
  for (const auto& [key, value] : json.items()) {
    ASSERT_TRUE(other.contains(key)) << key;
    Json changed = json;
    changed[key] = other[key];
    EXPECT_NE(TaskDigest(ParseTaskSpec(changed).value()), digest) << key;
  }
}

TEST(WorkerInfoTest, RoundTripsAndNamesWhatIsWrong) {
  WorkerInfo info;
  info.name = "host-cpu";
  info.device = "cpu";
  info.device_model = "some processor";
  info.threads = 8;
  info.memory_bytes = int64_t{1} << 40;
  info.task_kinds = AllTaskKinds();
  info.supernets = {"spvnas"};
  info.datasets = {"semantic_kitti", "synthetic"};
  info.targets = {"local", "cpu-avx2"};
  info.version = "1.2.3";
  const auto parsed = ParseWorkerInfo(ThroughText(ToJson(info)));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, info);

  const auto wrong = ParseWorkerInfo(Json{{"name", "w"}, {"task_kinds", {"profile", "dance"}}});
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.status().message().find("/task_kinds/1: unknown task kind \"dance\""),
            std::string::npos)
      << wrong.status();
  EXPECT_FALSE(ParseWorkerInfo(Json::object()).ok());
}

TEST(NamesTest, EveryEnumeratorIsReadBack) {
  for (const TaskKind kind : AllTaskKinds()) EXPECT_EQ(*ParseTaskKind(Name(kind)), kind);
  EXPECT_EQ(AllTaskKinds().size(), 6U);
  for (const char* name : {"queued", "leased", "done", "failed", "cancelled"}) {
    EXPECT_EQ(Name(*ParseTaskState(name)), name);
  }
  for (const char* name : {"infeasible", "transient", "failed", "released", "cancelled"}) {
    EXPECT_EQ(Name(*ParseFailureKind(name)), name);
  }
  for (const char* name :
       {"pending", "running", "succeeded", "infeasible", "failed", "cancelled"}) {
    EXPECT_EQ(Name(*ParseTrialState(name)), name);
  }
  for (const char* name : {"active", "paused", "stopped", "completed", "failed"}) {
    EXPECT_EQ(Name(*ParseStudyState(name)), name);
  }
  for (const char* name : {"profile", "train", "search", "finetune", "finished"}) {
    EXPECT_EQ(Name(*ParseStudyPhase(name)), name);
  }
  const Status unknown = ParseTrialState("done").status();
  EXPECT_NE(unknown.message().find("known: pending, running"), std::string::npos) << unknown;
}

}  // namespace
}  // namespace voxbit::search
