#include "tests/client/fake_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "proto/convert/convert.h"
#include "proto/rpc/channel.h"
#include "proto/rpc/status.h"

namespace voxbit::client {
namespace {

constexpr size_t kChunk = 4;

grpc::Status NoSuch(const std::string& what) { return {grpc::StatusCode::NOT_FOUND, what}; }

// Stands still but for a step whenever the monotonic time is read.
class SteppingClock final : public Clock {
 public:
  explicit SteppingClock(int64_t step_ms) : step_ms_(step_ms) {}
  int64_t NowMs() const override { return 1'700'000'000'000; }
  int64_t MonotonicMs() const override { return monotonic_ms_ += step_ms_; }
  int64_t SteadyMs() const override { return NowMs(); }

 private:
  int64_t step_ms_;
  mutable int64_t monotonic_ms_ = 0;
};

// Elements [token, token + page) of `all`, and the token after them.
template <class T>
std::vector<T> Page(const std::vector<T>& all, const std::string& token, int64_t page,
                    std::string& next) {
  const auto from = static_cast<size_t>(token.empty() ? 0 : std::stoul(token));
  const size_t to = std::min(all.size(), from + static_cast<size_t>(page));
  next = to < all.size() ? std::to_string(to) : "";
  return {all.begin() + static_cast<std::ptrdiff_t>(from),
          all.begin() + static_cast<std::ptrdiff_t>(to)};
}

// Takes the next scripted failure; true when there was one.
bool TakeFailure(FakeServer& fake, grpc::ServerContext& context, grpc::Status& status) {
  if (fake.failures.empty()) return false;
  status = fake.failures.front();
  fake.failures.erase(fake.failures.begin());
  if (!fake.failure_reason.empty()) {
    context.AddTrailingMetadata(rpc::kReasonKey, fake.failure_reason);
  }
  return true;
}

class Studies final : public v1::StudyService::Service {
 public:
  explicit Studies(FakeServer& fake) : fake_(fake) {}

  grpc::Status CreateStudy(grpc::ServerContext* context, const v1::CreateStudyRequest* request,
                           v1::Study* study) override {
    fake_.created.push_back(*request);
    grpc::Status failure;
    if (TakeFailure(fake_, *context, failure)) return failure;
    const Result<Json> config = ParseJson(request->config_json());
    *study = MakeStudy(config.ok() ? config->value("name", "unnamed") : "unreadable",
                       v1::STUDY_STATE_ACTIVE);
    if (fake_.echoes_config) study->set_config_json(request->config_json());
    if (!request->validate_only()) fake_.studies.push_back(*study);
    study->clear_progress();  // as the real one
    return grpc::Status::OK;
  }

  grpc::Status GetStudy(grpc::ServerContext* context, const v1::GetStudyRequest* request,
                        v1::Study* study) override {
    const int call = fake_.get_study_calls++;
    grpc::Status failure;
    if (TakeFailure(fake_, *context, failure)) return failure;
    if (fake_.on_get_study) return fake_.on_get_study(call, *study);
    return Find(request->name(), *study);
  }

  grpc::Status ListStudies(grpc::ServerContext* context, const v1::ListStudiesRequest* request,
                           v1::ListStudiesResponse* response) override {
    grpc::Status failure;
    if (TakeFailure(fake_, *context, failure)) return failure;
    for (const v1::Study& study : Page(fake_.studies, request->page_token(), fake_.page_size,
                                       *response->mutable_next_page_token())) {
      *response->add_studies() = study;
    }
    return grpc::Status::OK;
  }

