// One candidate inside a study.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/json.h"
#include "common/status.h"
#include "search/domain/candidate.h"
#include "search/domain/measurement.h"

namespace voxbit::search {

enum class TrialState { kPending, kRunning, kSucceeded, kInfeasible, kFailed, kCancelled };

std::string_view Name(TrialState state);
Result<TrialState> ParseTrialState(std::string_view name);
inline bool IsFinal(TrialState state) {
  return state != TrialState::kPending && state != TrialState::kRunning;
}

struct Trial {
  int64_t study_id = 0;
  int64_t number = 0;  // 1, 2, 3 ... within the study
  Candidate candidate;
  std::string digest;  // CandidateDigest; unique within the study
  std::string origin;  // how it was made: "random", "mutation of 3", "crossover of 3 and 5"
  TrialState state = TrialState::kPending;
  // Position in the order in which finished trials were recorded, 0 while not final. Algorithms
  // are told in this order, also after a restart.
  int64_t sequence = 0;
  Measurements measured;   // costs and what the search phase measured
  Measurements finetuned;  // the same metrics after fine-tuning, where it took place
  std::map<std::string, std::string> artifacts;  // "finetuned_weights" -> SHA-256
  std::string message;  // why it failed or is infeasible, or why its fine-tuning failed
  int64_t created_ms = 0;
  int64_t finished_ms = 0;
};

}  // namespace voxbit::search
