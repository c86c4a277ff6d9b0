// The table of task kinds.
#pragma once

#include <vector>

#include "worker/exec/context.h"

namespace voxbit::worker {

// Does one task. May throw: the executor turns exceptions into statuses.
using RunTask = Result<search::TaskResult> (*)(ExecContext& context, const TaskCall& call);

struct TaskEntry {
  search::TaskKind kind;
  RunTask run;
};

const std::vector<TaskEntry>& BuiltinTasks();

}  // namespace voxbit::worker
