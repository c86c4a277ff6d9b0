// Random domain structs for property tests: every field is set, texts hold awkward characters.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/rng.h"
#include "search/domain/study.h"
#include "search/domain/task.h"
#include "search/domain/trial.h"
#include "search/domain/worker.h"

namespace voxbit::testing {

class RandomDomain {
 public:
  explicit RandomDomain(uint64_t seed) : rng_(seed) {}

  std::string Text() {
    static constexpr std::array<const char*, 8> kParts = {"a",  "Z",  " ", "\"",
                                                          "\\", "\n", "ü", "点"};
    std::string text;
    for (int64_t i = rng_.Below(12); i > 0; --i) text += kParts[Index(kParts.size())];
    return text;
  }
  double Number() {
    static constexpr std::array<double, 6> kEdges = {0, -0.0, 1e308, 5e-324, -1.0 / 3, 123456.789};
    return rng_.Bernoulli(0.3) ? kEdges[Index(kEdges.size())] : 1e6 * rng_.Normal();
  }
  int64_t Count() { return rng_.Bernoulli(0.1) ? INT64_MAX : rng_.Below(1'000'000); }
  bool Flip() { return rng_.Bernoulli(0.5); }
  uint64_t Seed() { return rng_.Next(); }

  Json Object(int depth = 0) {
    Json object = Json::object();
    for (int64_t i = rng_.Below(4); i > 0; --i) object[Text()] = Value(depth);
    return object;
  }

  template <class Enum, size_t N>
  Enum Pick(const std::array<Enum, N>& values) {
    return values[Index(N)];
  }

  search::TaskKind Kind() { return search::AllTaskKinds()[Index(search::AllTaskKinds().size())]; }

  search::Candidate Candidate() {
    search::Candidate candidate;
    for (int64_t i = rng_.Below(30); i > 0; --i) {
      candidate.choices.push_back(static_cast<int32_t>(rng_.Below(INT32_MAX)));
    }
    return candidate;
  }

  search::Measurement Measurement() {
    search::Measurement measurement;
    measurement.metric = "m" + Text();
    measurement.target = Text();
    measurement.value = Number();
    measurement.spread = Number();
    measurement.samples = Count();
    measurement.detail = Object();
    return measurement;
  }

  search::Measurements Measurements() {
    search::Measurements measurements;
    for (int64_t i = rng_.Below(4); i > 0; --i) {
      search::Measurement one = Measurement();
      measurements[{one.metric, one.target}] = one;
    }
    return measurements;
  }

  std::map<std::string, std::string> Artifacts() {
    std::map<std::string, std::string> artifacts;
    for (int64_t i = rng_.Below(4); i > 0; --i) artifacts[Text()] = Text();
    return artifacts;
  }

  search::TaskSpec Spec() {
    search::TaskSpec spec;
    spec.kind = Kind();
    spec.supernet = Object();
    spec.dataset = Object();
    spec.settings = Object();
    spec.dataset_digest = Text();
    spec.space_digest = Text();
    spec.candidate = Candidate();
    spec.checkpoint = Text();
    spec.seed = Seed();
    spec.target = Text();
    return spec;
  }

  search::TaskResult TaskResult() {
    search::TaskResult result;
    for (const auto& [key, one] : Measurements()) result.measurements.push_back(one);
    std::reverse(result.measurements.begin(), result.measurements.end());
    result.artifacts = Artifacts();
    result.detail = Object();
    return result;
  }

  search::TaskFailure TaskFailure() {
    using search::FailureKind;
    return {Pick(std::array{FailureKind::kInfeasible, FailureKind::kTransient, FailureKind::kFailed,
                            FailureKind::kReleased, FailureKind::kCancelled, FailureKind::kData}),
            Text()};
  }

  search::WorkerInfo Info() {
    search::WorkerInfo info;
    info.name = Text();
    info.device = Text();
    info.device_model = Text();
    info.threads = Count();
    info.memory_bytes = Count();
    for (int64_t i = rng_.Below(4); i > 0; --i) info.task_kinds.push_back(Kind());
    info.supernets = Texts();
    info.datasets = Texts();
    info.targets = Texts();
    info.version = Text();
    info.protocol = Count();
    info.instance = Text();
    return info;
  }

  search::SyncRequest SyncRequest() {
    search::SyncRequest request;
    request.worker = Text();
    request.session = Text();
    request.draining = Flip();
    const int64_t state = rng_.Below(4);
    if (state == 1) request.running = search::RunningTask{Count(), Text(), Object()};
    if (state >= 2) {
      search::FinishedTask& finished = request.finished.emplace();
      finished.task_id = Count();
      finished.lease_token = Text();
      if (state == 2) finished.result = TaskResult();
      if (state == 3) finished.failure = TaskFailure();
    }
    return request;
  }

  search::SyncReply SyncReply() {
    using search::Desired;
    using search::Verdict;
    search::SyncReply reply;
    reply.desired = Pick(std::array{Desired::kIdle, Desired::kKeep, Desired::kRun, Desired::kCancel,
                                    Desired::kRegister});
    reply.verdict = Pick(
        std::array{Verdict::kNone, Verdict::kRecorded, Verdict::kDuplicate, Verdict::kSuperseded});
    reply.task_id = Count();
    reply.lease_token = Text();
    reply.attempt = Count();
    if (reply.desired == Desired::kRun) reply.spec = Spec();
    reply.lease_duration = Milliseconds(Count());
    reply.next_sync = Milliseconds(Count());
    reply.reason = Text();
    return reply;
  }

  search::Trial Trial() {
    using search::TrialState;
    search::Trial trial;
    trial.number = Count();
    trial.candidate = Candidate();
    trial.digest = Text();
    trial.origin = Text();
    trial.state =
        Pick(std::array{TrialState::kPending, TrialState::kRunning, TrialState::kSucceeded,
                        TrialState::kInfeasible, TrialState::kFailed, TrialState::kCancelled});
    trial.sequence = Count();
    trial.measured = Measurements();
    trial.finetuned = Measurements();
    trial.artifacts = Artifacts();
    trial.message = Text();
    trial.created_ms = Count();
    trial.finished_ms = Count();
    return trial;
  }

 private:
  size_t Index(size_t count) {
    return static_cast<size_t>(rng_.Below(static_cast<int64_t>(count)));
  }
  std::vector<std::string> Texts() {
    std::vector<std::string> texts;
    for (int64_t i = rng_.Below(4); i > 0; --i) texts.push_back(Text());
    return texts;
  }
  Json Value(int depth) {
    switch (rng_.Below(depth < 3 ? 7 : 5)) {
      case 0:
        return Text();
      case 1:
        return Number();
      case 2:
        return Count();
      case 3:
        return Flip();
      case 4:
        return nullptr;
      case 5:
        return Object(depth + 1);
      default:
        return Json::array({Value(depth + 1), Value(depth + 1)});
    }
  }

  Rng rng_;
};

}  // namespace voxbit::testing
