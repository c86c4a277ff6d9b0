// The one view of a study's results: front, hypervolume, progress. RPC, command line and the
// server's own closing words all show it.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "search/domain/study.h"
#include "search/domain/trial.h"
#include "storage/store.h"

namespace voxbit::server {

struct Front {
  std::vector<search::Objective> objectives;  // what was compared
  std::vector<search::Trial> trials;          // non-dominated, best first by the first objective
  std::vector<search::Trial> dominated;       // the other trials that can be compared, by number
  // Of the front above the worst value seen of each objective, each scaled to the range seen; in
  // [0, 1]. 0 for fewer than two different values.
  double hypervolume = 0;
};

// Trials that succeeded, have every objective measured and meet every constraint.
Front ComputeFront(std::vector<search::Trial> trials,
                   const std::vector<search::Objective>& objectives,
                   const std::vector<search::Constraint>& constraints);

// `count` of the trials that a front can have, at most: those of the front, then those of the front
// of the others, and so on; within a front the best first by the first objective.
std::vector<search::Trial> BestTrials(std::vector<search::Trial> trials,
                                      const std::vector<search::Objective>& objectives,
                                      const std::vector<search::Constraint>& constraints,
                                      size_t count);

// Why no trial can be compared: "no trial meets latency_ms[local] <= 1; the best has 12.3". Empty
// when one can, or when none succeeded.
std::string WhyNoFront(const std::vector<search::Trial>& trials,
                       const std::vector<search::Objective>& objectives,
                       const std::vector<search::Constraint>& constraints);

// "miou" or "latency_ms[local]" as an objective; INVALID_ARGUMENT for an unknown metric.
Result<search::Objective> ParseMetricKey(const std::string& key);

// Few, so that pauses and stops of the server are soon forgotten.
inline constexpr size_t kRateTrials = 32;

struct Progress {
  int64_t trials_total = 0;
  storage::TrialCounts counts;
  int64_t front_size = 0;
  double hypervolume = 0;
  double trials_per_minute = 0;  // of the last kRateTrials trials that finished
  std::vector<search::Task> running;
};

// Thread-safe. Remembers each study's front and adds to it the trials that are final since: a poll
// costs little however many trials there are.
class Reporter {
 public:
  explicit Reporter(const storage::Store& store) : store_(store) {}

  Result<Progress> GetProgress(const search::Study& study);
  // Of a study that was deleted, or whose trials are tried again.
  void Forget(int64_t study_id);
  // By the study's own objectives if `metrics` is empty.
  Result<Front> GetFront(const search::Study& study, const std::vector<std::string>& metrics) const;

 private:
  using Points = std::vector<std::vector<double>>;
  // Of the final trials up to `last_sequence`, which is also how many they are.
  struct Summary {
    int64_t last_sequence = 0;
    // When the first trial began, then when each one ended; the last kRateTrials + 1 of these.
    std::deque<int64_t> recent_ms;
    Points front;             // scores of its members
    std::vector<double> low;  // of all that can be compared, for each objective
    std::vector<double> high;
    double hypervolume = 0;
  };
  static void Add(const search::Study& study, const std::vector<search::Trial>& trials,
                  Summary& summary);

  const storage::Store& store_;
  Mutex mutex_;
  std::map<int64_t, Summary> summaries_ VOXBIT_GUARDED_BY(mutex_);
};

// The front as a plain-text table for the end of `search-server --until-done`.
std::string FrontTable(const Front& front);

}  // namespace voxbit::server
