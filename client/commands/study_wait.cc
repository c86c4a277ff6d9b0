#include <CLI/CLI.hpp>
#include <algorithm>

#include "client/app.h"
#include "client/commands/command.h"
#include "client/commands/study_poll.h"
#include "client/view/study_view.h"

namespace voxbit::client {
namespace {

class StudyWait final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("study", name_, "name of the study")->required()->option_text("STUDY");
    app.add_option("--timeout", timeout_s_, "longest wait, seconds; exit code 124 after it")
        ->check(CLI::Range(0.0, 1e9))
        ->option_text("SECONDS [default: none]");
    app.add_option("--interval", interval_s_, "pause between two questions to the server, seconds")
        ->check(CLI::Range(0.01, 3600.0))
        ->capture_default_str()
        ->option_text("SECONDS [default: 1]");
  }

  Status Run(Session& session) override {
    const Clock& clock = session.surroundings().clock;
    const int64_t began_ms = clock.MonotonicMs();
    StudyPoll poll;
    while (true) {
      VOXBIT_ASSIGN_OR_RETURN(const auto study, poll.Ask(session, name_));
      if (study.has_value() && IsFinal(study->state())) return Tell(session, *study);
      double pause_s = interval_s_;
      if (timeout_s_.has_value()) {
        const auto waited_ms = static_cast<double>(clock.MonotonicMs() - began_ms);
        const double left_s = *timeout_s_ - waited_ms / 1000;
        if (left_s <= 0) return TimedOut(study);
        pause_s = std::min(pause_s, left_s);
      }
      // A millisecond more: the rest of the time may be less than one.
      if (!session.Sleep(Milliseconds(static_cast<int64_t>(pause_s * 1000) + 1))) {
        return Interrupted(name_);
      }
    }
  }

 private:
  static Status Tell(Session& session, const v1::Study& study) {
    if (session.options().output == OutputFormat::kTable) {
      session.Note(study.name() + " " + StateName(study.state()), {{"study", study.name()}});
    } else {
      session.Print(StudyTable({study}, session.NowMs()), ToJson(study));
    }
    return HowItEnded(study);
  }

  Status TimedOut(const std::optional<v1::Study>& study) const {
    return {StatusCode::kDeadlineExceeded,
            "study " + name_ + " has not ended in time" +
                (study.has_value() ? "; it is " + StateName(study->state()) : ""),
            kTimedOut};
  }

  std::string name_;
  std::optional<double> timeout_s_;
  double interval_s_ = 1;
};

}  // namespace

std::unique_ptr<Command> MakeStudyWait() { return std::make_unique<StudyWait>(); }

}  // namespace voxbit::client
