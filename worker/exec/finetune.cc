// Trains the sub-network of one candidate further, on its own, and scores it. The better of the
// start and the end is the result, so that fine-tuning never makes a network worse.
#include <algorithm>
#include <optional>

#include "common/rng.h"
#include "search/domain/study.h"
#include "worker/exec/builtin.h"
#include "worker/exec/checkpoint.h"
#include "worker/train/bn_calibration.h"
#include "worker/train/evaluator.h"

namespace voxbit::worker {
namespace {

// The study's recipe with the steps and the learning rate of the fine-tuning.
struct FinetuneTask {
  search::FinetuneSettings finetune;
  search::TrainSettings train;
  search::EvaluateSettings evaluate;
};

Fields<FinetuneTask> TaskFields() {
  Fields<FinetuneTask> fields;
  fields.Object("finetune", &FinetuneTask::finetune, search::FinetuneFields(), "its own settings")
      .Object("train", &FinetuneTask::train, search::TrainFields(), "the rest of the recipe")
      .Object("evaluate", &FinetuneTask::evaluate, search::EvaluateFields(), "scoring");
  return fields;
}

// A network that has been trained is warmed up for a twentieth of the steps at most: a longer rise
// would leave no time to anneal. Its scans come in another order than the supernet's first ones.
search::TrainSettings Recipe(const FinetuneTask& task) {
  search::TrainSettings recipe = task.train;
  recipe.steps = task.finetune.steps;
  recipe.lr = task.finetune.lr;
  recipe.warmup_steps = std::min(recipe.warmup_steps, recipe.steps / 20);
  return recipe;
}

// A standalone network and its score, with statistics taken as in the search, so that scores differ
// by the weights alone.
struct Scored {
  std::shared_ptr<supernet::Network> net;
  train::Evaluation evaluation;
};

Result<Scored> Score(ExecContext& context, const TaskCall& call, OpenedDataset& dataset,
                     const search::EvaluateSettings& settings,
                     std::shared_ptr<supernet::Network> net) {
  VOXBIT_RETURN_IF_ERROR(train::CalibrateBatchNorm(
      *net, dataset.Calibration(settings.calibration_scans, settings.batch), call.stop));
  VOXBIT_ASSIGN_OR_RETURN(
      train::Evaluation evaluation,
      train::Evaluate(*net, dataset.Validation(settings.batch), context.Run(call, "evaluate")));
  return Scored{std::move(net), std::move(evaluation)};
}

// The candidate on its own, with the ranges of its quantized inputs.
Result<std::shared_ptr<supernet::Network>> Begin(const TaskCall& call, OpenedDataset& dataset,
                                                 const search::EvaluateSettings& settings,
                                                 const supernet::Supernet& supernet) {
  auto net = supernet.Standalone(call.spec.candidate);
  VOXBIT_RETURN_IF_ERROR(train::CalibrateRanges(
      *net, dataset.Calibration(settings.calibration_scans, settings.batch), call.stop));
  return net;
}

// The candidate in full precision with the supernet's weights: what a distillation learns from, and
// the score that rounding is compared with.
Result<Scored> Teacher(ExecContext& context, const TaskCall& call, OpenedDataset& dataset,
                       const search::EvaluateSettings& settings,
                       const supernet::Supernet& supernet) {
  return Score(context, call, dataset, settings, supernet.StandaloneFloat(call.spec.candidate));
}

}  // namespace

Result<search::TaskResult> RunFinetune(ExecContext& context, const TaskCall& call) {
  VOXBIT_ASSIGN_OR_RETURN(const FinetuneTask task,
                          TaskFields().Parse(call.spec.settings, "/settings"));
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, context.Dataset(call.spec));
  VOXBIT_ASSIGN_OR_RETURN(const auto supernet, context.Supernet(call, *dataset));
  VOXBIT_ASSIGN_OR_RETURN(auto untrained, Begin(call, *dataset, task.evaluate, *supernet));
  VOXBIT_ASSIGN_OR_RETURN(const Scored start,
                          Score(context, call, *dataset, task.evaluate, std::move(untrained)));
  const std::string name = "candidate " + search::Encode(call.spec.candidate);
  VOXBIT_ASSIGN_OR_RETURN(const auto trained, Begin(call, *dataset, task.evaluate, *supernet));
  std::optional<Scored> teacher;
  std::optional<train::Distillation> distillation;
  if (task.finetune.distillation != "none") {
    VOXBIT_ASSIGN_OR_RETURN(teacher, Teacher(context, call, *dataset, task.evaluate, *supernet));
    distillation.emplace(train::Distillation{*teacher->net, task.finetune.distillation,
                                             task.finetune.distillation_weight,
                                             task.finetune.temperature});
  }
  VOXBIT_ASSIGN_OR_RETURN(
      const train::TrainReport report,
      train::TrainNetwork(*trained, name, dataset->source(), Recipe(task),
                          Rng(call.spec.seed).Fork("finetune").seed(),
                          context.Run(call, "finetune"), distillation ? &*distillation : nullptr));
  VOXBIT_ASSIGN_OR_RETURN(const Scored end, Score(context, call, *dataset, task.evaluate, trained));
  const search::Measurement& before = start.evaluation.primary();
  const search::Measurement& after = end.evaluation.primary();
  const bool improved = after.value > before.value;  // of every such metric more is better
  const Scored& best = improved ? end : start;
  VOXBIT_ASSIGN_OR_RETURN(
      const std::string weights,
      SaveWeights(*best.net, {{"candidate", search::Encode(call.spec.candidate)},
                              {"space_digest", call.spec.space_digest},
                              {"supernet_checkpoint", call.spec.checkpoint},
                              {"dataset_digest", dataset->digest()}}));
  search::TaskResult result;
  result.measurements = best.evaluation.measurements;
  VOXBIT_ASSIGN_OR_RETURN(result.artifacts["finetuned_weights"], call.artifacts.Put(weights));
  result.detail = {{"kept", improved ? "end" : "start"},
                   {"start_" + before.metric, before.value},
                   {"end_" + after.metric, after.value},
                   {"final_loss", report.final_loss},
                   {"steps", report.steps},
                   {"seconds", report.seconds},
                   {"dataset_digest", dataset->digest()}};
  if (teacher) result.detail["teacher_" + before.metric] = teacher->evaluation.primary().value;
  return result;
}

}  // namespace voxbit::worker
