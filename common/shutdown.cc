#include "common/shutdown.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/check.h"

namespace voxbit {
namespace {

// Where the handler writes to; -1 while there is no ShutdownSignals.
std::atomic<int> handler_pipe = -1;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

// Only what a signal handler may do: hand the number to the waiter.
void OnSignal(int signal) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(signal);
  // A full pipe holds signals enough.
  (void)!::write(handler_pipe.load(), &byte, 1);
  errno = saved;
}

}  // namespace

ShutdownSignals::ShutdownSignals() {
  VOXBIT_CHECK(handler_pipe.load() == -1, "one ShutdownSignals at a time");
  VOXBIT_CHECK(::pipe2(pipe_.data(), O_CLOEXEC) == 0, "no file descriptors left");
  handler_pipe = pipe_[1];
  struct sigaction action {};
  action.sa_handler = &OnSignal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, &old_interrupt_);
  ::sigaction(SIGTERM, &action, &old_terminate_);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGXFSZ, &action, &old_file_size_);
  waiter_ = std::thread([this] {
    const SystemClock clock;
    int64_t first_ms = 0;
    unsigned char signal = 0;
    while (true) {
      const ssize_t got = ::read(pipe_[0], &signal, 1);
      if (got < 0 && errno == EINTR) continue;
      if (got != 1 || signal == 0) return;
      const int64_t now_ms = clock.MonotonicMs();
      if (signal_ == 0) {
        first_ms = now_ms;
        signal_ = signal;
        source_.request_stop();
      } else if (now_ms - first_ms >= kSameWish.count()) {
        _exit(130);
      }
    }
  });
}

ShutdownSignals::~ShutdownSignals() {
  ::sigaction(SIGINT, &old_interrupt_, nullptr);
  ::sigaction(SIGTERM, &old_terminate_, nullptr);
  ::sigaction(SIGXFSZ, &old_file_size_, nullptr);
  const unsigned char end = 0;
  (void)!::write(pipe_[1], &end, 1);
  waiter_.join();
  handler_pipe = -1;
  ::close(pipe_[0]);
  ::close(pipe_[1]);
}

}  // namespace voxbit
