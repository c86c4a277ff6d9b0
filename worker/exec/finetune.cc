// Trains the sub-network of one candidate further, on its own, and scores it. The better of the
// start and the end, by the validation split, is the result, so that fine-tuning never makes a
// network worse.
#include <memory>
#include <optional>
#include <utility>

#include "common/rng.h"
#include "worker/exec/builtin.h"
#include "worker/exec/checkpoint.h"
#include "worker/exec/standalone.h"

namespace voxbit::worker {
namespace {

constexpr char kVal[] = "val";
constexpr char kTest[] = "test";

// A standalone network and its score on the validation split.
struct Scored {
  std::shared_ptr<supernet::Network> net;
  train::Evaluation evaluation;
};

class Finetuning {
 public:
  Finetuning(ExecContext& context, const TaskCall& call, CandidateTask task, OpenedDataset& dataset,
             const supernet::Supernet& supernet)
      : context_(context),
        call_(call),
        task_(std::move(task)),
        dataset_(dataset),
        supernet_(supernet) {}

  Result<std::shared_ptr<supernet::Network>> Begin() const {
    return BeginStandalone(call_, dataset_, task_.evaluate, supernet_);
  }

  Result<Scored> Score(std::shared_ptr<supernet::Network> net) const {
    VOXBIT_ASSIGN_OR_RETURN(train::Evaluation evaluation, ScoreOn(kVal, *net));
    return Scored{std::move(net), std::move(evaluation)};
  }

  // What distillation learns from: the candidate in full precision with the supernet's weights.
  // Nothing without distillation.
  Result<std::optional<Scored>> Teacher() const {
    if (task_.finetune.distillation == "none") return std::optional<Scored>();
    VOXBIT_ASSIGN_OR_RETURN(Scored teacher, Score(supernet_.StandaloneFloat(call_.spec.candidate)));
    return std::optional<Scored>(std::move(teacher));
  }

  Result<train::TrainReport> Train(supernet::Network& net,
                                   const std::optional<Scored>& teacher) const {
    std::optional<train::Distillation> distillation;
    if (teacher) {
      distillation.emplace(train::Distillation{*teacher->net, task_.finetune.distillation,
                                               task_.finetune.distillation_weight,
                                               task_.finetune.temperature});
    }
    // Scans come in another order than the supernet's first ones.
    return train::TrainNetwork(
        net, "candidate " + search::Encode(call_.spec.candidate), dataset_.source(),
        FinetuneRecipe(task_, task_.finetune.steps), Rng(call_.spec.seed).Fork("finetune").seed(),
        context_.Run(call_, "finetune"), distillation ? &*distillation : nullptr);
  }

  // On the split that the study scores; in their details the values on an untouched test split,
  // where the dataset has one.
  Result<std::vector<search::Measurement>> Measure(const Scored& best) const {
    std::vector<search::Measurement> measured = best.evaluation.measurements;
    if (task_.evaluate.split != kVal) {
      VOXBIT_ASSIGN_OR_RETURN(const auto again, ScoreOn(task_.evaluate.split, *best.net));
      measured = again.measurements;
    }
    const bool has_test = dataset_.dataset().size(data::Split::kTest) > 0;
    if (task_.evaluate.split == kTest || !has_test) return measured;
    VOXBIT_ASSIGN_OR_RETURN(const auto test, ScoreOn(kTest, *best.net));
    for (size_t i = 0; i < measured.size(); ++i) {
      measured[i].detail[kTest] = test.measurements[i].value;
    }
    return measured;
  }

 private:
  Result<train::Evaluation> ScoreOn(const std::string& split, supernet::Network& net) const {
    search::EvaluateSettings settings = task_.evaluate;
    settings.split = split;
    return ScoreStandalone(context_, call_, dataset_, settings, net);
  }

  ExecContext& context_;
  const TaskCall& call_;
  const CandidateTask task_;
  OpenedDataset& dataset_;
  const supernet::Supernet& supernet_;
};

}  // namespace

Result<search::TaskResult> RunFinetune(ExecContext& context, const TaskCall& call) {
  VOXBIT_ASSIGN_OR_RETURN(CandidateTask task,
                          CandidateTaskFields().Parse(call.spec.settings, "/settings"));
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, context.Dataset(call.spec));
  VOXBIT_ASSIGN_OR_RETURN(const auto supernet, context.Supernet(call, *dataset));
  const Finetuning finetuning(context, call, std::move(task), *dataset, *supernet);
  VOXBIT_ASSIGN_OR_RETURN(auto untrained, finetuning.Begin());
  VOXBIT_ASSIGN_OR_RETURN(const Scored start, finetuning.Score(std::move(untrained)));
  VOXBIT_ASSIGN_OR_RETURN(auto trained, finetuning.Begin());
  VOXBIT_ASSIGN_OR_RETURN(const std::optional<Scored> teacher, finetuning.Teacher());
  VOXBIT_ASSIGN_OR_RETURN(const train::TrainReport report, finetuning.Train(*trained, teacher));
  VOXBIT_ASSIGN_OR_RETURN(const Scored end, finetuning.Score(std::move(trained)));
  const search::Measurement& before = start.evaluation.primary();
  const search::Measurement& after = end.evaluation.primary();
  const bool improved = after.value > before.value;  // of every such metric more is better
  const Scored& best = improved ? end : start;
  const std::string kept = improved ? "end" : "start";
  search::TaskResult result;
  VOXBIT_ASSIGN_OR_RETURN(result.measurements, finetuning.Measure(best));
  // So that a training that gained nothing does not read as a result.
  for (size_t i = 0; i < result.measurements.size(); ++i) {
    Json& detail = result.measurements[i].detail;
    detail["kept"] = kept;
    detail["start"] = start.evaluation.measurements[i].value;
    detail["end"] = end.evaluation.measurements[i].value;
  }
  VOXBIT_ASSIGN_OR_RETURN(
      const std::string weights,
      SaveWeights(*best.net, {{"candidate", search::Encode(call.spec.candidate)},
                              {"space_digest", call.spec.space_digest},
                              {"supernet_checkpoint", call.spec.checkpoint},
                              {"dataset_digest", dataset->digest()}}));
  VOXBIT_ASSIGN_OR_RETURN(result.artifacts["finetuned_weights"], call.artifacts.Put(weights));
  result.detail = {{"kept", kept},
                   {"start_" + before.metric, before.value},
                   {"end_" + after.metric, after.value},
                   {"final_loss", report.final_loss},
                   {"steps", report.steps},
                   {"skipped_steps", report.skipped_steps},
                   {"single_row_steps", report.single_row_steps},
                   {"seconds", report.seconds},
                   {"dataset_digest", dataset->digest()}};
  if (teacher) result.detail["teacher_" + before.metric] = teacher->evaluation.primary().value;
  return result;
}

}  // namespace voxbit::worker
