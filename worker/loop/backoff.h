// How long to wait before something is tried again.
#pragma once

#include <cstdint>
#include <stop_token>

#include "common/clock.h"
#include "common/rng.h"

namespace voxbit::worker {

// Spans that double from `first` to `max`, each shortened at random by up to half, so that a fleet
// does not come back in step after the server was away.
class Backoff {
 public:
  struct Settings {
    Milliseconds first{500};
    Milliseconds max{5'000};
  };
  Backoff(const Settings& settings, uint64_t seed);

  Milliseconds Next();
  // The next span is a first one again.
  void Reset() { span_ = settings_.first; }

 private:
  Settings settings_;
  Milliseconds span_;
  Rng rng_;
};

// False when `stop` was raised before `span` had passed.
bool SleepFor(Milliseconds span, const std::stop_token& stop);

}  // namespace voxbit::worker
