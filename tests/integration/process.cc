#include "tests/integration/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>

#include "common/check.h"
#include "common/files.h"
#include "common/uuid.h"

namespace voxbit::testing {

std::string BinDir() {
  const char* folder = std::getenv("VOXBIT_BIN_DIR");
  if (folder != nullptr) return folder;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
}

int FreePort() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  VOXBIT_CHECK(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
  VOXBIT_CHECK(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) == 0,
               "getsockname");
  ::close(descriptor);
  return ntohs(address.sin_port);
}

Process::Process(const Options& options) {
  std::vector<std::string> arguments = options.arguments;
  if (arguments.front().find('/') == std::string::npos) {
    arguments.front() = BinDir() + "/" + arguments.front();
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const std::string output = options.output.empty() ? "/dev/null" : options.output;
  const int descriptor = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  VOXBIT_CHECK(descriptor >= 0, "cannot open " + output);
  pid_ = ::fork();
  VOXBIT_CHECK(pid_ >= 0, "fork failed");
  if (pid_ == 0) {
    ::dup2(descriptor, STDOUT_FILENO);
    ::dup2(descriptor, STDERR_FILENO);
    if (options.max_file_bytes.has_value()) {
      const auto bytes = static_cast<rlim_t>(*options.max_file_bytes);
      const rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    // Root without this capability is bound by modes like any other owner.
    const bool drops = options.bound_by_modes && ::geteuid() == 0;
    if (drops && ::prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) != 0) ::_exit(127);
    ::execv(argv.front(), argv.data());
    ::_exit(127);
  }
  ::close(descriptor);
}

Process::~Process() { Kill(); }

void Process::Signal(int signal) const {
  if (!code_.has_value()) ::kill(pid_, signal);
}

void Process::Kill() {
  Signal(SIGKILL);
  Wait(Milliseconds(60'000));
}

bool Process::Running() { return !Wait(Milliseconds(0)).has_value(); }

std::optional<int> Process::Wait(Milliseconds limit) {
  if (code_.has_value()) return code_;
  const SystemClock clock;
  const int64_t deadline = clock.MonotonicMs() + limit.count();
  while (true) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      return code_;
    }
    if (clock.MonotonicMs() >= deadline) return std::nullopt;
    SleepMs(5);
  }
}

Finished RunToEnd(Process::Options options, Milliseconds limit) {
  const std::string output =
      (std::filesystem::temp_directory_path() / ("voxbit-run-" + NewUuid())).string();
  options.output = output;
  Finished finished;
  {
    Process process(options);
    finished.code = process.Wait(limit).value_or(-1);
  }
  finished.output = ReadText(output);
  std::filesystem::remove(output);
  return finished;
}

Finished RunProgram(std::vector<std::string> arguments, Milliseconds limit) {
  return RunToEnd({.arguments = std::move(arguments),
                   .output = "",
                   .max_file_bytes = {},
                   .bound_by_modes = false},
                  limit);
}

std::string ReadText(const std::string& path) {
  const auto text = ReadFile(path);
  return text.ok() ? *text : "";
}

void SleepMs(int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

std::string LineAfter(const std::string& path, const std::string& key) {
  std::istringstream lines(ReadText(path));
  for (std::string line; std::getline(lines, line);) {
    if (const size_t at = line.find(key); at != std::string::npos) {
      return line.substr(at + key.size());
    }
  }
  return "";
}

}  // namespace voxbit::testing
