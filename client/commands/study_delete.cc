#include <CLI/CLI.hpp>
#include <istream>
#include <string>

#include "client/commands/command.h"
#include "client/view/study_view.h"

namespace voxbit::client {
namespace {

// How soon an interruption of the question is noticed.
constexpr Milliseconds kInterruptCheck{100};

class StudyDelete final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("study", name_, "name of the study")->required()->option_text("STUDY");
    app.add_flag("--yes", yes_, "do not ask; needed where there is no terminal to ask at");
  }

  Status Run(Session& session) override {
    if (!yes_) VOXBIT_RETURN_IF_ERROR(Confirm(session));
    VOXBIT_ASSIGN_OR_RETURN(const v1::Study study, session.api().DeleteStudy(name_));
    if (session.options().output == OutputFormat::kTable) {
      session.Note(study.name() + " is deleted", {{"study", study.name()}});
    } else {
      session.Print(StudyTable({study}, session.NowMs()), ToJson(study));
    }
    return OkStatus();
  }

 private:
  Status Confirm(Session& session) const {
    const Surroundings& around = session.surroundings();
    if (!around.terminal.in_is_terminal || !around.terminal.err_is_terminal) {
      return InvalidArgument("study delete removes " + name_ +
                             " with all its trials, and there is no terminal to ask at; --yes "
                             "deletes it without being asked");
    }
    VOXBIT_ASSIGN_OR_RETURN(const v1::Study study, session.api().GetStudy(name_));
    around.err << "delete study " << study.name() << " (" << StateName(study.state()) << ", "
               << study.progress().trials_proposed() << " trials) for good? [y/N] " << std::flush;
    while (!WaitForInput(around.terminal, kInterruptCheck)) {
      if (session.interrupted()) return Cancelled("interrupted; nothing was deleted");
    }
    std::string answer;
    std::getline(around.in, answer);
    if (answer == "y" || answer == "Y" || answer == "yes") return OkStatus();
    return Cancelled("nothing was deleted");
  }

  std::string name_;
  bool yes_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeStudyDelete() { return std::make_unique<StudyDelete>(); }

}  // namespace voxbit::client
