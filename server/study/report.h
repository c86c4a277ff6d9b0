// The one view of a study's results: front, hypervolume, progress. RPC, command line and the
// server's own closing words all show it.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "search/domain/study.h"
#include "search/domain/trial.h"
#include "server/study/reference.h"
#include "storage/store.h"

namespace voxbit::server {

struct Front {
  std::vector<search::Objective> objectives;  // what was compared
  std::vector<search::Trial> trials;          // non-dominated, best first by the first objective
  std::vector<search::Trial> dominated;       // the other trials that can be compared, by number
  // Against the study's reference (server/study/reference.h), or, of other metrics, one that is
  // made by the same rules. Empty until there is one; ComputeFront leaves it so.
  std::optional<double> hypervolume;
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

// Speed is that of the last kRateTrials results, of all of the last kRateSpan if these are more,
// while the study works: not before the server's start, a resumption or the first trial. Nothing is
// said of less than kMinRateSpan.
inline constexpr size_t kRateTrials = 32;
inline constexpr Milliseconds kRateSpan{10'000};
inline constexpr Milliseconds kMinRateSpan{1'000};

struct Progress {
  int64_t trials_total = 0;
  storage::TrialCounts counts;
  int64_t front_size = 0;
  std::optional<Reference> reference;
  std::optional<double> hypervolume;
  // Up to now while the study searches, so that it falls when results stay away; up to the last
  // result otherwise, also of a search that was over before the server's start. Empty while nothing
  // can be said.
  std::optional<double> trials_per_minute;
  std::vector<search::Task> running;
};

// Thread-safe. Remembers each study's front and adds to it the trials that are final since: a poll
// costs little however many trials there are.
class Reporter {
 public:
  // Both outlive the reporter. It stores the references of hypervolumes.
  Reporter(storage::Store& store, const Clock& clock)
      : store_(store), clock_(clock), started_ms_(clock.NowMs()) {}

  Result<Progress> GetProgress(const search::Study& study);
  // Of a study that was deleted, or whose trials are tried again.
  void Forget(int64_t study_id);
  // By the study's own objectives if `metrics` is empty.
  Result<Front> GetFront(const search::Study& study, const std::vector<std::string>& metrics);

 private:
  using Points = std::vector<std::vector<double>>;
  // Of the final trials up to `last_sequence`, which is also how many they are.
  struct Summary {
    int64_t last_sequence = 0;
    int64_t began_ms = 0;  // when the first of them was proposed
    // The window of the speed: when it opens, and when its results came.
    int64_t opens_ms = 0;
    std::deque<int64_t> results_ms;
    Points first;  // scores of the first generation
    Points front;  // scores of its members
    std::optional<Reference> reference;
  };
  void Add(const search::Study& study, const std::vector<search::Trial>& trials, Summary& summary);
  std::optional<double> Speed(const search::Study& study, Summary& summary) const;

  storage::Store& store_;
  const Clock& clock_;
  const int64_t started_ms_;
  Mutex mutex_;
  std::map<int64_t, Summary> summaries_ VOXBIT_GUARDED_BY(mutex_);
};

// The front as a plain-text table for the end of `search-server --until-done`.
std::string FrontTable(const Front& front);

}  // namespace voxbit::server
