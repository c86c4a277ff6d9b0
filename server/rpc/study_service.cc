// StudyService: create, look at, pause, resume, stop.
#include <algorithm>
#include <string>

#include "common/config.h"
#include "common/log.h"
#include "proto/convert/convert.h"
#include "server/dispatch/unserved.h"
#include "server/rpc/answer.h"
#include "server/rpc/paging.h"
#include "server/rpc/services.h"
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

class StudyService final : public v1::StudyService::CallbackService {
 public:
  explicit StudyService(const ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* CreateStudy(grpc::CallbackServerContext* call,
                                        const v1::CreateStudyRequest* request,
                                        v1::Study* response) override {
    if (request->validate_only()) {
      return Answer(call, [&]() -> Status {
        VOXBIT_ASSIGN_OR_RETURN(const auto plan, Plan(*request));
        response->set_name(plan->config().name);
        response->set_config_json(plan->config_json());
        return OkStatus();
      });
    }
    return AnswerMutation(
        call, context_.store, "StudyService/CreateStudy", *request, response,
        [&]() -> Result<v1::Study> {
          VOXBIT_ASSIGN_OR_RETURN(const auto plan, Plan(*request));
          VOXBIT_ASSIGN_OR_RETURN(const search::Study study,
                                  context_.store.CreateStudy(plan->config(), plan->config_json()));
          return convert::ToProto(study);
        },
        [&] { StartRunner(response->name()); });
  }

  grpc::ServerUnaryReactor* GetStudy(grpc::CallbackServerContext* call,
                                     const v1::GetStudyRequest* request,
                                     v1::Study* response) override {
    return Answer(call, [&]() -> Status {
      VOXBIT_ASSIGN_OR_RETURN(const search::Study study, context_.store.GetStudy(request->name()));
      VOXBIT_ASSIGN_OR_RETURN(const auto unserved, Unserved());
      VOXBIT_ASSIGN_OR_RETURN(*response, WithProgress(study, unserved));
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
      VOXBIT_ASSIGN_OR_RETURN(const auto unserved, Unserved());
      for (size_t i = 0; i < studies.size() && i < static_cast<size_t>(page.size); ++i) {
        VOXBIT_ASSIGN_OR_RETURN(*response->add_studies(), WithProgress(studies[i], unserved));
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

 private:
  Result<std::unique_ptr<StudyPlan>> Plan(const v1::CreateStudyRequest& request) const {
    VOXBIT_ASSIGN_OR_RETURN(const Json config, ParseJson(request.config_json()));
    VOXBIT_RETURN_IF_ERROR(CheckDatasetRoot(config));
    return StudyPlan::CreateNew(config, "", context_.plugins);
  }

  Result<std::vector<UnservedWork>> Unserved() const {
    return FindUnserved(context_.store, context_.clock, context_.dispatcher.settings());
  }

  Result<v1::Study> WithProgress(const search::Study& study,
                                 const std::vector<UnservedWork>& unserved) const {
    VOXBIT_ASSIGN_OR_RETURN(const Progress progress, context_.reporter.GetProgress(study));
    v1::Study message = convert::ToProto(study);
    v1::StudyProgress& out = *message.mutable_progress();
    out.set_trials_total(progress.trials_total);
    out.set_trials_proposed(progress.counts.proposed);
    out.set_trials_succeeded(progress.counts.succeeded);
    out.set_trials_infeasible(progress.counts.infeasible);
    out.set_trials_failed(progress.counts.failed);
    out.set_front_size(progress.front_size);
    out.set_hypervolume(progress.hypervolume);
    out.set_trials_per_minute(progress.trials_per_minute);
    for (const search::Task& task : progress.running) {
      v1::TaskProgress& row = *out.add_running();
      row.set_task_id(task.id);
      row.set_kind(convert::ToProto(task.spec.kind));
      row.set_trial_number(task.trial_number);
      row.set_worker(task.worker);
      row.set_attempt(task.attempt);
      row.set_progress_json(CanonicalJson(task.progress));
    }
    for (const UnservedWork& work : unserved) {
      if (work.study_id == study.id) out.add_waits(work.why);
    }
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
