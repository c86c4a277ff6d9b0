#include "proto/convert/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/support/random_domain.h"

namespace voxbit::convert {
namespace {

using testing::RandomDomain;

constexpr uint64_t kSeeds = 300;
constexpr double kInf = std::numeric_limits<double>::infinity();

// To the wire, through its bytes, and back.
template <class Message>
Message Travel(const Message& message) {
  std::string bytes;
  EXPECT_TRUE(message.SerializeToString(&bytes));
  Message arrived;
  EXPECT_TRUE(arrived.ParseFromString(bytes));
  return arrived;
}

// `make` a random value, send it, and compare the messages of both ends field by field: the
// structs of the domain do not all have ==, and their messages name every field.
template <class Make, class Send>
void ExpectRoundTrip(Make make, Send send) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomDomain random(seed);
    const auto original = make(random);
    const auto sent = send(original);
    const auto back = FromProto(Travel(sent));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(send(*back).ShortDebugString(), sent.ShortDebugString());
  }
}

const auto kSend = [](const auto& value) { return ToProto(value); };

TEST(ConvertTest, MeasurementRoundTrip) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const search::Measurement original = RandomDomain(seed).Measurement();
    const Result<search::Measurement> back = FromProto(Travel(ToProto(original)));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, original);
  }
}

TEST(ConvertTest, JsonOfOthersIsBoundedInSizeAndDepth) {
  v1::Measurement measurement = ToProto(RandomDomain(1).Measurement());
  v1::SyncRequest running;
  running.mutable_running();
  const auto why = [&](const std::string& text) {
    measurement.set_detail_json(text);
    running.mutable_running()->set_progress_json(text);
    const Status detail = FromProto(measurement).status();
    EXPECT_EQ(detail.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(FromProto(running).status().code(), StatusCode::kInvalidArgument);
    return detail.message();
  };
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_EQ(why("{\"a\":" + deep + "}"),
            "detail_json: not valid JSON: nested more than 64 levels deep");
  EXPECT_EQ(why("{\"a\":\"" + std::string(300'000, 'x') + "\"}"),
            "detail_json: 300008 bytes, at most 262144 are taken");
}

TEST(ConvertTest, CandidateRoundTrip) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const search::Candidate original = RandomDomain(seed).Candidate();
    const Result<search::Candidate> back = FromProto(Travel(ToProto(original)));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, original);
  }
}

TEST(ConvertTest, TrialRoundTrip) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const search::Trial original = RandomDomain(seed).Trial();
    const v1::Trial sent = ToProto(original, "study");
    EXPECT_EQ(sent.study(), "study");
    const Result<search::Trial> back = FromProto(Travel(sent));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->number, original.number);
    EXPECT_EQ(back->candidate, original.candidate);
    EXPECT_EQ(back->digest, original.digest);
    EXPECT_EQ(back->origin, original.origin);
    EXPECT_EQ(back->state, original.state);
    EXPECT_EQ(back->sequence, original.sequence);
    EXPECT_EQ(back->measured, original.measured);
    EXPECT_EQ(back->finetuned, original.finetuned);
    EXPECT_EQ(back->artifacts, original.artifacts);
    EXPECT_EQ(back->message, original.message);
    EXPECT_EQ(back->created_ms, original.created_ms);
    EXPECT_EQ(back->finished_ms, original.finished_ms);
  }
}

TEST(ConvertTest, TaskSpecRoundTripKeepsTheDigest) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const search::TaskSpec original = RandomDomain(seed).Spec();
    const Result<search::TaskSpec> back = FromProto(Travel(ToProto(original)));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(search::TaskDigest(*back), search::TaskDigest(original));
    EXPECT_EQ(back->seed, original.seed);
    EXPECT_EQ(back->checkpoint, original.checkpoint);
  }
}

TEST(ConvertTest, TaskResultRoundTripKeepsTheOrder) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const search::TaskResult original = RandomDomain(seed).TaskResult();
    const Result<search::TaskResult> back = FromProto(Travel(ToProto(original)));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->measurements, original.measurements);
    EXPECT_EQ(back->artifacts, original.artifacts);
    EXPECT_EQ(back->detail, original.detail);
  }
}

