#include "worker/train/schedule.h"

#include <cmath>
#include <numbers>

#include "common/check.h"

namespace voxbit::train {

double LearningRate(double lr, int64_t warmup_steps, int64_t steps, int64_t step) {
  VOXBIT_CHECK(step >= 0 && steps > 0 && warmup_steps >= 0, "a schedule counts from 0");
  if (step < warmup_steps) {
    return lr * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  }
  const double progress = static_cast<double>(step - warmup_steps) / static_cast<double>(steps);
  return lr * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace voxbit::train
