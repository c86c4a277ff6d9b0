#include "client/rpc/api.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/sync_stream.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <limits>
#include <mutex>
#include <utility>

#include "common/rng.h"
#include "common/uuid.h"
#include "proto/convert/convert.h"
#include "proto/rpc/channel.h"
#include "proto/rpc/status.h"
#include "voxbit/v1/artifact_service.grpc.pb.h"
#include "voxbit/v1/study_service.grpc.pb.h"
#include "voxbit/v1/trial_service.grpc.pb.h"
#include "voxbit/v1/worker_service.grpc.pb.h"

namespace voxbit::client {
namespace {

constexpr int kAttempts = 4;
constexpr Milliseconds kFirstPause{200};
constexpr Milliseconds kLastPause{5'000};
// A front and thousands of dominated trials are one message.
constexpr int kMaxMessageBytes = 256 << 20;
// Trials carry per-class values: a page stays well below the limit of other readers.
constexpr int kTrialPage = 200;
constexpr int kStudyPage = 100;

// Cancels a call when the user interrupts.
class CancelOnStop {
 public:
  CancelOnStop(const std::stop_token& stop, grpc::ClientContext& context)
      : callback_(stop, [&context] { context.TryCancel(); }) {}

 private:
  std::stop_callback<std::function<void()>> callback_;
};

Status Misunderstood(const Status& status) {
  return Internal("the server's answer cannot be read: " + status.message() +
                  "; are client and server of the same version?");
}

Result<Json> JsonField(const std::string& text, const char* field) {
  if (text.empty()) return Json();
  Result<Json> json = ParseJson(text);
  if (!json.ok()) return Misunderstood(json.status().Annotate(field));
  return json;
}

template <class Messages>
Status ReadTrials(const Messages& messages, std::vector<search::Trial>& trials) {
  for (const v1::Trial& message : messages) {
    Result<search::Trial> trial = convert::FromProto(message);
    if (!trial.ok()) {
      return Misunderstood(trial.status().Annotate("trial " + std::to_string(message.number())));
    }
    trials.push_back(std::move(trial).value());
  }
  return OkStatus();
}

v1::ChangeStudyRequest ChangeRequest(const std::string& name) {
  v1::ChangeStudyRequest request;
  request.set_request_id(NewUuid());
  request.set_name(name);
  return request;
}

}  // namespace

class Api::Connection {
 public:
  explicit Connection(Options options)
      : options_(std::move(options)), rng_(std::hash<std::string>()(NewUuid())) {
    grpc::ChannelArguments arguments = rpc::ClientArguments();
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    channel_ =
        grpc::CreateCustomChannel(options_.server, grpc::InsecureChannelCredentials(), arguments);
    studies = v1::StudyService::NewStub(channel_);
    trials = v1::TrialService::NewStub(channel_);
    workers = v1::WorkerService::NewStub(channel_);
    artifacts = v1::ArtifactService::NewStub(channel_);
  }

  const Options& options() const { return options_; }

  template <class Stub, class Request, class Response>
  Result<Response> Call(Stub& stub,
                        grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                     Response*),
                        const Request& request) {
    Response response;
    const Status status = Repeat([&](grpc::ClientContext& context) {
      const bool has_own = options_.deadline.count() > 0;
      rpc::SetDeadline(context, has_own ? options_.deadline : rpc::kControlDeadline);
      return (stub.*method)(&context, request, &response);
    });
    if (!status.ok()) return status;
    return response;
  }

  // Runs `attempt` with a fresh context until it succeeds or fails for good. `progress` tells
  // whether an attempt that was cut off brought something, which starts the count anew.
  Status Repeat(
      const std::function<grpc::Status(grpc::ClientContext&)>& attempt,
      const std::function<bool()>& progress = [] { return false; }) {
    VOXBIT_RETURN_IF_ERROR(Connect());
    Milliseconds pause = kFirstPause;
    for (int i = 1;; ++i) {
      grpc::ClientContext context;
      grpc::Status answer;
      {
        const CancelOnStop cancel(options_.stop, context);
        answer = attempt(context);
      }
      if (options_.stop.stop_requested()) return Cancelled("interrupted");
      Status status = rpc::FromGrpc(answer, context);
      if (status.code() == StatusCode::kDeadlineExceeded) {
        return {status.code(), "the server at " + options_.server + " did not answer in time",
                status.reason()};
      }
      if (status.code() != StatusCode::kUnavailable) return status;
      if (progress()) i = 1;
      if (i >= kAttempts) return status.Annotate("the server at " + options_.server + " is away");
      // Full jitter keeps clients that lost the same server from returning in step.
      const auto span =
          static_cast<int64_t>(static_cast<double>(pause.count()) * rng_.Uniform(0.5, 1.0));
      if (!Pause(Milliseconds(span))) return Cancelled("interrupted");
      rpc::WaitForConnection(*channel_, rpc::kReconnectWait, options_.stop);
      pause = std::min(pause * 2, kLastPause);
    }
  }

