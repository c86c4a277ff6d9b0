// What an agent remembers of its episodes, and the batches that it learns from. No torch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/rng.h"

namespace voxbit::rl {

// One step. The published memory keeps a stream of observations with a filler after every episode
// instead; explicit tuples mean the same and cannot pair steps of different episodes.
struct Transition {
  std::vector<float> state;
  float action = 0;
  float reward = 0;
  std::vector<float> next_state;  // of no effect when is_terminal
  bool is_terminal = false;
  friend bool operator==(const Transition&, const Transition&) = default;
};

// Holds the last `capacity` transitions. Thread-compatible.
// Source: HAQ (mit-han-lab/haq), lib/rl/memory.py, with a window of 1.
class ReplayMemory {
 public:
  explicit ReplayMemory(size_t capacity) : capacity_(capacity) {}

  void Add(Transition transition);
  size_t size() const { return ring_.size(); }
  size_t capacity() const { return capacity_; }
  // 0 is the oldest.
  const Transition& At(size_t index) const { return ring_[(first_ + index) % ring_.size()]; }
  // `count` different indices in random order, or with repeats when there are fewer transitions.
  // Requires: not empty.
  std::vector<size_t> DrawIndices(size_t count, Rng& rng) const;

 private:
  size_t capacity_;
  size_t first_ = 0;  // position of the oldest
  std::vector<Transition> ring_;
};

}  // namespace voxbit::rl