  grpc::Status PauseStudy(grpc::ServerContext* context, const v1::ChangeStudyRequest* request,
                          v1::Study* study) override {
    return Change(*context, "pause", *request, v1::STUDY_STATE_PAUSED, *study);
  }
  grpc::Status ResumeStudy(grpc::ServerContext* context, const v1::ChangeStudyRequest* request,
                           v1::Study* study) override {
    return Change(*context, "resume", *request, v1::STUDY_STATE_ACTIVE, *study);
  }
  grpc::Status StopStudy(grpc::ServerContext* context, const v1::ChangeStudyRequest* request,
                         v1::Study* study) override {
    return Change(*context, "stop", *request, v1::STUDY_STATE_STOPPED, *study);
  }
  grpc::Status RetryStudy(grpc::ServerContext* context, const v1::ChangeStudyRequest* request,
                          v1::Study* study) override {
    return Change(*context, "retry", *request, v1::STUDY_STATE_ACTIVE, *study);
  }
  grpc::Status DeleteStudy(grpc::ServerContext* context, const v1::ChangeStudyRequest* request,
                           v1::Study* study) override {
    const grpc::Status found =
        Change(*context, "delete", *request, v1::STUDY_STATE_COMPLETED, *study);
    std::erase_if(fake_.studies,
                  [&](const v1::Study& known) { return known.name() == request->name(); });
    return found;
  }
  grpc::Status CloneStudy(grpc::ServerContext* context, const v1::CloneStudyRequest* request,
                          v1::Study* study) override {
    fake_.cloned.push_back(*request);
    grpc::Status failure;
    if (TakeFailure(fake_, *context, failure)) return failure;
    *study = MakeStudy(request->new_name(), v1::STUDY_STATE_ACTIVE);
    fake_.studies.push_back(*study);
    study->clear_progress();  // as the real one
    study->add_warnings("/search/in_flight: a note");
    return grpc::Status::OK;
  }

 private:
  grpc::Status Find(const std::string& name, v1::Study& study) {
    for (const v1::Study& known : fake_.studies) {
      if (known.name() != name) continue;
      study = known;
      return grpc::Status::OK;
    }
    return NoSuch("study \"" + name + "\" does not exist");
  }

  grpc::Status Change(grpc::ServerContext& context, const std::string& verb,
                      const v1::ChangeStudyRequest& request, v1::StudyState state,
                      v1::Study& study) {
    fake_.changes.push_back(verb + " " + request.name() + " " + request.request_id());
    grpc::Status failure;
    if (TakeFailure(fake_, context, failure)) return failure;
    for (v1::Study& kept : fake_.studies) {
      if (kept.name() == request.name()) kept.set_state(state);
    }
    const grpc::Status found = Find(request.name(), study);
    study.clear_progress();  // as the real one
    return found;
  }

  FakeServer& fake_;
};

class Trials final : public v1::TrialService::Service {
 public:
  explicit Trials(FakeServer& fake) : fake_(fake) {}

  grpc::Status ListTrials(grpc::ServerContext* context, const v1::ListTrialsRequest* request,
                          v1::ListTrialsResponse* response) override {
    fake_.trial_lists.push_back(*request);
    grpc::Status failure;
    if (TakeFailure(fake_, *context, failure)) return failure;
    std::vector<search::Trial> chosen;
    for (const search::Trial& trial : fake_.trials) {
      const auto& states = request->states();
      const bool wanted =
          states.empty() ||
          std::find(states.begin(), states.end(), convert::ToProto(trial.state)) != states.end();
      if (wanted) chosen.push_back(trial);
    }
    for (const search::Trial& trial : Page(chosen, request->page_token(), fake_.page_size,
                                           *response->mutable_next_page_token())) {
      *response->add_trials() = convert::ToProto(trial, request->study());
    }
    return grpc::Status::OK;
  }

  grpc::Status GetTrial(grpc::ServerContext* /*context*/, const v1::GetTrialRequest* request,
                        v1::GetTrialResponse* response) override {
    const search::Trial* trial = Find(request->number());
    if (trial == nullptr) return NoSuch("trial " + std::to_string(request->number()));
    *response->mutable_trial() = convert::ToProto(*trial, request->study());
    response->set_layers_json(fake_.layers_json);
    response->set_architecture_json(fake_.architecture_json);
    return grpc::Status::OK;
  }

