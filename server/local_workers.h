// Worker processes that the server starts on its own machine.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/status.h"

namespace voxbit::server {

// What the names of the workers that a server starts begin with.
inline constexpr char kLocalWorkerPrefix[] = "local-";

// Starts them, starts them again (with a growing pause) when they end by themselves, and ends them
// with the server: on SIGTERM by the supervisor, and by the kernel if the server is killed.
class LocalWorkers {
 public:
  struct Settings {
    std::string program;  // path of search-worker
    std::string server;   // HOST:PORT
    std::string log_format = "text";
    std::vector<std::string> devices;  // one worker for each entry
    int64_t threads = 0;               // for each CPU worker; 0: all cores
    std::string cache{};               // folder that all share; "": each one's default
    Milliseconds first_pause{500};     // before a worker is started again; doubles each time
  };

  explicit LocalWorkers(Settings settings);
  // Asks all to stop, waits up to `grace`, then kills.
  ~LocalWorkers();

  // True while every worker has ended right after its start, five times in a row: none will work
  // before somebody mends what the log says.
  bool AllFailing() const { return all_failing_; }

  // Devices for `count` workers; kAutoWorkers asks the worker program which GPUs it can use.
  static Result<std::vector<std::string>> Devices(const std::string& program, int64_t count);

 private:
  void Run(const std::stop_token& stop);
  pid_t Spawn(size_t index) const;

  const Settings settings_;
  std::atomic<bool> all_failing_ = false;
  std::jthread thread_;
};

// Path of a program that is installed beside this one.
std::string SiblingProgram(const std::string& name);

}  // namespace voxbit::server
