// Turns SIGINT and SIGTERM into a stop token.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

namespace voxbit {

// Blocks both signals for the whole process and waits for them on a thread of its own. Construct
// it first thing in main, before any other thread starts. A second signal ends the process at once
// with exit code 130.
class ShutdownSignals {
 public:
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
  std::jthread waiter_;
};

}  // namespace voxbit
