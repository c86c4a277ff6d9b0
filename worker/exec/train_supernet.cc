// Trains the shared weights of a supernet and keeps them as a checkpoint.
#include "search/domain/study.h"
#include "worker/exec/builtin.h"
#include "worker/exec/checkpoint.h"

namespace voxbit::worker {

// A checkpoint named by the task is where the training starts.
Result<search::TaskResult> RunTrainSupernet(ExecContext& context, const TaskCall& call) {
  VOXBIT_ASSIGN_OR_RETURN(const search::TrainSettings settings,
                          search::TrainFields().Parse(call.spec.settings, "/settings"));
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, context.Dataset(call.spec));
  VOXBIT_ASSIGN_OR_RETURN(const auto net, context.FreshSupernet(call.spec, *dataset));
  if (!call.spec.checkpoint.empty()) {
    VOXBIT_ASSIGN_OR_RETURN(const std::string path, call.artifacts.Fetch(call.spec.checkpoint));
    VOXBIT_RETURN_IF_ERROR(LoadCheckpoint(path, *net));
  }
  VOXBIT_ASSIGN_OR_RETURN(const train::TrainReport report,
                          train::TrainSupernet(*net, dataset->source(), settings, call.spec.seed,
                                               context.Run(call, "train")));
  VOXBIT_ASSIGN_OR_RETURN(const std::string checkpoint,
                          SaveCheckpoint(*net, {{"step", std::to_string(report.steps)},
                                                {"seed", std::to_string(call.spec.seed)},
                                                {"dataset", CanonicalJson(call.spec.dataset)},
                                                {"dataset_digest", dataset->digest()},
                                                {"train", CanonicalJson(call.spec.settings)}}));
  search::TaskResult result;
  VOXBIT_ASSIGN_OR_RETURN(result.artifacts["checkpoint"], call.artifacts.Put(checkpoint));
  result.detail = {{"final_loss", report.final_loss},
                   {"steps", report.steps},
                   {"skipped_steps", report.skipped_steps},
                   {"single_row_steps", report.single_row_steps},
                   {"seconds", report.seconds},
                   {"dataset_digest", dataset->digest()}};
  return result;
}

}  // namespace voxbit::worker
