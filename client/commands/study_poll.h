// A study that is asked for again and again until it ends.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "client/session.h"
#include "common/status.h"
#include "voxbit/v1/types.pb.h"

namespace voxbit::client {

// Waits for a server that restarts (up to a minute), not for one that never answered.
class StudyPoll {
 public:
  // `before_note` runs before a line is written.
  explicit StudyPoll(std::function<void()> before_note = [] {})
      : before_note_(std::move(before_note)) {}

  // The study as it is now; empty while its server is away: ask again. CANCELLED when interrupted,
  // UNAVAILABLE when the server stays away, NOT_FOUND.
  Result<std::optional<v1::Study>> Ask(Session& session, const std::string& name);

 private:
  std::function<void()> before_note_;
  bool has_answered_ = false;
  std::optional<int64_t> away_since_ms_;
};

// OK for a completed study; FAILED_PRECONDITION for one that failed or was stopped.
Status HowItEnded(const v1::Study& study);

// What an interrupted command says.
Status Interrupted(const std::string& study);

}  // namespace voxbit::client
