// A study: one search with its settings, state and phase.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/config.h"
#include "search/domain/objective.h"

namespace voxbit::search {

// A user's view of a study's life. Legal moves: see CanMove.
enum class StudyState { kActive, kPaused, kStopped, kCompleted, kFailed };
// Where the work of an active study stands.
enum class StudyPhase { kProfile, kTrain, kSearch, kFinetune, kFinished };

std::string_view Name(StudyState state);
std::string_view Name(StudyPhase phase);
Result<StudyState> ParseStudyState(std::string_view name);
Result<StudyPhase> ParseStudyPhase(std::string_view name);
// active <-> paused; active, paused -> stopped, failed; active -> completed. Ends are final.
bool CanMove(StudyState from, StudyState to);
// A study that failed or was stopped may be tried again.
inline bool CanRetry(StudyState state) {
  return state == StudyState::kFailed || state == StudyState::kStopped;
}
inline bool IsFinal(StudyState state) {
  return state == StudyState::kStopped || state == StudyState::kCompleted ||
         state == StudyState::kFailed;
}

struct TrainSettings {
  int64_t steps = 300;
  int64_t batch = 2;
  std::string optimizer = "sgd";  // or "adam"
  double lr = 0.1;
  double momentum = 0.9;
  double weight_decay = 1e-4;
  int64_t warmup_steps = 0;
  std::string sampling = "sandwich";  // or "random", as published
  bool progressive_depth = true;
  std::string class_weights = "none";  // or "sqrt_inverse"
  double label_smoothing = 0;
};

struct SearchSettings {
  std::string algorithm = "evolution";
  int64_t trials = 64;
  int64_t population = 16;
  int64_t parents = 0;  // 0: a quarter of the population, at least 2
  double mutation_probability = 0.1;
  int64_t in_flight = 0;        // 0: the population, and generations where there are such
  std::string architecture;     // kept by every candidate, but for its bit-widths; "": searched
  Json agent = Json::object();  // the algorithm's own settings

  // How many trials may be under way at once.
  int64_t MaxInFlight() const { return in_flight > 0 ? in_flight : population; }
};

struct EvaluateSettings {
  int64_t calibration_scans = 64;
  int64_t batch = 2;
  std::string split = "val";   // that is scored; "train" or "test"
  int64_t finetune_steps = 0;  // of the candidate on its own before it is scored
};

struct LatencySettings {
  int64_t samples = 3;
  int64_t warmup = 3;    // of each sample
  int64_t repeats = 10;  // over all samples
  int64_t threads = 1;
};

struct FinetuneSettings {
  int64_t top = 0;
  int64_t steps = 200;
  double lr = 0.02;
  std::string distillation = "none";  // "mse" or "kl": towards the candidate in full precision
  double distillation_weight = 0.1;
  double temperature = 1;
};

struct StudyConfig {
  std::string name;
  uint64_t seed = 1;
  Json supernet;  // {"kind": ..., its own settings}
  Json dataset;   // {"kind": ..., its own settings}
  TrainSettings train;
  SearchSettings search;
  EvaluateSettings evaluate;
  LatencySettings latency;
  FinetuneSettings finetune;
  std::vector<Objective> objectives;
  std::vector<Constraint> constraints;
  Json latency_table;  // behind latency_lut_ms; null: none
};

// The target of a latency that names none.
inline constexpr char kDefaultTarget[] = "local";

// Targets on which the study measures latency_ms, for an objective or a constraint.
std::set<std::string> LatencyTargets(const StudyConfig& config);

// A table of all widths of a hundred layers has a tenth of this; messages must stay below 4 MiB.
inline constexpr uintmax_t kMaxLatencyTableBytes = 1 << 20;

// Field tables; what follows "kind" in supernet and dataset, and what is in search.agent and
// latency_table, is checked by their owners.
Fields<StudyConfig> StudyFields();
Fields<TrainSettings> TrainFields();
Fields<SearchSettings> SearchFields();
Fields<EvaluateSettings> EvaluateFields();
Fields<LatencySettings> LatencyFields();
Fields<FinetuneSettings> FinetuneFields();

// The list "constraints" of a study, checked as ParseStudyConfig does.
Result<std::vector<Constraint>> ParseConstraints(const Json& found, const std::string& pointer);

// Parses and checks what one study says on its own: field types and ranges, known metrics,
// a name of [a-z0-9._-] up to 100 characters that starts with a letter or digit, one to four
// objectives, no metric twice, references whose best is better than their worst, a latency table
// where a metric needs one (the table itself: whoever reads a study's file reads the table that it
// names). A latency metric without a target means the target kDefaultTarget. Every error is
// INVALID_ARGUMENT and starts with the JSON pointer below `pointer`.
Result<StudyConfig> ParseStudyConfig(const Json& json, const std::string& pointer);
// Without a latency table nothing is written of it.
Json ToJson(const StudyConfig& config);

struct Study {
  int64_t id = 0;
  StudyConfig config;
  std::string config_json;  // the resolved configuration, canonical
  StudyState state = StudyState::kActive;
  StudyPhase phase = StudyPhase::kProfile;
  std::string message;  // why it failed or was stopped, or what its results lack
  // JSON of what its hypervolume is measured against (server/study/reference.h); "" until that is
  // fixed.
  std::string hypervolume_reference;
  int64_t created_ms = 0;
  int64_t resumed_ms = 0;   // when it was last resumed or tried again; 0: never
  int64_t finished_ms = 0;  // 0 while it is not final
};

}  // namespace voxbit::search