TEST(ConvertTest, TaskFailureRoundTrip) {
  ExpectRoundTrip([](RandomDomain& random) { return random.TaskFailure(); }, kSend);
}

TEST(ConvertTest, WorkerInfoRoundTrip) {
  ExpectRoundTrip([](RandomDomain& random) { return random.Info(); }, kSend);
}

TEST(ConvertTest, RegisterReplyRoundTrip) {
  ExpectRoundTrip(
      [](RandomDomain& random) {
        return search::RegisterReply{random.Text(), random.Text(), Milliseconds(random.Count()),
                                     Milliseconds(random.Count())};
      },
      kSend);
}

TEST(ConvertTest, SyncRequestRoundTrip) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const search::SyncRequest original = RandomDomain(seed).SyncRequest();
    const Result<search::SyncRequest> back = FromProto(Travel(ToProto(original)));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->worker, original.worker);
    EXPECT_EQ(back->session, original.session);
    EXPECT_EQ(back->draining, original.draining);
    ASSERT_EQ(back->running.has_value(), original.running.has_value());
    ASSERT_EQ(back->finished.has_value(), original.finished.has_value());
    if (original.running) {
      EXPECT_EQ(back->running->task_id, original.running->task_id);
      EXPECT_EQ(back->running->lease_token, original.running->lease_token);
      EXPECT_EQ(back->running->progress, original.running->progress);
    }
    if (original.finished) {
      EXPECT_EQ(back->finished->lease_token, original.finished->lease_token);
      EXPECT_EQ(back->finished->result.has_value(), original.finished->result.has_value());
      EXPECT_EQ(back->finished->failure.has_value(), original.finished->failure.has_value());
    }
  }
}

TEST(ConvertTest, SyncReplyRoundTrip) {
  ExpectRoundTrip([](RandomDomain& random) { return random.SyncReply(); }, kSend);
}

TEST(ConvertTest, WorkerRowRoundTrip) {
  ExpectRoundTrip(
      [](RandomDomain& random) {
        search::WorkerRow row;
        row.info = random.Info();
        row.state = random.Text();
        row.task_id = random.Count();
        row.task_label = random.Text();
        row.last_seen_ms = random.Count();
        return row;
      },
      kSend);
}

TEST(ConvertTest, StudyRoundTrip) {
  const Result<Json> json = ParseJson(R"({"name": "demo", "seed": 7,
      "supernet": {"kind": "spvnas"}, "dataset": {"kind": "synthetic_lidar"},
      "objectives": [{"metric": "miou"}, {"metric": "macs"}]})");
  ASSERT_TRUE(json.ok()) << json.status();
  const Result<search::StudyConfig> config = search::ParseStudyConfig(*json, "");
  ASSERT_TRUE(config.ok()) << config.status();
  search::Study study;
  study.config = *config;
  study.config_json = CanonicalJson(search::ToJson(*config));
  study.state = search::StudyState::kPaused;
  study.phase = search::StudyPhase::kSearch;
  study.message = "paused by a user";
  study.created_ms = 5;
  study.finished_ms = 6;
  const v1::Study sent = ToProto(study);
  EXPECT_EQ(sent.name(), "demo");
  EXPECT_FALSE(sent.has_progress());
  const Result<search::Study> back = FromProto(Travel(sent));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(search::ToJson(back->config), search::ToJson(*config));
  EXPECT_EQ(ToProto(*back).ShortDebugString(), sent.ShortDebugString());

  v1::Study renamed = sent;
  renamed.set_name("other");
  EXPECT_EQ(FromProto(renamed).status().code(), StatusCode::kInvalidArgument);
}

// Every value of an enumeration of the wire but UNSPECIFIED goes there and back; values that a
// later version may add are refused.
template <class Wire>
void ExpectWholeEnum(const google::protobuf::EnumDescriptor* descriptor) {
  for (int i = 0; i < descriptor->value_count(); ++i) {
    const auto wire = static_cast<Wire>(descriptor->value(i)->number());
    const auto domain = FromProto(wire);
    ASSERT_EQ(domain.ok(), descriptor->value(i)->number() != 0) << descriptor->value(i)->name();
    if (domain.ok()) {
      EXPECT_EQ(ToProto(*domain), wire) << descriptor->value(i)->name();
    }
  }
  EXPECT_EQ(FromProto(static_cast<Wire>(1000)).status().code(), StatusCode::kInvalidArgument);
}

