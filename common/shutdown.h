// Turns SIGINT and SIGTERM into a stop token.
#pragma once

#include <signal.h>

#include <array>
#include <atomic>
#include <stop_token>
#include <thread>

#include "common/clock.h"

namespace voxbit {

// Catches both signals with a handler that wakes a thread of its own: blocking them would not do,
// because libraries (OpenBLAS, oneTBB) start threads before main, and those would still be killed.
// At most one object at a time.
//
// A second signal ends the process at once with exit code 130, unless it comes within kSameWish of
// the first: a Ctrl-C reaches every process of a terminal, and a script among them passes it on.
//
// SIGXFSZ is ignored meanwhile: a write beyond the limit on file sizes fails with EFBIG, which is
// reported as a full disk is, instead of ending the process.
class ShutdownSignals {
 public:
  static constexpr Milliseconds kSameWish{2'000};

  ShutdownSignals();
  ~ShutdownSignals();
  ShutdownSignals(const ShutdownSignals&) = delete;
  ShutdownSignals& operator=(const ShutdownSignals&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  // The signal that came, 0 if none.
  int signal() const { return signal_; }
  // Acts as if a signal had come, for a program that ends by itself.
  void RequestStop() { source_.request_stop(); }

 private:
  std::stop_source source_;
  std::atomic<int> signal_ = 0;
  std::array<int, 2> pipe_{};
  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
  struct sigaction old_file_size_ {};
  std::thread waiter_;
};

}  // namespace voxbit
