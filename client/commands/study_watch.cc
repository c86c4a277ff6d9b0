#include <CLI/CLI.hpp>
#include <optional>

#include "client/commands/command.h"
#include "client/commands/study_poll.h"
#include "client/view/study_view.h"
#include "client/view/trial_view.h"
#include "client/view/watch_view.h"

namespace voxbit::client {
namespace {

// Without a terminal, news come at most this often; a new phase comes at once.
constexpr int64_t kPlainLineMs = 3'000;
constexpr int64_t kWorkersMs = 5'000;
// Nobody working on an active study for so long is worth a hint.
constexpr int64_t kIdleHintMs = 10'000;

class StudyWatch final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("study", name_, "name of the study")->required()->option_text("STUDY");
    app.add_option("--interval", interval_s_, "pause between two questions to the server, seconds")
        ->check(CLI::Range(0.01, 3600.0))
        ->capture_default_str()
        ->option_text("SECONDS [default: 1]");
  }

  Status Run(Session& session) override {
    live_ = session.surroundings().terminal.err_is_terminal && !session.options().quiet &&
            !session.options().json_log;
    const Status status = Follow(session);
    ClearLine(session);
    if (!status.ok()) return status;
    return Finish(session);
  }

 private:
  Status Follow(Session& session) {
    const Clock& clock = session.surroundings().clock;
    const Milliseconds interval(static_cast<int64_t>(interval_s_ * 1000));
    std::optional<int64_t> workers_at;
    StudyPoll poll([&] { ClearLine(session); });
    while (true) {
      const int64_t now = clock.MonotonicMs();
      VOXBIT_ASSIGN_OR_RETURN(auto study, poll.Ask(session, name_));
      if (study.has_value()) {
        study_ = std::move(*study);
        if (!workers_at.has_value() || now - *workers_at >= kWorkersMs) {
          const auto workers = session.api().ListWorkers();
          if (workers.ok()) view_.UpdateWorkers(*workers);
          workers_at = now;
        }
        view_.Update(study_, now);
        Show(session, now);
        HintWhenIdle(session, now);
        HintWhenPaused(session);
        if (IsFinal(study_.state())) return OkStatus();
      }
      if (!session.Sleep(interval)) return Interrupted(name_);
    }
  }

  void Show(Session& session, int64_t now) {
    if (live_) {
      const size_t width = session.surroundings().terminal.err_width;
      session.surroundings().err << "\r" << view_.BarLine(width - 1) << "\x1b[K" << std::flush;
      return;
    }
    const std::string news = view_.Fingerprint();
    const bool due = !line_at_.has_value() || now - *line_at_ >= kPlainLineMs;
    if (news == last_news_ || (!due && view_.Stage() == last_stage_)) return;
    session.Note(view_.PlainLine(), view_.Fields());
    last_news_ = news;
    last_stage_ = view_.Stage();
    line_at_ = now;
  }

  void HintWhenIdle(Session& session, int64_t now) {
    const bool idle =
        study_.state() == v1::STUDY_STATE_ACTIVE && study_.progress().running().empty();
    if (!idle || !idle_since_.has_value()) {
      idle_since_ = idle ? std::optional<int64_t>(now) : std::nullopt;
      return;
    }
    if (hinted_ || now - *idle_since_ < kIdleHintMs) return;
    hinted_ = true;
    ClearLine(session);
    const auto& waits = study_.progress().waits();
    session.Note("nothing is running: " +
                     (waits.empty() ? name_ + " waits for a worker that serves its supernet, "
                                              "dataset and targets"
                                    : waits[0]) +
                     "; see: search-client worker list",
                 {{"study", name_}});
  }

  // Once for each pause: nothing else would ever come.
  void HintWhenPaused(Session& session) {
    const bool is_paused = study_.state() == v1::STUDY_STATE_PAUSED;
    if (is_paused && !told_of_pause_) {
      ClearLine(session);
      session.Note(name_ + " is paused; resume it with: search-client study resume " + name_,
                   {{"study", name_}});
    }
    told_of_pause_ = is_paused;
  }

  void ClearLine(Session& session) const {
    if (live_) session.surroundings().err << "\r\x1b[K" << std::flush;
  }

  Status Finish(Session& session) {
    const Result<Api::Front> front = session.api().GetFront(name_, {});
    if (front.ok()) {
      Json json = ToJson(*front);
      json["study"] = ToJson(study_);
      json["succeeded"] = study_.progress().trials_succeeded();
      session.Print(FrontTable(*front), json);
    } else if (study_.state() != v1::STUDY_STATE_FAILED) {
      return front.status();
    }
    if (study_.state() != v1::STUDY_STATE_FAILED) {
      session.Note(name_ + " " + StateName(study_.state()) + ": " + FrontSummary(*front) +
                       (study_.message().empty() ? "" : "; " + study_.message()),
                   view_.Fields());
    }
    return HowItEnded(study_);
  }

  std::string name_;
  double interval_s_ = 1;
  bool live_ = false;
  v1::Study study_;
  WatchView view_;
  std::string last_news_;
  std::string last_stage_;
  std::optional<int64_t> line_at_;
  std::optional<int64_t> idle_since_;
  bool hinted_ = false;
  bool told_of_pause_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeStudyWatch() { return std::make_unique<StudyWatch>(); }

}  // namespace voxbit::client
