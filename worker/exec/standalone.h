// A candidate as a network of its own: how it begins, trains and is scored. For task kinds that
// train candidates.
#pragma once

#include <cstdint>
#include <memory>

#include "search/domain/study.h"
#include "supernet/models/supernet.h"
#include "worker/exec/context.h"
#include "worker/train/evaluator.h"

namespace voxbit::worker {

// The settings of such a task.
struct CandidateTask {
  search::FinetuneSettings finetune;
  search::TrainSettings train;  // the study's recipe
  search::EvaluateSettings evaluate;
  bool quantization_error = false;  // of an evaluation: whether the weights' is reported too
};
// Of a task that only scores, the first two may be left out.
Fields<CandidateTask> CandidateTaskFields();

// The study's recipe for `steps` steps with the learning rate of the fine-tuning. A network that
// has been trained is warmed up for a twentieth of the steps at most: a longer rise would leave no
// time to anneal.
search::TrainSettings FinetuneRecipe(const CandidateTask& task, int64_t steps);

// The candidate on its own, with the ranges of its quantized inputs.
Result<std::shared_ptr<supernet::Network>> BeginStandalone(const TaskCall& call,
                                                           OpenedDataset& dataset,
                                                           const search::EvaluateSettings& settings,
                                                           const supernet::Supernet& supernet);

// The score of `net` on a split, with statistics taken as in the search, so that scores differ by
// the weights alone.
Result<train::Evaluation> ScoreStandalone(ExecContext& context, const TaskCall& call,
                                          OpenedDataset& dataset,
                                          const search::EvaluateSettings& settings,
                                          supernet::Network& net);

}  // namespace voxbit::worker