TEST(ConvertTest, EnumsAreWhole) {
  ExpectWholeEnum<v1::StudyState>(v1::StudyState_descriptor());
  ExpectWholeEnum<v1::StudyPhase>(v1::StudyPhase_descriptor());
  ExpectWholeEnum<v1::TrialState>(v1::TrialState_descriptor());
  ExpectWholeEnum<v1::TaskKind>(v1::TaskKind_descriptor());
  ExpectWholeEnum<v1::TaskState>(v1::TaskState_descriptor());
  ExpectWholeEnum<v1::FailureKind>(v1::FailureKind_descriptor());
  ExpectWholeEnum<v1::Desired>(v1::Desired_descriptor());
  ExpectWholeEnum<v1::Verdict>(v1::Verdict_descriptor());
}

TEST(ConvertTest, RefusesNumbersThatAreNotFinite) {
  for (const double value : {kInf, -kInf, std::numeric_limits<double>::quiet_NaN()}) {
    v1::Measurement message;
    message.set_metric("miou");
    message.set_value(value);
    const Status status = FromProto(message).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(status.reason(), "RESULT_NON_FINITE");
    EXPECT_THAT(status.message(), ::testing::HasSubstr("miou"));
    message.set_value(0);
    message.set_spread(value);
    EXPECT_EQ(FromProto(message).status().reason(), "RESULT_NON_FINITE");
  }
}

TEST(ConvertTest, RefusesTextThatIsNoJsonObject) {
  for (const char* text : {"{", "[1]", "3", "\"a\"", "null", "nan"}) {
    v1::TaskSpec message;
    message.set_kind(v1::TASK_KIND_EVALUATE);
    message.set_settings_json(text);
    const Status status = FromProto(message).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(status.message(), ::testing::HasSubstr("settings_json")) << text;
  }
}

TEST(ConvertTest, RefusesWhatContradictsItself) {
  v1::SyncRequest both;
  both.mutable_running();
  both.mutable_finished()->mutable_failure()->set_kind(v1::FAILURE_KIND_FAILED);
  EXPECT_EQ(FromProto(both).status().code(), StatusCode::kInvalidArgument);

  v1::SyncRequest neither;
  neither.mutable_finished()->set_task_id(1);
  EXPECT_EQ(FromProto(neither).status().code(), StatusCode::kInvalidArgument);

  v1::TaskResult twice;
  twice.add_measurements()->set_metric("miou");
  twice.add_measurements()->set_metric("miou");
  EXPECT_EQ(FromProto(twice).status().code(), StatusCode::kInvalidArgument);

  v1::TaskResult nameless;
  nameless.add_measurements();
  EXPECT_EQ(FromProto(nameless).status().code(), StatusCode::kInvalidArgument);
}

TEST(ConvertTest, RefusesNegativeNumbersWhereNoneCanBe) {
  v1::Candidate candidate;
  candidate.add_choices(-1);
  EXPECT_EQ(FromProto(candidate).status().code(), StatusCode::kInvalidArgument);
  v1::SyncResponse reply;
  reply.set_desired(v1::DESIRED_IDLE);
  reply.set_verdict(v1::VERDICT_NONE);
  reply.set_next_sync_ms(-1);
  EXPECT_EQ(FromProto(reply).status().code(), StatusCode::kInvalidArgument);
}

TEST(ConvertTest, SendsTextThatIsNotUtf8) {
  const search::TaskFailure failure{search::FailureKind::kFailed, "file \xff\xfe.bin"};
  const Result<search::TaskFailure> back = FromProto(Travel(ToProto(failure)));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_THAT(back->message, ::testing::StartsWith("file "));
  EXPECT_THAT(back->message, ::testing::EndsWith(".bin"));
}

}  // namespace
}  // namespace voxbit::convert
