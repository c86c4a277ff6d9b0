#include "worker/exec/builtin.h"

namespace voxbit::worker {

#define VOXBIT_TASK(kind, run) \
  Result<search::TaskResult> run(ExecContext& context, const TaskCall& call);
#include "worker/exec/builtin.def"
#undef VOXBIT_TASK

const std::vector<TaskEntry>& BuiltinTasks() {
  static const std::vector<TaskEntry> tasks = {
#define VOXBIT_TASK(kind, run) {search::TaskKind::kind, &run},
#include "worker/exec/builtin.def"
#undef VOXBIT_TASK
  };
  return tasks;
}

}  // namespace voxbit::worker
