// Scores of a network over a whole set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"
#include "search/domain/candidate.h"
#include "search/domain/measurement.h"
#include "supernet/models/supernet.h"
#include "worker/train/loader.h"
#include "worker/train/meters.h"
#include "worker/train/trainer.h"

namespace voxbit::train {

struct Evaluation {
  SegmentationScores scores;  // over all points of all scans
  int64_t num_scans = 0;
  double seconds = 0;
};

// Runs the network in eval mode, without gradients, over every batch of `scans`; the prediction of
// a voxel (its largest logit, the lowest class of equal ones) is that of all its points.
// INFEASIBLE when a logit is no finite number; INVALID_ARGUMENT when no point is labelled;
// CANCELLED once the run is asked to stop.
Result<Evaluation> Evaluate(supernet::Network& net, EvaluationSet& scans, const RunContext& run);

// Selects `candidate`, calibrates its batch norms on `calibration`, evaluates it on `scans`, and
// puts the shared statistics back: the order in which candidates are evaluated does not matter.
// Progress counts the batches of `scans`.
Result<Evaluation> EvaluateCandidate(supernet::Supernet& net, const search::Candidate& candidate,
                                     EvaluationSet& calibration, EvaluationSet& scans,
                                     const RunContext& run);

// "miou" and "accuracy", with the IoU of each class by name (null for an absent one) and the
// number of points and scans as detail.
std::vector<search::Measurement> ToMeasurements(const Evaluation& evaluation,
                                                const std::vector<std::string>& class_names);

}  // namespace voxbit::train
