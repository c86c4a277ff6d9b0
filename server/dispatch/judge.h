// Whether a worker's result is what its task asked for.
#pragma once

#include "common/status.h"
#include "search/domain/study.h"
#include "search/domain/task.h"
#include "storage/store.h"

namespace voxbit::server {

// INVALID_ARGUMENT, naming the metric, unless `result` has exactly the kind of metrics that a task
// of this kind measures, on the task's target, in the range of the metric, with all that the
// study's objectives and constraints need of it. Costs are computed here and nobody else's to tell.
Status JudgeResult(const storage::Store::TaskHead& task, const search::StudyConfig& study,
                   const search::TaskResult& result);

}  // namespace voxbit::server
