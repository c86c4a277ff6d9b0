#include "search/agents/replay_memory.h"

#include <numeric>
#include <utility>

#include "common/check.h"

namespace voxbit::rl {

void ReplayMemory::Add(Transition transition) {
  if (capacity_ == 0) return;
  if (ring_.size() < capacity_) {
    ring_.push_back(std::move(transition));
    return;
  }
  ring_[first_] = std::move(transition);
  first_ = (first_ + 1) % capacity_;
}

std::vector<size_t> ReplayMemory::DrawIndices(size_t count, Rng& rng) const {
  VOXBIT_CHECK(!ring_.empty(), "a draw from an empty memory");
  const auto size = static_cast<int64_t>(ring_.size());
  std::vector<size_t> drawn;
  drawn.reserve(count);
  if (ring_.size() < count) {
    for (size_t i = 0; i < count; ++i) drawn.push_back(static_cast<size_t>(rng.Below(size)));
    return drawn;
  }
  // The beginning of a random permutation.
  std::vector<size_t> order(ring_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = 0; i < count; ++i) {
    const auto left = static_cast<int64_t>(order.size() - i);
    std::swap(order[i], order[i + static_cast<size_t>(rng.Below(left))]);
    drawn.push_back(order[i]);
  }
  return drawn;
}

}  // namespace voxbit::rl
