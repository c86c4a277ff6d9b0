#include "common/shutdown.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <ctime>

namespace voxbit {
namespace {

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

ShutdownSignals::ShutdownSignals() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  waiter_ = std::jthread([this](const std::stop_token& stop) {
    const sigset_t signals = StopSignals();
    // A short timeout so that the destructor can end the thread without a signal.
    const timespec poll{.tv_sec = 0, .tv_nsec = 100'000'000};
    while (!stop.stop_requested()) {
      const int got = sigtimedwait(&signals, nullptr, &poll);
      if (got <= 0) continue;
      if (signal_ != 0) _exit(130);
      signal_ = got;
      source_.request_stop();
    }
  });
}

ShutdownSignals::~ShutdownSignals() { waiter_.request_stop(); }

}  // namespace voxbit
