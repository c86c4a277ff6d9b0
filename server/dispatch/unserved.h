// Work that waits for a worker that is not there: without a word it would wait for ever.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/status.h"
#include "search/domain/task.h"
#include "server/dispatch/dispatcher.h"
#include "storage/store.h"

namespace voxbit::server {

// A task has to wait this long before it is missed; a worker needs some time to start.
inline constexpr Milliseconds kUnservedAfter{10'000};

struct UnservedWork {
  int64_t study_id = 0;
  std::string study;
  search::TaskKind kind = search::TaskKind::kProfile;
  std::string target;  // "" where any will do
  // "no worker serves measure_latency on target "local"; workers here offer: cpu-avx512"
  std::string why;
};

// Queued tasks that no worker serves which is alive, not draining and not in `quarantined` (names);
// one entry for each study, kind and target, by study. `waiting` is the store's, the others are the
// dispatcher's.
std::vector<UnservedWork> FindUnserved(const std::vector<storage::WaitingWork>& waiting,
                                       const std::vector<storage::Store::Worker>& registered,
                                       const std::set<std::string>& quarantined, int64_t now_ms,
                                       const DispatchSettings& settings);

}  // namespace voxbit::server
