// Workers without work while a study has trials left: nobody would notice that settings hold them
// back.
#pragma once

#include <string>
#include <vector>

#include "search/algorithm/algorithm.h"
#include "search/domain/study.h"
#include "search/domain/worker.h"
#include "storage/store.h"

namespace voxbit::server {

// "12 of 64 workers idle: in_flight 16", of the workers alive that can evaluate candidates of the
// study. "" unless the study searches, has trials left, and its algorithm, which keeps this `pace`,
// proposes no more for now. `has_queued`: whether tasks of the study wait for a worker.
std::string IdleWorkers(const search::Study& study, const storage::TrialCounts& counts,
                        bool has_queued, search::Pace pace,
                        const std::vector<search::WorkerRow>& workers);

}  // namespace voxbit::server
