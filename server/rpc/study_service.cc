// StudyService: create, clone, look at, pause, resume, stop, try again, delete.
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/config.h"
#include "common/log.h"
#include "proto/convert/convert.h"
#include "server/dispatch/unserved.h"
#include "server/rpc/answer.h"
#include "server/rpc/paging.h"
#include "server/rpc/services.h"
#include "server/study/config_override.h"
#include "server/study/idle_workers.h"
#include "server/study/server_config.h"
#include "server/study/study_runner.h"
#include "voxbit/v1/study_service.grpc.pb.h"

namespace voxbit::server {
namespace {

// The caller, the server and the workers have working directories of their own.
Status CheckDatasetRoot(const Json& config) {
  const auto dataset = config.find("dataset");
  if (dataset == config.end()) return OkStatus();
  const auto root = dataset->find("root");
  if (root == dataset->end() || !root->is_string()) return OkStatus();
  const auto path = root->get<std::string>();
  if (path.empty() || path.front() == '/') return OkStatus();
  return FieldError("/dataset/root",
                    "expected an absolute path, the same on every machine with "
                    "workers, found \"" +
                        path + "\"");
}

// `of_data` is what a look at the data says; "": nothing.
void AddWarnings(const StudyPlan& plan, const std::string& of_data, v1::Study& message) {
  for (const std::string& note : plan.notes()) message.add_warnings(note);
  if (!of_data.empty()) message.add_warnings(of_data);
}

class StudyService final : public v1::StudyService::CallbackService {
 public:
  explicit StudyService(const ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* CreateStudy(grpc::CallbackServerContext* call,
                                        const v1::CreateStudyRequest* request,
                                        v1::Study* response) override {
    const Result<Json> config = ParseJson(request->config_json());
    const Result<std::string> warning = LookAtDataOf(config);
    if (request->validate_only()) {
      return Answer(call, [&]() -> Status {
        VOXBIT_RETURN_IF_ERROR(warning.status());
        VOXBIT_ASSIGN_OR_RETURN(const auto plan, Plan(*config));
        response->set_name(plan->config().name);
        response->set_config_json(plan->config_json());
        AddWarnings(*plan, *warning, *response);
        return OkStatus();
      });
    }
    return AnswerMutation(
        call, context_.store, "StudyService/CreateStudy", *request, response,
        [&] { return Create(config, warning); }, [&] { StartRunner(response->name()); });
  }

  grpc::ServerUnaryReactor* CloneStudy(grpc::CallbackServerContext* call,
                                       const v1::CloneStudyRequest* request,
                                       v1::Study* response) override {
    const Result<Json> config = ClonedConfig(*request);
    const Result<std::string> warning = LookAtDataOf(config);
    return AnswerMutation(
        call, context_.store, "StudyService/CloneStudy", *request, response,
        [&] { return Create(config, warning); }, [&] { StartRunner(response->name()); });
  }

  grpc::ServerUnaryReactor* GetStudy(grpc::CallbackServerContext* call,
                                     const v1::GetStudyRequest* request,
                                     v1::Study* response) override {
    return Answer(call, [&]() -> Status {
      VOXBIT_ASSIGN_OR_RETURN(const search::Study study, context_.store.GetStudy(request->name()));
      VOXBIT_ASSIGN_OR_RETURN(const Situation situation, Look());
      VOXBIT_ASSIGN_OR_RETURN(*response, WithProgress(study, situation));
      VOXBIT_ASSIGN_OR_RETURN(const Json overview, StudyDataOverview(context_.store, study.id));
      if (!overview.is_null()) response->set_data_json(CanonicalJson(overview));
      return OkStatus();
    });
  }

  grpc::ServerUnaryReactor* ListStudies(grpc::CallbackServerContext* call,
                                        const v1::ListStudiesRequest* request,
                                        v1::ListStudiesResponse* response) override {
    return Answer(call, [&]() -> Status {
      VOXBIT_ASSIGN_OR_RETURN(const Page page,
                              ReadPage(request->page_size(), request->page_token()));
      VOXBIT_ASSIGN_OR_RETURN(const auto studies,
                              context_.store.ListStudies(page.after, page.size + 1));
      VOXBIT_ASSIGN_OR_RETURN(const Situation situation, Look());
      for (size_t i = 0; i < studies.size() && i < static_cast<size_t>(page.size); ++i) {
        VOXBIT_ASSIGN_OR_RETURN(*response->add_studies(), WithProgress(studies[i], situation));
      }
      if (studies.size() > static_cast<size_t>(page.size)) {
        response->set_next_page_token(PageToken(studies[static_cast<size_t>(page.size) - 1].id));
      }
      return OkStatus();
    });
  }

  grpc::ServerUnaryReactor* PauseStudy(grpc::CallbackServerContext* call,
                                       const v1::ChangeStudyRequest* request,
                                       v1::Study* response) override {
    return Move(call, "StudyService/PauseStudy", *request, response, search::StudyState::kPaused);
  }

  grpc::ServerUnaryReactor* ResumeStudy(grpc::CallbackServerContext* call,
                                        const v1::ChangeStudyRequest* request,
                                        v1::Study* response) override {
    return Move(call, "StudyService/ResumeStudy", *request, response, search::StudyState::kActive);
  }

  grpc::ServerUnaryReactor* StopStudy(grpc::CallbackServerContext* call,
                                      const v1::ChangeStudyRequest* request,
                                      v1::Study* response) override {
    return Move(call, "StudyService/StopStudy", *request, response, search::StudyState::kStopped);
  }

  grpc::ServerUnaryReactor* RetryStudy(grpc::CallbackServerContext* call,
                                       const v1::ChangeStudyRequest* request,
                                       v1::Study* response) override {
    return AnswerMutation(
        call, context_.store, "StudyService/RetryStudy", *request, response,
        [&]() -> Result<v1::Study> {
          VOXBIT_ASSIGN_OR_RETURN(const search::Study study,
                                  context_.store.GetStudy(request->name()));
          VOXBIT_ASSIGN_OR_RETURN(const search::Study again, context_.store.RetryStudy(study.id));
          return convert::ToProto(again);
        },
        [&] {
          // Its trials have other sequences now.
          const auto study = context_.store.GetStudy(request->name());
          if (study.ok()) context_.reporter.Forget(study->id);
          StartRunner(request->name());
        });
  }

  grpc::ServerUnaryReactor* DeleteStudy(grpc::CallbackServerContext* call,
                                        const v1::ChangeStudyRequest* request,
                                        v1::Study* response) override {
    std::optional<int64_t> deleted;  // by this call
    return AnswerMutation(
        call, context_.store, "StudyService/DeleteStudy", *request, response,
        [&]() -> Result<v1::Study> {
          VOXBIT_ASSIGN_OR_RETURN(const search::Study study,
                                  context_.store.GetStudy(request->name()));
          VOXBIT_ASSIGN_OR_RETURN(const search::Study last, context_.store.DeleteStudy(study.id));
          deleted = study.id;
          return convert::ToProto(last);
        },
        [&] {
          if (deleted.has_value()) Clear(*deleted, response->name());
          context_.changes.Notify();
        });
  }

 private:
  Result<std::unique_ptr<StudyPlan>> Plan(const Json& config) const {
    VOXBIT_RETURN_IF_ERROR(CheckDatasetRoot(config));
    return StudyPlan::CreateNew(config, "", context_.plugins);
  }

  Result<Json> ClonedConfig(const v1::CloneStudyRequest& request) const {
    VOXBIT_ASSIGN_OR_RETURN(const search::Study original, context_.store.GetStudy(request.name()));
    VOXBIT_ASSIGN_OR_RETURN(Json config, ParseJson(original.config_json));
    for (const std::string& text : request.overrides()) {
      VOXBIT_ASSIGN_OR_RETURN(const ConfigOverride change, ParseOverride(text));
      VOXBIT_RETURN_IF_ERROR(ApplyOverride(change, config));
    }
    config["name"] = request.new_name();
    return config;
  }

  // Not inside the transaction: a share that hangs must not hold the store.
  Result<std::string> LookAtDataOf(const Result<Json>& config) const {
    VOXBIT_RETURN_IF_ERROR(config.status());
    VOXBIT_ASSIGN_OR_RETURN(const auto plan, Plan(*config));
    return LookAtData({{"dataset", plan->config().dataset}}, "", context_.plugins,
                      context_.has_local_workers);
  }

  // Inside the transaction, and so are the errors of what was read before it: a repeated request
  // gets its answer although the data, or the study that was cloned, may be gone.
  Result<v1::Study> Create(const Result<Json>& config, const Result<std::string>& warning) const {
    VOXBIT_RETURN_IF_ERROR(warning.status());
    VOXBIT_ASSIGN_OR_RETURN(const auto plan, Plan(*config));
    VOXBIT_ASSIGN_OR_RETURN(const search::Study study,
                            context_.store.CreateStudy(plan->config(), plan->config_json()));
    v1::Study created = convert::ToProto(study);
    AddWarnings(*plan, *warning, created);
    return created;
  }

  // What all studies share.
  struct Situation {
    std::vector<UnservedWork> unserved;
    std::set<int64_t> queued;  // studies with tasks that wait for a worker
    std::vector<search::WorkerRow> workers;
  };

  Result<Situation> Look() const {
    Situation situation;
    VOXBIT_ASSIGN_OR_RETURN(const auto waiting, context_.store.ListWaiting());
    for (const storage::WaitingWork& work : waiting) situation.queued.insert(work.study_id);
    VOXBIT_ASSIGN_OR_RETURN(auto workers, context_.dispatcher.Workers());
    situation.unserved = FindUnserved(waiting, workers, context_.dispatcher.Quarantined(),
                                      context_.clock.NowMs(), context_.dispatcher.settings());
    VOXBIT_ASSIGN_OR_RETURN(situation.workers, context_.dispatcher.Rows(std::move(workers)));
    return situation;
  }

  std::string Idle(const search::Study& study, const storage::TrialCounts& counts,
                   const Situation& situation) const {
    const auto kind = context_.plugins.algorithms.Find(study.config.search.algorithm);
    if (!kind.ok()) return "";  // of another version, whose runner says so
    return IdleWorkers(study, counts, situation.queued.contains(study.id), kind->pace,
                       situation.workers);
  }

  Result<v1::Study> WithProgress(const search::Study& study, const Situation& situation) const {
    VOXBIT_ASSIGN_OR_RETURN(const Progress progress, context_.reporter.GetProgress(study));
    v1::Study message = convert::ToProto(study);
    v1::StudyProgress& out = *message.mutable_progress();
    out.set_trials_total(progress.trials_total);
    out.set_trials_proposed(progress.counts.proposed);
    out.set_trials_succeeded(progress.counts.succeeded);
    out.set_trials_infeasible(progress.counts.infeasible);
    out.set_trials_failed(progress.counts.failed);
    out.set_front_size(progress.front_size);
    if (progress.hypervolume.has_value()) out.set_hypervolume(*progress.hypervolume);
    if (progress.trials_per_minute.has_value()) {
      out.set_trials_per_minute(*progress.trials_per_minute);
    }
    if (progress.reference.has_value()) {
      out.set_reference_json(
          CanonicalJson(RangesByMetric(study.config.objectives, *progress.reference)));
    }
    for (const search::Task& task : progress.running) {
      v1::TaskProgress& row = *out.add_running();
      row.set_task_id(task.id);
      row.set_kind(convert::ToProto(task.spec.kind));
      row.set_trial_number(task.trial_number);
      row.set_worker(task.worker);
      row.set_attempt(task.attempt);
      row.set_progress_json(CanonicalJson(task.progress));
    }
    for (const UnservedWork& work : situation.unserved) {
      if (work.study_id == study.id) out.add_waits(work.why);
    }
    out.set_idle(Idle(study, progress.counts, situation));
    return message;
  }

  grpc::ServerUnaryReactor* Move(grpc::CallbackServerContext* call, const std::string& method,
                                 const v1::ChangeStudyRequest& request, v1::Study* response,
                                 search::StudyState to) {
    return AnswerMutation(
        call, context_.store, method, request, response,
        [&]() -> Result<v1::Study> {
          VOXBIT_ASSIGN_OR_RETURN(const search::Study study,
                                  context_.store.GetStudy(request.name()));
          VOXBIT_ASSIGN_OR_RETURN(const search::Study moved,
                                  context_.store.MoveStudy(study.id, to, ""));
          return convert::ToProto(moved);
        },
        [&] { context_.changes.Notify(); });
  }

  // What a deleted study has outside of the tables.
  void Clear(int64_t study_id, const std::string& name) const {
    context_.reporter.Forget(study_id);
    const Status dropped = context_.store.DropStates(study_id);
    log::Info("study deleted", {{"study", name}});
    if (!dropped.ok()) {
      log::Warning("files of a deleted study stay until the next start",
                   {{"study", name}, {"why", dropped.ToString()}});
    }
  }

  // After the commit: also for a repeated call, since a runner that exists is not started again.
  void StartRunner(const std::string& name) {
    const auto study = context_.store.GetStudy(name);
    if (study.ok()) context_.supervisor.Start(*study);
    context_.changes.Notify();
  }

  const ServiceContext context_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeStudyService(const ServiceContext& context) {
  return std::make_unique<StudyService>(context);
}

}  // namespace voxbit::server
