#include <ATen/Parallel.h>
#include <dlfcn.h>

#include "search/agents/agents.h"

namespace voxbit::rl {

void UseOneThread() {
  at::set_num_threads(1);
  // OpenBLAS in its variant with threads of its own does not hear of torch's number.
  using SetThreads = void (*)(int);
  const auto set_threads =
      reinterpret_cast<SetThreads>(::dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  if (set_threads != nullptr) set_threads(1);
}

}  // namespace voxbit::rl
