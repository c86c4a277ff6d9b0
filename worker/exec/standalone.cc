#include "worker/exec/standalone.h"

#include <algorithm>

#include "worker/train/bn_calibration.h"

namespace voxbit::worker {

Fields<CandidateTask> CandidateTaskFields() {
  Fields<CandidateTask> fields;
  fields.Object("finetune", &CandidateTask::finetune, search::FinetuneFields(), "further training")
      .Object("train", &CandidateTask::train, search::TrainFields(), "the rest of its recipe")
      .Object("evaluate", &CandidateTask::evaluate, search::EvaluateFields(), "scoring")
      .Bool("quantization_error", &CandidateTask::quantization_error,
            "whether an evaluation reports the error of each quantized weight");
  return fields;
}

search::TrainSettings FinetuneRecipe(const CandidateTask& task, int64_t steps) {
  search::TrainSettings recipe = task.train;
  recipe.steps = steps;
  recipe.lr = task.finetune.lr;
  recipe.warmup_steps = std::min(recipe.warmup_steps, steps / 20);
  return recipe;
}

Result<std::shared_ptr<supernet::Network>> BeginStandalone(const TaskCall& call,
                                                           OpenedDataset& dataset,
                                                           const search::EvaluateSettings& settings,
                                                           const supernet::Supernet& supernet) {
  auto net = supernet.Standalone(call.spec.candidate);
  VOXBIT_RETURN_IF_ERROR(
      train::CalibrateRanges(*net, dataset.Calibration(settings.calibration_scans), call.stop));
  return net;
}

Result<train::Evaluation> ScoreStandalone(ExecContext& context, const TaskCall& call,
                                          OpenedDataset& dataset,
                                          const search::EvaluateSettings& settings,
                                          supernet::Network& net) {
  VOXBIT_ASSIGN_OR_RETURN(train::EvaluationSet * scored,
                          dataset.Whole(settings.split, settings.batch));
  VOXBIT_RETURN_IF_ERROR(
      train::CalibrateBatchNorm(net, dataset.Calibration(settings.calibration_scans), call.stop));
  return train::Evaluate(net, *scored, context.Run(call, "evaluate"));
}

}  // namespace voxbit::worker
