#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "client/commands/command.h"
#include "client/commands/study_created.h"

namespace voxbit::client {
namespace {

class StudyClone final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("study", name_, "study whose settings are taken, the seed too")
        ->required()
        ->option_text("STUDY");
    app.add_option("--name", new_name_, "name of the new study")->required()->option_text("NAME");
    app.add_option("--set", overrides_,
                   "changes one setting, as in /seed=5 or /search/in_flight=64; repeatable")
        ->expected(1)
        ->take_all()
        ->option_text("POINTER=VALUE");
  }

  Status Run(Session& session) override {
    VOXBIT_ASSIGN_OR_RETURN(const v1::Study study,
                            session.api().CloneStudy(name_, new_name_, overrides_));
    return TellCreated(session, study);
  }

 private:
  std::string name_;
  std::string new_name_;
  std::vector<std::string> overrides_;
};

}  // namespace

std::unique_ptr<Command> MakeStudyClone() { return std::make_unique<StudyClone>(); }

}  // namespace voxbit::client
