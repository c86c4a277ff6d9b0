// The one line that tells how a study is getting on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/json.h"
#include "search/domain/worker.h"
#include "voxbit/v1/types.pb.h"

namespace voxbit::client {

// Fed with what the server says, asked for lines. Rates of training steps are its own
// observation, because the server only counts trials.
class WatchView {
 public:
  // `now_ms` of a monotonic clock.
  void Update(const v1::Study& study, int64_t now_ms);
  void UpdateWorkers(const std::vector<search::WorkerRow>& workers);

  // "name  search  ━━━━────  23/64 trials · front 5 · ... · ETA 12 min 10 s", at most `width`
  // columns: the bar goes first, then what stands last.
  std::string BarLine(size_t width) const;
  // The same without the bar: "name: search, 23/64 trials, front 5, ...".
  std::string PlainLine() const;
  Json Fields() const;

  // State and phase; a change of these is worth a line at once.
  std::string Stage() const;
  // Everything that counts as news.
  std::string Fingerprint() const;

 private:
  struct Steps {
    int64_t done = 0;
    int64_t total = 0;
  };
  struct FirstSight {
    int64_t step = 0;
    int64_t at_ms = 0;
  };

  // Of the training task under way.
  std::optional<Steps> TrainingSteps() const;
  double Fraction() const;
  // nullopt while nothing can be said.
  std::optional<int64_t> EtaMs() const;
  // Whether trials or steps go on of which an end is expected.
  bool IsCounting() const;
  // What matters most first.
  std::vector<std::string> Parts() const;

  v1::Study study_;
  int64_t now_ms_ = 0;
  int64_t busy_ = 0;
  int64_t workers_ = -1;                        // -1: not known
  std::map<int64_t, FirstSight> first_sights_;  // by task
};

}  // namespace voxbit::client
