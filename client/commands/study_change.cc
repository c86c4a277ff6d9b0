#include "client/commands/study_change.h"

#include <CLI/CLI.hpp>

#include "client/view/study_view.h"

namespace voxbit::client {
namespace {

class StudyChange final : public Command {
 public:
  explicit StudyChange(StudyCall call) : call_(call) {}

  void Declare(CLI::App& app) override {
    app.add_option("study", name_, "name of the study")->required()->option_text("STUDY");
  }

  Status Run(Session& session) override {
    VOXBIT_ASSIGN_OR_RETURN(const v1::Study study, (session.api().*call_)(name_));
    if (session.options().output == OutputFormat::kTable) {
      session.Note(study.name() + " is " + StateName(study.state()),
                   {{"study", study.name()}, {"state", StateName(study.state())}});
    } else {
      // The answer to a change says nothing of progress.
      VOXBIT_ASSIGN_OR_RETURN(const v1::Study whole, session.api().GetStudy(name_));
      session.Print(StudyTable({whole}, session.NowMs()), ToJson(whole));
    }
    return OkStatus();
  }

 private:
  StudyCall call_;
  std::string name_;
};

}  // namespace

std::unique_ptr<Command> MakeStudyChange(StudyCall call) {
  return std::make_unique<StudyChange>(call);
}

}  // namespace voxbit::client