  std::unique_ptr<v1::StudyService::Stub> studies;
  std::unique_ptr<v1::TrialService::Stub> trials;
  std::unique_ptr<v1::WorkerService::Stub> workers;
  std::unique_ptr<v1::ArtifactService::Stub> artifacts;

 private:
  // Waits for the first connection, so that an address where nobody answers is told apart from a
  // slow server.
  Status Connect() {
    if (connected_) return OkStatus();
    connected_ = rpc::WaitForConnection(*channel_, options_.connect, options_.stop);
    if (connected_) return OkStatus();
    if (options_.stop.stop_requested()) return Cancelled("interrupted");
    return Unavailable("cannot reach a server at " + options_.server +
                       "; start search-server, or name another address with --server or "
                       "VOXBIT_SERVER");
  }

  bool Pause(Milliseconds span) {
    std::mutex mutex;
    std::condition_variable_any nothing;
    std::unique_lock<std::mutex> lock(mutex);
    nothing.wait_for(lock, options_.stop, span, [] { return false; });
    return !options_.stop.stop_requested();
  }

  Options options_;
  Rng rng_;
  std::shared_ptr<grpc::Channel> channel_;
  bool connected_ = false;
};

Api::Api(Options options) : connection_(std::make_unique<Connection>(std::move(options))) {}
Api::~Api() = default;

const std::string& Api::server() const { return connection_->options().server; }

Result<v1::Study> Api::CreateStudy(const std::string& config_json, bool validate_only) {
  v1::CreateStudyRequest request;
  request.set_request_id(NewUuid());
  request.set_config_json(config_json);
  request.set_validate_only(validate_only);
  return connection_->Call(*connection_->studies, &v1::StudyService::Stub::CreateStudy, request);
}

Result<v1::Study> Api::GetStudy(const std::string& name) {
  v1::GetStudyRequest request;
  request.set_name(name);
  return connection_->Call(*connection_->studies, &v1::StudyService::Stub::GetStudy, request);
}

Result<std::vector<v1::Study>> Api::ListStudies() {
  std::vector<v1::Study> studies;
  v1::ListStudiesRequest request;
  request.set_page_size(kStudyPage);
  do {
    VOXBIT_ASSIGN_OR_RETURN(
        const v1::ListStudiesResponse page,
        connection_->Call(*connection_->studies, &v1::StudyService::Stub::ListStudies, request));
    studies.insert(studies.end(), page.studies().begin(), page.studies().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return studies;
}

Result<v1::Study> Api::PauseStudy(const std::string& name) {
  return connection_->Call(*connection_->studies, &v1::StudyService::Stub::PauseStudy,
                           ChangeRequest(name));
}

Result<v1::Study> Api::ResumeStudy(const std::string& name) {
  return connection_->Call(*connection_->studies, &v1::StudyService::Stub::ResumeStudy,
                           ChangeRequest(name));
}

Result<v1::Study> Api::StopStudy(const std::string& name) {
  return connection_->Call(*connection_->studies, &v1::StudyService::Stub::StopStudy,
                           ChangeRequest(name));
}

Result<v1::Study> Api::RetryStudy(const std::string& name) {
  return connection_->Call(*connection_->studies, &v1::StudyService::Stub::RetryStudy,
                           ChangeRequest(name));
}

Result<v1::Study> Api::DeleteStudy(const std::string& name) {
  return connection_->Call(*connection_->studies, &v1::StudyService::Stub::DeleteStudy,
                           ChangeRequest(name));
}

Result<v1::Study> Api::CloneStudy(const std::string& name, const std::string& new_name,
                                  const std::vector<std::string>& overrides) {
  v1::CloneStudyRequest request;
  request.set_request_id(NewUuid());
  request.set_name(name);
  request.set_new_name(new_name);
  for (const std::string& text : overrides) request.add_overrides(text);
  return connection_->Call(*connection_->studies, &v1::StudyService::Stub::CloneStudy, request);
}

Result<std::vector<search::Trial>> Api::ListTrials(const std::string& study,
                                                   const std::vector<search::TrialState>& states,
                                                   int64_t limit) {
  std::vector<search::Trial> trials;
  v1::ListTrialsRequest request;
  request.set_study(study);
  const int64_t most = limit > 0 ? limit : std::numeric_limits<int64_t>::max();
  request.set_page_size(static_cast<int32_t>(std::min<int64_t>(kTrialPage, most)));
  for (const search::TrialState state : states) request.add_states(convert::ToProto(state));
  do {
    VOXBIT_ASSIGN_OR_RETURN(
        const v1::ListTrialsResponse page,
        connection_->Call(*connection_->trials, &v1::TrialService::Stub::ListTrials, request));
    VOXBIT_RETURN_IF_ERROR(ReadTrials(page.trials(), trials));
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && static_cast<int64_t>(trials.size()) < most);
  return trials;
}

Result<Api::TrialDetails> Api::GetTrial(const std::string& study, int64_t number) {
  v1::GetTrialRequest request;
  request.set_study(study);
  request.set_number(number);
  VOXBIT_ASSIGN_OR_RETURN(
      const v1::GetTrialResponse response,
      connection_->Call(*connection_->trials, &v1::TrialService::Stub::GetTrial, request));
  Result<search::Trial> trial = convert::FromProto(response.trial());
  if (!trial.ok()) return Misunderstood(trial.status());
  TrialDetails details{std::move(trial).value(), Json(), Json()};
  VOXBIT_ASSIGN_OR_RETURN(details.architecture,
                          JsonField(response.architecture_json(), "architecture_json"));
  VOXBIT_ASSIGN_OR_RETURN(details.layers, JsonField(response.layers_json(), "layers_json"));
  if (details.layers.is_null()) details.layers = Json::array();
  return details;
}

Result<Api::Front> Api::GetFront(const std::string& study,
                                 const std::vector<std::string>& metrics) {
  v1::GetFrontRequest request;
  request.set_study(study);
  for (const std::string& metric : metrics) request.add_metrics(metric);
  VOXBIT_ASSIGN_OR_RETURN(
      const v1::GetFrontResponse response,
      connection_->Call(*connection_->trials, &v1::TrialService::Stub::GetFront, request));
  Front front;
  front.metrics.assign(response.metrics().begin(), response.metrics().end());
  if (response.has_hypervolume()) front.hypervolume = response.hypervolume();
  VOXBIT_RETURN_IF_ERROR(ReadTrials(response.trials(), front.trials));
  VOXBIT_RETURN_IF_ERROR(ReadTrials(response.dominated(), front.dominated));
  front.num_compared = response.trials_size() +
                       std::max<int64_t>(response.num_dominated(), response.dominated_size());
  return front;
}

Result<v1::Export> Api::CreateExport(const std::string& study, int64_t number) {
  v1::CreateExportRequest request;
  request.set_request_id(NewUuid());
  request.set_study(study);
  request.set_trial_number(number);
  return connection_->Call(*connection_->trials, &v1::TrialService::Stub::CreateExport, request);
}

Result<v1::Export> Api::GetExport(int64_t export_id) {
  v1::GetExportRequest request;
  request.set_export_id(export_id);
  return connection_->Call(*connection_->trials, &v1::TrialService::Stub::GetExport, request);
}

Status Api::ReadArtifact(const std::string& sha256, const ChunkSink& sink) {
  v1::HasArtifactRequest question;
  question.set_sha256(sha256);
  VOXBIT_ASSIGN_OR_RETURN(const v1::HasArtifactResponse found,
                          connection_->Call(*connection_->artifacts,
                                            &v1::ArtifactService::Stub::HasArtifact, question));
  if (!found.exists()) return NotFound("the server does not have artifact " + sha256);

  int64_t received = 0;
  int64_t received_before = 0;
  Status sink_status;
  const Status status = connection_->Repeat(
      [&](grpc::ClientContext& context) {
        rpc::SetDeadline(context, rpc::TransferDeadline(found.size_bytes() - received));
        v1::ReadArtifactRequest request;
        request.set_sha256(sha256);
        request.set_offset(received);
        const auto reader = connection_->artifacts->ReadArtifact(&context, request);
        v1::ReadArtifactResponse chunk;
        while (sink_status.ok() && reader->Read(&chunk)) {
          received += static_cast<int64_t>(chunk.data().size());
          sink_status = sink(chunk.data(), found.size_bytes());
        }
        if (!sink_status.ok()) context.TryCancel();
        return reader->Finish();
      },
      [&] { return std::exchange(received_before, received) < received; });
  if (!sink_status.ok()) return sink_status;
  return status;
}

Result<std::vector<search::WorkerRow>> Api::ListWorkers() {
  VOXBIT_ASSIGN_OR_RETURN(
      const v1::ListWorkersResponse response,
      connection_->Call(*connection_->workers, &v1::WorkerService::Stub::ListWorkers,
                        v1::ListWorkersRequest()));
  std::vector<search::WorkerRow> rows;
  for (const v1::Worker& message : response.workers()) {
    Result<search::WorkerRow> row = convert::FromProto(message);
    if (!row.ok()) return Misunderstood(row.status());
    rows.push_back(std::move(row).value());
  }
  return rows;
}

Result<search::WorkerRow> Api::DrainWorker(const std::string& name) {
  v1::DrainWorkerRequest request;
  request.set_request_id(NewUuid());
  request.set_name(name);
  VOXBIT_ASSIGN_OR_RETURN(
      const v1::Worker message,
      connection_->Call(*connection_->workers, &v1::WorkerService::Stub::DrainWorker, request));
  Result<search::WorkerRow> row = convert::FromProto(message);
  if (!row.ok()) return Misunderstood(row.status());
  return row;
}

}  // namespace voxbit::client
