// Real processes for tests: started with arguments, watched, killed.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"

namespace voxbit::testing {

// Folder of the programs under test.
std::string BinDir();
// A port that was free a moment ago on the loopback address.
int FreePort();

// Kills and reaps the process in its destructor.
class Process {
 public:
  struct Options {
    std::vector<std::string>
        arguments;       // program first; a name without '/' is looked up in BinDir()
    std::string output;  // file for standard output and error, appended
    std::optional<int64_t> max_file_bytes;  // RLIMIT_FSIZE
    bool bound_by_modes = false;            // may not write what its mode forbids, root or not
  };
  explicit Process(const Options& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Signal(int signal) const;
  void Kill();  // SIGKILL and reap
  bool Running();
  // Exit code, 128 + signal for a killed one; nothing if it still runs after `limit`.
  std::optional<int> Wait(Milliseconds limit);

 private:
  pid_t pid_ = 0;
  std::optional<int> code_;
};

struct Finished {
  int code = -1;
  std::string output;  // standard output and error together
};
// How long a test waits for what should come soon.
inline constexpr Milliseconds kPatience{60'000};
// Runs a program to its end; code -1 when it took longer than `limit`.
Finished RunToEnd(Process::Options options, Milliseconds limit = kPatience);
Finished RunProgram(std::vector<std::string> arguments, Milliseconds limit = kPatience);

std::string ReadText(const std::string& path);
// True once `condition` holds, looked at every 20 ms; false after `limit`.
template <class Condition>
bool Eventually(Condition condition, Milliseconds limit = Milliseconds(60'000));

void SleepMs(int64_t ms);

template <class Condition>
bool Eventually(Condition condition, Milliseconds limit) {
  const SystemClock clock;
  const int64_t deadline = clock.MonotonicMs() + limit.count();
  while (!condition()) {
    if (clock.MonotonicMs() > deadline) return false;
    SleepMs(20);
  }
  return true;
}

// The text after `key` on the first line of a file that has it; "" if none has.
std::string LineAfter(const std::string& path, const std::string& key);

}  // namespace voxbit::testing
