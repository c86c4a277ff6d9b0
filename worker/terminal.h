// What the worker's commands know of the terminal, and the bar that they draw on it.
#pragma once

#include <chrono>
#include <cstdint>

#include "client/format/terminal.h"

namespace voxbit::worker {

// Of this process.
client::Terminal ThisTerminal();

// One line on standard error that tells how far a run over scans is and when it will end, where
// that is a terminal. Not thread-safe.
class ProgressBar {
 public:
  // `terminal` outlives the bar.
  explicit ProgressBar(const client::Terminal& terminal) : terminal_(terminal) {}
  ~ProgressBar() { Clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // Draws, unless it has done so a moment ago. Requires: total > 0.
  void Show(int64_t done, int64_t total);
  void Clear();

 private:
  const client::Terminal& terminal_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point drawn_;
  bool is_drawn_ = false;
};

}  // namespace voxbit::worker
