#include "server/local_workers.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

#include "common/log.h"
#include "server/study/server_config.h"

namespace voxbit::server {
namespace {

constexpr Milliseconds kPoll{100};
constexpr Milliseconds kLongestPause{30'000};
// A worker that ran this long was healthy: its next failure counts as the first.
constexpr Milliseconds kHealthy{60'000};
constexpr Milliseconds kGrace{20'000};
// A worker that ends sooner has not come as far as its first task: it cannot be started.
constexpr Milliseconds kStart{10'000};
constexpr int kNoAccident = 3;    // such ends in a row that are called an error
constexpr int kFailingAfter = 5;  // such ends in a row after which there is no hope

struct Child {
  pid_t pid = 0;
  int64_t started_ms = 0;
  int64_t start_at_ms = 0;
  Milliseconds pause{0};
  int quick_ends = 0;  // in a row
};

// `status` as waitpid gives it.
void NoteEnd(const LocalWorkers::Settings& settings, const std::string& device, int status,
             int64_t now_ms, Child& child) {
  const int64_t lived_ms = now_ms - child.started_ms;
  if (lived_ms > kHealthy.count()) child.pause = settings.first_pause;
  child.quick_ends = lived_ms < kStart.count() ? child.quick_ends + 1 : 0;
  const Json fields = {{"worker", device},
                       {"exit_code", WIFEXITED(status) ? WEXITSTATUS(status) : -1},
                       {"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0},
                       {"times", child.quick_ends},
                       {"pause_ms", child.pause.count()}};
  if (child.quick_ends >= kNoAccident) {
    log::Error("worker ends right after its start, again and again; it has said why", fields);
  } else {
    log::Warning("worker ended, starting it again", fields);
  }
  child.pid = 0;
  child.start_at_ms = now_ms + child.pause.count();
  child.pause = std::min(child.pause * 2, kLongestPause);
}

void EndChildren(std::vector<Child>& children, const Clock& clock) {
  for (const Child& child : children) {
    if (child.pid > 0) ::kill(child.pid, SIGTERM);
  }
  const int64_t deadline = clock.MonotonicMs() + kGrace.count();
  for (Child& child : children) {
    while (child.pid > 0) {
      if (::waitpid(child.pid, nullptr, WNOHANG) != 0) {
        child.pid = 0;
      } else if (clock.MonotonicMs() > deadline) {
        ::kill(child.pid, SIGKILL);
        ::waitpid(child.pid, nullptr, 0);
        child.pid = 0;
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    }
  }
}

}  // namespace

std::string SiblingProgram(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? name : (self.parent_path() / name).string();
}

LocalWorkers::LocalWorkers(Settings settings) : settings_(std::move(settings)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

LocalWorkers::~LocalWorkers() = default;  // the thread ends the children before it ends

Result<std::vector<std::string>> LocalWorkers::Devices(const std::string& program, int64_t count) {
  std::vector<std::string> found;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(
      ::popen(("'" + program + "' devices").c_str(), "r"), ::pclose);
  if (pipe == nullptr) return FromErrno(errno, program);
  std::array<char, 256> line{};
  while (std::fgets(line.data(), static_cast<int>(line.size()), pipe.get()) != nullptr) {
    std::string device(line.data());
    while (!device.empty() && device.back() == '\n') device.pop_back();
    if (!device.empty()) found.push_back(std::move(device));
  }
  if (found.empty()) {
    return Internal(program + " names no device; does it run on this machine?");
  }
  std::vector<std::string> gpus;
  for (const std::string& device : found) {
    if (device != "cpu") gpus.push_back(device);
  }
  if (count == ServerSettings::kAutoWorkers) {
    return gpus.empty() ? std::vector<std::string>{"cpu"} : gpus;
  }
  std::vector<std::string> devices;
  for (int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<size_t>(i);
    devices.push_back(index < gpus.size() ? gpus[index] : "cpu");
  }
  return devices;
}

pid_t LocalWorkers::Spawn(size_t index) const {
  const std::string& device = settings_.devices[index];
  std::vector<std::string> arguments = {settings_.program,
                                        "--server",
                                        settings_.server,
                                        "--device",
                                        device,
                                        "--name",
                                        kLocalWorkerPrefix + std::to_string(index) + "-" + device,
                                        "--log-format",
                                        settings_.log_format,
                                        "--parent-pid",
                                        std::to_string(::getpid())};
  // Latencies of unlike devices are never filed under one name.
  const bool is_cpu = device == "cpu";
  if (is_cpu == (settings_.devices.front() == "cpu")) {
    arguments.insert(arguments.end(), {"--target", search::kDefaultTarget});
  }
  if (settings_.threads > 0) {
    arguments.insert(arguments.end(), {"--threads", std::to_string(settings_.threads)});
  }
  if (!settings_.cache.empty()) arguments.insert(arguments.end(), {"--cache", settings_.cache});
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  // A child takes signals whatever mask this thread has. A process group of its own keeps the
  // terminal's Ctrl-C for the server, which then asks the worker to stop in order.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, settings_.program.c_str(), nullptr, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    log::Error("worker cannot be started",
               {{"why", FromErrno(error, settings_.program).message()}});
    return 0;
  }
  return pid;
}

void LocalWorkers::Run(const std::stop_token& stop) {
  const SystemClock clock;
  std::vector<Child> children(settings_.devices.size());
  for (Child& child : children) child.pause = settings_.first_pause;
  while (!stop.stop_requested()) {
    const int64_t now = clock.MonotonicMs();
    for (size_t i = 0; i < children.size(); ++i) {
      Child& child = children[i];
      int status = 0;
      if (child.pid > 0 && ::waitpid(child.pid, &status, WNOHANG) == child.pid) {
        NoteEnd(settings_, settings_.devices[i], status, now, child);
      }
      if (child.pid > 0 && now - child.started_ms >= kStart.count()) child.quick_ends = 0;
      if (child.pid == 0 && now >= child.start_at_ms) {
        child.pid = Spawn(i);
        child.started_ms = now;
        if (child.pid == 0) {
          ++child.quick_ends;
          child.start_at_ms = now + child.pause.count();
        }
      }
    }
    all_failing_ = std::all_of(children.begin(), children.end(), [](const Child& child) {
      return child.quick_ends >= kFailingAfter;
    });
    std::this_thread::sleep_for(kPoll);
  }
  EndChildren(children, clock);
}

}  // namespace voxbit::server
