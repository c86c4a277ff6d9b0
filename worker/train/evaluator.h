// Scores of a network over a whole set.
#pragma once

#include <vector>

#include "common/status.h"
#include "search/domain/candidate.h"
#include "search/domain/measurement.h"
#include "supernet/models/supernet.h"
#include "worker/train/loader.h"
#include "worker/train/trainer.h"

namespace voxbit::train {

struct Evaluation {
  // What a Meter of the dataset measured over the whole set, the primary metric first.
  std::vector<search::Measurement> measurements;
  double seconds = 0;

  const search::Measurement& primary() const { return measurements.front(); }
};

// Runs the network in eval mode, without gradients, over every batch of `scans`; progress counts
// the scans.
// INFEASIBLE when a logit is no finite number; INVALID_ARGUMENT when nothing is labelled;
// CANCELLED once the run is asked to stop.
Result<Evaluation> Evaluate(supernet::Network& net, EvaluationSet& scans, const RunContext& run);

// Selects `candidate`, calibrates its ranges and batch norms on `calibration`, evaluates it on
// `scans`, and puts the shared statistics back: the order in which candidates are evaluated does
// not matter. Progress counts `scans`.
Result<Evaluation> EvaluateCandidate(supernet::Supernet& net, const search::Candidate& candidate,
                                     EvaluationSet& calibration, EvaluationSet& scans,
                                     const RunContext& run);

}  // namespace voxbit::train
