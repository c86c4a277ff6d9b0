// Trains the sub-network of one candidate further, on its own, and scores it. The better of the
// start and the end is the result, so that fine-tuning never makes a network worse.
#include <algorithm>

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

}  // namespace

Result<search::TaskResult> RunFinetune(ExecContext& context, const TaskCall& call) {
  VOXBIT_ASSIGN_OR_RETURN(const FinetuneTask task,
                          TaskFields().Parse(call.spec.settings, "/settings"));
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, context.Dataset(call.spec));
  VOXBIT_ASSIGN_OR_RETURN(const auto supernet, context.Supernet(call, *dataset));
  VOXBIT_ASSIGN_OR_RETURN(const Scored start, Score(context, call, *dataset, task.evaluate,
                                                    supernet->Standalone(call.spec.candidate)));
  const std::string name = "candidate " + search::Encode(call.spec.candidate);
  const auto trained = supernet->Standalone(call.spec.candidate);
  VOXBIT_ASSIGN_OR_RETURN(const train::TrainReport report,
                          train::TrainNetwork(*trained, name, dataset->source(), Recipe(task),
                                              Rng(call.spec.seed).Fork("finetune").seed(),
                                              context.Run(call, "finetune")));
  VOXBIT_ASSIGN_OR_RETURN(const Scored end, Score(context, call, *dataset, task.evaluate, trained));
  const bool improved = end.evaluation.scores.miou > start.evaluation.scores.miou;
  const Scored& best = improved ? end : start;
  VOXBIT_ASSIGN_OR_RETURN(
      const std::string weights,
      SaveWeights(*best.net, {{"candidate", search::Encode(call.spec.candidate)},
                              {"space_digest", call.spec.space_digest},
                              {"supernet_checkpoint", call.spec.checkpoint},
                              {"dataset_digest", dataset->digest()}}));
  search::TaskResult result;
  result.measurements = train::ToMeasurements(best.evaluation, dataset->dataset().class_names());
  VOXBIT_ASSIGN_OR_RETURN(result.artifacts["finetuned_weights"], call.artifacts.Put(weights));
  result.detail = {{"kept", improved ? "end" : "start"},
                   {"start_miou", start.evaluation.scores.miou},
                   {"end_miou", end.evaluation.scores.miou},
                   {"final_loss", report.final_loss},
                   {"steps", report.steps},
                   {"seconds", report.seconds},
                   {"dataset_digest", dataset->digest()}};
  return result;
}

}  // namespace voxbit::worker
