// Trains the sub-network of one candidate further, on its own, and scores it.
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

}  // namespace

Result<search::TaskResult> RunFinetune(ExecContext& context, const TaskCall& call) {
  VOXBIT_ASSIGN_OR_RETURN(FinetuneTask task, TaskFields().Parse(call.spec.settings, "/settings"));
  task.train.steps = task.finetune.steps;
  task.train.lr = task.finetune.lr;
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, context.Dataset(call.spec));
  VOXBIT_ASSIGN_OR_RETURN(const auto supernet, context.Supernet(call, *dataset));
  const auto net = supernet->Standalone(call.spec.candidate);
  const std::string name = "candidate " + search::Encode(call.spec.candidate);
  VOXBIT_ASSIGN_OR_RETURN(const train::TrainReport report,
                          train::TrainNetwork(*net, name, dataset->source(), task.train,
                                              call.spec.seed, context.Run(call, "finetune")));
  // The same statistics as in the search, so that both scores differ by the weights alone.
  VOXBIT_RETURN_IF_ERROR(train::CalibrateBatchNorm(
      *net, dataset->Calibration(task.evaluate.calibration_scans, task.evaluate.batch), call.stop));
  VOXBIT_ASSIGN_OR_RETURN(const train::Evaluation evaluation,
                          train::Evaluate(*net, dataset->Validation(task.evaluate.batch),
                                          context.Run(call, "evaluate")));
  VOXBIT_ASSIGN_OR_RETURN(const std::string weights,
                          SaveWeights(*net, {{"candidate", search::Encode(call.spec.candidate)},
                                             {"space_digest", call.spec.space_digest},
                                             {"supernet_checkpoint", call.spec.checkpoint},
                                             {"dataset_digest", dataset->digest()}}));
  search::TaskResult result;
  result.measurements = train::ToMeasurements(evaluation, dataset->dataset().class_names());
  VOXBIT_ASSIGN_OR_RETURN(result.artifacts["finetuned_weights"], call.artifacts.Put(weights));
  result.detail = {{"final_loss", report.final_loss},
                   {"steps", report.steps},
                   {"seconds", report.seconds},
                   {"dataset_digest", dataset->digest()}};
  return result;
}

}  // namespace voxbit::worker
