// What the hypervolume of a study is measured against. It is fixed once and kept with the study: a
// number of progress must not fall because the scale has changed (docs/metrics.md).
#pragma once

#include <optional>
#include <vector>

#include "common/json.h"
#include "common/status.h"
#include "search/domain/study.h"
#include "search/domain/trial.h"
#include "storage/store.h"

namespace voxbit::server {

struct Reference {
  // One for each objective; empty where the objective is left out.
  std::vector<std::optional<search::ReferenceRange>> ranges;
  friend bool operator==(const Reference&, const Reference&) = default;
};

// A list of [worst, best], null where an objective is left out.
Json ToJson(const Reference& reference);
// {"miou": [worst, best], ...} without those that are left out.
Json RangesByMetric(const std::vector<search::Objective>& objectives, const Reference& reference);
// INVALID_ARGUMENT unless there is one entry for each of `num_objectives`.
Result<Reference> ParseReference(const Json& json, size_t num_objectives);

// The scores (larger is better) of a trial that can be compared with others: it succeeded, meets
// every constraint and has a value of every objective.
std::optional<std::vector<double>> ComparableScores(
    const search::Trial& trial, const std::vector<search::Objective>& objectives,
    const std::vector<search::Constraint>& constraints);

// How many comparable trials, in the recorded order, are the first generation.
size_t FirstGeneration(const search::StudyConfig& config);

// The scores of the first generation among `trials`, in the recorded order.
std::vector<std::vector<double>> FirstScores(const std::vector<search::Trial>& trials,
                                             const std::vector<search::Objective>& objectives,
                                             const search::StudyConfig& config);

// The ranges of `objectives`: given by the user; else the bounds of the constraints within the
// known range of the metric; else, where a cost has no largest value, the largest of the first
// generation. An objective that the first generation does not raise above its worst value (all of
// a cost are equal) is left out for good. `first` are the scores of comparable trials in the
// recorded order, those after the first generation are not looked at.
// Empty while the first generation is not complete: with `is_over` (no more trials come) it has
// as many trials as there are, else as FirstGeneration says; none where all ranges are given.
std::optional<Reference> FixReference(const std::vector<search::Objective>& objectives,
                                      const search::StudyConfig& config,
                                      const std::vector<std::vector<double>>& first, bool is_over);

// The stored reference of a study; else the one that FixReference makes of its objectives, which is
// stored from now on, but not that of a study which failed or was stopped within its first
// generation: it may be tried again. Empty while there is none.
Result<std::optional<Reference>> KeepReference(storage::Store& store, const search::Study& study,
                                               const std::vector<std::vector<double>>& first);

// Whether no further trial will end.
bool IsSearchOver(const search::Study& study);

// Share of the box of the reference that `scores` dominate, over the objectives that are not left
// out; in [0, 1]. Empty when all are.
std::optional<double> ReferenceHypervolume(const std::vector<std::vector<double>>& scores,
                                           const std::vector<search::Objective>& objectives,
                                           const Reference& reference);

}  // namespace voxbit::server