  grpc::Status GetFront(grpc::ServerContext* /*context*/, const v1::GetFrontRequest* request,
                        v1::GetFrontResponse* response) override {
    fake_.fronts.push_back(*request);
    for (const search::Trial& trial : fake_.trials) {
      if (trial.state != search::TrialState::kSucceeded) continue;
      const bool in_front =
          std::find(fake_.front.begin(), fake_.front.end(), trial.number) != fake_.front.end();
      *(in_front ? response->add_trials() : response->add_dominated()) =
          convert::ToProto(trial, request->study());
    }
    if (request->metrics().empty()) {
      response->add_metrics("miou");
      response->add_metrics("latency_ms[local]");
    } else {
      *response->mutable_metrics() = request->metrics();
    }
    response->set_hypervolume(0.75);
    return grpc::Status::OK;
  }

  grpc::Status CreateExport(grpc::ServerContext* context, const v1::CreateExportRequest* request,
                            v1::Export* exported) override {
    fake_.exports.push_back(*request);
    grpc::Status failure;
    if (TakeFailure(fake_, *context, failure)) return failure;
    exported->set_export_id(static_cast<int64_t>(fake_.exports.size()));
    exported->set_study(request->study());
    exported->set_trial_number(request->trial_number());
    exported->set_state(v1::TASK_STATE_QUEUED);
    return grpc::Status::OK;
  }

  grpc::Status GetExport(grpc::ServerContext* /*context*/, const v1::GetExportRequest* request,
                         v1::Export* exported) override {
    const auto& created = fake_.exports.at(static_cast<size_t>(request->export_id() - 1));
    exported->set_export_id(request->export_id());
    exported->set_study(created.study());
    exported->set_trial_number(created.trial_number());
    if (polls_[request->export_id()]++ < fake_.export_polls) {
      exported->set_state(v1::TASK_STATE_LEASED);
      return grpc::Status::OK;
    }
    exported->set_state(fake_.export_end);
    exported->set_message(fake_.export_message);
    for (const auto& [name, sha256] : fake_.export_artifacts) {
      (*exported->mutable_artifacts())[name] = sha256;
    }
    return grpc::Status::OK;
  }

 private:
  const search::Trial* Find(int64_t number) const {
    for (const search::Trial& trial : fake_.trials) {
      if (trial.number == number) return &trial;
    }
    return nullptr;
  }

  FakeServer& fake_;
  std::map<int64_t, int> polls_;
};

class Workers final : public v1::WorkerService::Service {
 public:
  explicit Workers(FakeServer& fake) : fake_(fake) {}

  grpc::Status ListWorkers(grpc::ServerContext* /*context*/,
                           const v1::ListWorkersRequest* /*request*/,
                           v1::ListWorkersResponse* response) override {
    for (const v1::Worker& worker : fake_.workers) *response->add_workers() = worker;
    return grpc::Status::OK;
  }

  grpc::Status DrainWorker(grpc::ServerContext* /*context*/, const v1::DrainWorkerRequest* request,
                           v1::Worker* worker) override {
    fake_.drained.push_back(request->name());
    for (const v1::Worker& known : fake_.workers) {
      if (known.info().name() != request->name()) continue;
      *worker = known;
      worker->set_state("draining");
      return grpc::Status::OK;
    }
    return NoSuch("worker \"" + request->name() + "\" does not exist");
  }

 private:
  FakeServer& fake_;
};

class Artifacts final : public v1::ArtifactService::Service {
 public:
  explicit Artifacts(FakeServer& fake) : fake_(fake) {}

  grpc::Status HasArtifact(grpc::ServerContext* /*context*/, const v1::HasArtifactRequest* request,
                           v1::HasArtifactResponse* response) override {
    const auto found = fake_.artifacts.find(request->sha256());
    response->set_exists(found != fake_.artifacts.end());
    if (response->exists()) {
      response->set_size_bytes(static_cast<int64_t>(found->second.size()));
    }
    return grpc::Status::OK;
  }

