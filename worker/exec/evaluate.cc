// Scores a candidate with the supernet's weights on the whole validation split.
#include "search/domain/study.h"
#include "worker/exec/builtin.h"
#include "worker/train/evaluator.h"

namespace voxbit::worker {

Result<search::TaskResult> RunEvaluate(ExecContext& context, const TaskCall& call) {
  VOXBIT_ASSIGN_OR_RETURN(const search::EvaluateSettings settings,
                          search::EvaluateFields().Parse(call.spec.settings, "/settings"));
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, context.Dataset(call.spec));
  VOXBIT_ASSIGN_OR_RETURN(const auto net, context.Supernet(call, *dataset));
  VOXBIT_ASSIGN_OR_RETURN(
      const train::Evaluation evaluation,
      train::EvaluateCandidate(*net, call.spec.candidate,
                               dataset->Calibration(settings.calibration_scans, settings.batch),
                               dataset->Validation(settings.batch), context.Run(call, "evaluate")));
  search::TaskResult result;
  result.measurements = train::ToMeasurements(evaluation, dataset->dataset().class_names());
  result.detail = {{"seconds", evaluation.seconds}, {"dataset_digest", dataset->digest()}};
  return result;
}

}  // namespace voxbit::worker
