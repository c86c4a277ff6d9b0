// TrialService: trials, the front, exports.
#include <string>

#include "proto/convert/convert.h"
#include "server/rpc/answer.h"
#include "server/rpc/paging.h"
#include "server/rpc/services.h"
#include "server/study/study_runner.h"
#include "voxbit/v1/trial_service.grpc.pb.h"

namespace voxbit::server {
namespace {

class TrialService final : public v1::TrialService::CallbackService {
 public:
  explicit TrialService(const ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* ListTrials(grpc::CallbackServerContext* call,
                                       const v1::ListTrialsRequest* request,
                                       v1::ListTrialsResponse* response) override {
    return Answer(call, [&]() -> Status {
      VOXBIT_ASSIGN_OR_RETURN(const search::Study study, context_.store.GetStudy(request->study()));
      VOXBIT_ASSIGN_OR_RETURN(const Page page,
                              ReadPage(request->page_size(), request->page_token()));
      storage::TrialFilter filter{.states = {}, .after_number = page.after, .limit = page.size + 1};
      for (const int state : request->states()) {
        VOXBIT_ASSIGN_OR_RETURN(const auto parsed,
                                convert::FromProto(static_cast<v1::TrialState>(state)));
        filter.states.push_back(parsed);
      }
      VOXBIT_ASSIGN_OR_RETURN(const auto trials, context_.store.ListTrials(study.id, filter));
      for (size_t i = 0; i < trials.size() && i < static_cast<size_t>(page.size); ++i) {
        *response->add_trials() = convert::ToProto(trials[i], study.config.name);
      }
      if (trials.size() > static_cast<size_t>(page.size)) {
        response->set_next_page_token(PageToken(trials[static_cast<size_t>(page.size) - 1].number));
      }
      return OkStatus();
    });
  }

  grpc::ServerUnaryReactor* GetTrial(grpc::CallbackServerContext* call,
                                     const v1::GetTrialRequest* request,
                                     v1::GetTrialResponse* response) override {
    return Answer(call, [&]() -> Status {
      VOXBIT_ASSIGN_OR_RETURN(const search::Study study, context_.store.GetStudy(request->study()));
      VOXBIT_ASSIGN_OR_RETURN(const search::Trial trial,
                              context_.store.GetTrial(study.id, request->number()));
      VOXBIT_ASSIGN_OR_RETURN(const auto plan, PlanOf(study));
      VOXBIT_ASSIGN_OR_RETURN(const auto workload, StudyWorkload(context_.store, study.id));
      *response->mutable_trial() = convert::ToProto(trial, study.config.name);
      response->set_architecture_json(CanonicalJson(plan->spec().Describe(trial.candidate)));
      response->set_layers_json(CanonicalJson(plan->LayerRows(trial.candidate, workload)));
      return OkStatus();
    });
  }

  grpc::ServerUnaryReactor* GetFront(grpc::CallbackServerContext* call,
                                     const v1::GetFrontRequest* request,
                                     v1::GetFrontResponse* response) override {
    return Answer(call, [&]() -> Status {
      VOXBIT_ASSIGN_OR_RETURN(const search::Study study, context_.store.GetStudy(request->study()));
      const std::vector<std::string> metrics(request->metrics().begin(), request->metrics().end());
      VOXBIT_ASSIGN_OR_RETURN(const Front front, context_.reporter.GetFront(study, metrics));
      for (const auto& trial : front.trials) {
        *response->add_trials() = convert::ToProto(trial, study.config.name);
      }
      for (const auto& trial : front.dominated) {
        *response->add_dominated() = convert::ToProto(trial, study.config.name);
      }
      for (const auto& objective : front.objectives) {
        response->add_metrics(search::MetricKey(objective.metric, objective.target));
      }
      response->set_hypervolume(front.hypervolume);
      return OkStatus();
    });
  }

  grpc::ServerUnaryReactor* CreateExport(grpc::CallbackServerContext* call,
                                         const v1::CreateExportRequest* request,
                                         v1::Export* response) override {
    return AnswerMutation(
        call, context_.store, "TrialService/CreateExport", *request, response,
        [&]() -> Result<v1::Export> {
          VOXBIT_ASSIGN_OR_RETURN(const int64_t id, AppendExport(*request));
          return ExportOf(id);
        },
        [&] { context_.changes.Notify(); });
  }

  grpc::ServerUnaryReactor* GetExport(grpc::CallbackServerContext* call,
                                      const v1::GetExportRequest* request,
                                      v1::Export* response) override {
    return Answer(call, [&]() -> Status {
      VOXBIT_ASSIGN_OR_RETURN(*response, ExportOf(request->export_id()));
      return OkStatus();
    });
  }

 private:
  Result<std::unique_ptr<StudyPlan>> PlanOf(const search::Study& study) const {
    VOXBIT_ASSIGN_OR_RETURN(const Json config, ParseJson(study.config_json));
    return StudyPlan::Create(config, "", context_.plugins);
  }

  Result<int64_t> AppendExport(const v1::CreateExportRequest& request) const {
    VOXBIT_ASSIGN_OR_RETURN(const search::Study study, context_.store.GetStudy(request.study()));
    VOXBIT_ASSIGN_OR_RETURN(const search::Trial trial,
                            context_.store.GetTrial(study.id, request.trial_number()));
    if (trial.state != search::TrialState::kSucceeded) {
      return FailedPrecondition("trial " + std::to_string(trial.number) + " is " +
                                    std::string(search::Name(trial.state)) +
                                    "; only a succeeded trial can be exported",
                                "TRIAL_NOT_SUCCEEDED");
    }
    VOXBIT_ASSIGN_OR_RETURN(const auto plan, PlanOf(study));
    VOXBIT_ASSIGN_OR_RETURN(const auto workload, StudyWorkload(context_.store, study.id));
    VOXBIT_ASSIGN_OR_RETURN(const auto checkpoint, StudyCheckpoint(context_.store, study.id));
    return context_.store.AppendTask(study.id, trial.number,
                                     plan->ExportTask(trial, workload, checkpoint));
  }

  Result<v1::Export> ExportOf(int64_t id) const {
    VOXBIT_ASSIGN_OR_RETURN(const search::Task task, context_.store.GetTask(id));
    if (task.spec.kind != search::TaskKind::kExport) {
      return NotFound("no export has the id " + std::to_string(id));
    }
    VOXBIT_ASSIGN_OR_RETURN(const search::Study study, context_.store.GetStudy(task.study_id));
    v1::Export message;
    message.set_export_id(task.id);
    message.set_study(study.config.name);
    message.set_trial_number(task.trial_number);
    message.set_state(convert::ToProto(task.state));
    message.set_message(task.message);
    if (task.result.has_value()) {
      message.mutable_artifacts()->insert(task.result->artifacts.begin(),
                                          task.result->artifacts.end());
    }
    return message;
  }

  const ServiceContext context_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeTrialService(const ServiceContext& context) {
  return std::make_unique<TrialService>(context);
}

}  // namespace voxbit::server