  grpc::Status ReadArtifact(grpc::ServerContext* /*context*/,
                            const v1::ReadArtifactRequest* request,
                            grpc::ServerWriter<v1::ReadArtifactResponse>* writer) override {
    fake_.read_offsets.push_back(request->offset());
    const std::string& bytes = fake_.artifacts.at(request->sha256());
    const bool breaks = fake_.break_reads_after > 0 && request->offset() == 0;
    int sent = 0;
    for (auto at = static_cast<size_t>(request->offset()); at < bytes.size(); at += kChunk) {
      if (breaks && sent++ == fake_.break_reads_after) {
        return {grpc::StatusCode::UNAVAILABLE, "going down"};
      }
      v1::ReadArtifactResponse chunk;
      chunk.set_data(bytes.substr(at, kChunk));
      chunk.set_size_bytes(static_cast<int64_t>(bytes.size()));
      if (!writer->Write(chunk)) break;
    }
    return grpc::Status::OK;
  }

 private:
  FakeServer& fake_;
};

}  // namespace

FakeServer::FakeServer() {
  services_.push_back(std::make_unique<Studies>(*this));
  services_.push_back(std::make_unique<Trials>(*this));
  services_.push_back(std::make_unique<Workers>(*this));
  services_.push_back(std::make_unique<Artifacts>(*this));
  grpc::ServerBuilder builder;
  int port = 0;
  rpc::ApplyServerArguments(builder);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  for (const auto& service : services_) builder.RegisterService(service.get());
  server_ = builder.BuildAndStart();
  address = "127.0.0.1:" + std::to_string(port);
}

FakeServer::~FakeServer() { server_->Shutdown(); }

RunOutcome RunLine(const std::string& address, std::vector<std::string> arguments,
                   const RunSettings& settings) {
  if (!address.empty()) arguments.insert(arguments.begin(), {"--server", address});
  std::istringstream in(settings.input);
  std::ostringstream out;
  std::ostringstream err;
  // What depends on time in the output is the same in every run.
  const SteppingClock clock(settings.clock_step_ms);
  const Environment environment = [&settings](const std::string& name) {
    const auto found = settings.environment.find(name);
    return found == settings.environment.end() ? std::string() : found->second;
  };
  const ExitCode code =
      RunClient(arguments, {in, out, err, settings.terminal, environment, clock, settings.stop});
  return {code, out.str(), err.str()};
}

v1::Study MakeStudy(const std::string& name, v1::StudyState state) {
  v1::Study study;
  study.set_name(name);
  study.set_state(state);
  study.set_phase(v1::STUDY_PHASE_SEARCH);
  study.set_created_ms(1'699'999'900'000);
  study.set_config_json(
      R"({"name":")" + name +
      R"(","objectives":[{"metric":"miou"},{"metric":"latency_ms","target":"local"}],)"
      R"("search":{"trials":64}})");
  v1::StudyProgress& progress = *study.mutable_progress();
  progress.set_trials_total(64);
  progress.set_trials_succeeded(20);
  progress.set_trials_infeasible(2);
  progress.set_trials_failed(1);
  progress.set_front_size(5);
  progress.set_hypervolume(0.7312);
  progress.set_trials_per_minute(4.1);
  return study;
}

search::Trial MakeTrial(int64_t number, double miou, double latency_ms) {
  search::Trial trial;
  trial.number = number;
  trial.candidate.choices = {0, 1, static_cast<int32_t>(number)};
  trial.digest = "digest-" + std::to_string(number);
  trial.origin = "random";
  trial.state = search::TrialState::kSucceeded;
  trial.sequence = number;
  trial.created_ms = 1'699'999'950'000;
  trial.finished_ms = 1'699'999'990'000;
  const auto add = [&trial](const std::string& metric, const std::string& target, double value,
                            double spread) {
    search::Measurement measurement;
    measurement.metric = metric;
    measurement.target = target;
    measurement.value = value;
    measurement.spread = spread;
    trial.measured[{metric, target}] = measurement;
  };
  add("miou", "", miou, 0);
  add("latency_ms", "local", latency_ms, 0.25);
  add("macs", "", latency_ms * 1e8, 0);
  return trial;
}

}  // namespace voxbit::client
