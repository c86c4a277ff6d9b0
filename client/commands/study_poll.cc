#include "client/commands/study_poll.h"

namespace voxbit::client {
namespace {

constexpr int64_t kServerAwayMs = 60'000;

}  // namespace

Result<std::optional<v1::Study>> StudyPoll::Ask(Session& session, const std::string& name) {
  Result<v1::Study> study = session.api().GetStudy(name);
  if (study.ok()) {
    has_answered_ = true;
    away_since_ms_.reset();
    return std::optional(std::move(study).value());
  }
  const Status& status = study.status();
  const bool is_away =
      status.code() == StatusCode::kUnavailable || status.code() == StatusCode::kDeadlineExceeded;
  if (!is_away || !has_answered_) return session.interrupted() ? Interrupted(name) : status;
  const int64_t now_ms = session.surroundings().clock.MonotonicMs();
  if (!away_since_ms_.has_value()) {
    away_since_ms_ = now_ms;
    before_note_();
    session.Note(
        "the server is away; waiting up to " + std::to_string(kServerAwayMs / 1000) + " s for it",
        {{"server", session.api().server()}});
  }
  if (now_ms - *away_since_ms_ > kServerAwayMs) return status;
  return std::optional<v1::Study>();
}

Status HowItEnded(const v1::Study& study) {
  switch (study.state()) {
    case v1::STUDY_STATE_COMPLETED:
      return OkStatus();
    case v1::STUDY_STATE_STOPPED:
      return FailedPrecondition("study " + study.name() + " was stopped before its end");
    default:
      return FailedPrecondition("study " + study.name() + " failed" +
                                (study.message().empty() ? "" : ": " + study.message()));
  }
}

Status Interrupted(const std::string& study) {
  return Cancelled("interrupted; the study " + study + " goes on");
}

}  // namespace voxbit::client
