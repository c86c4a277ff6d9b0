// TrialService: trials, the front, exports.
#include <algorithm>
#include <string>

#include "proto/convert/convert.h"
#include "server/rpc/answer.h"
#include "server/rpc/paging.h"
#include "server/rpc/services.h"
#include "server/study/study_runner.h"
#include "voxbit/v1/trial_service.grpc.pb.h"

namespace voxbit::server {
namespace {

// What a picture needs of a dominated trial: at a hundred thousand of them the rest would be more
// than a message can hold (4 MiB).
constexpr size_t kMaxDominated = 5'000;
// What the details of a front's measurements may add to that.
constexpr size_t kMaxDetailedBytes = size_t{2} << 20;

v1::Trial PointOf(const search::Trial& trial) {
  v1::Trial point;
  point.set_number(trial.number);
  point.set_state(convert::ToProto(trial.state));
  point.set_sequence(trial.sequence);
  for (const auto& [key, measurement] : trial.measured) {
    v1::Measurement& value = *point.add_measured();
    value.set_metric(measurement.metric);
    value.set_target(measurement.target);
    value.set_value(measurement.value);
  }
  return point;
}

// Of a fine-tuning it stays what was kept of it: tables show that.
void DropDetails(v1::Trial& trial) {
  for (auto& measurement : *trial.mutable_measured()) measurement.clear_detail_json();
  for (auto& measurement : *trial.mutable_finetuned()) {
    const Json detail = Json::parse(measurement.detail_json(), nullptr, false);
    measurement.clear_detail_json();
    Json left = Json::object();
    for (const char* key : {"kept", "start", "end"}) {
      if (detail.is_object() && detail.contains(key)) left[key] = detail[key];
    }
    if (!left.empty()) measurement.set_detail_json(CanonicalJson(left));
  }
}

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
      if (response->ByteSizeLong() > kMaxDetailedBytes) {
        for (v1::Trial& trial : *response->mutable_trials()) DropDetails(trial);
      }
      const size_t shown = std::min(front.dominated.size(), kMaxDominated);
      for (size_t i = 0; i < shown; ++i) {
        *response->add_dominated() = PointOf(front.dominated[i * front.dominated.size() / shown]);
      }
      response->set_num_dominated(static_cast<int64_t>(front.dominated.size()));
      for (const auto& objective : front.objectives) {
        response->add_metrics(search::MetricKey(objective.metric, objective.target));
      }
      if (front.hypervolume.has_value()) response->set_hypervolume(*front.hypervolume);
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
    VOXBIT_ASSIGN_OR_RETURN(const TaskInputs inputs, StudyInputs(context_.store, study.id));
    // Equal work is one task. One that has ended without a bundle stays as it is, and another is
    // made; a repeated call finds that one again.
    for (int64_t earlier_failures = 0;; ++earlier_failures) {
      VOXBIT_ASSIGN_OR_RETURN(
          const int64_t id,
          context_.store.AppendTask(study.id, trial.number,
                                    plan->ExportTask(trial, workload, inputs, earlier_failures)));
      VOXBIT_ASSIGN_OR_RETURN(const search::Task task, context_.store.GetTask(id));
      const bool ended_without =
          task.state == search::TaskState::kFailed || task.state == search::TaskState::kCancelled;
      if (!ended_without) return id;
    }
  }

  Result<v1::Export> ExportOf(int64_t id) const {
    const Result<search::Task> task = context_.store.GetTask(id);
    if (!task.ok() && task.status().code() != StatusCode::kNotFound) return task.status();
    if (!task.ok() || task->spec.kind != search::TaskKind::kExport) {
      return NotFound("no export has the id " + std::to_string(id));
    }
    VOXBIT_ASSIGN_OR_RETURN(const search::Study study, context_.store.GetStudy(task->study_id));
    v1::Export message;
    message.set_export_id(task->id);
    message.set_study(study.config.name);
    message.set_trial_number(task->trial_number);
    message.set_state(convert::ToProto(task->state));
    message.set_message(task->message);
    if (task->result.has_value()) {
      message.mutable_artifacts()->insert(task->result->artifacts.begin(),
                                          task->result->artifacts.end());
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
