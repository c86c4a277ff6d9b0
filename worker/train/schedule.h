// The learning rate of each step.
#pragma once

#include <cstdint>

namespace voxbit::train {

// Linear warm-up, then a cosine: lr * (k + 1) / W for step k < W = warmup_steps, afterwards
// lr * 0.5 * (1 + cos(pi * (k - W) / steps)). The denominator is the whole schedule, warm-up
// included, so with a warm-up the last rate stays a little above zero.
// Requires: 0 <= step, steps > 0, warmup_steps >= 0.
// Source: spvnas core/schedulers.py (cosine_schedule_with_warmup).
double LearningRate(double lr, int64_t warmup_steps, int64_t steps, int64_t step);

}  // namespace voxbit::train
