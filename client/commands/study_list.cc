#include <CLI/CLI.hpp>

#include "client/commands/command.h"
#include "client/view/study_view.h"

namespace voxbit::client {
namespace {

class StudyList final : public Command {
 public:
  void Declare(CLI::App& /*app*/) override {}
  bool HasColumns() const override { return true; }

  Status Run(Session& session) override {
    VOXBIT_ASSIGN_OR_RETURN(const std::vector<v1::Study> studies, session.api().ListStudies());
    Json json = Json::array();
    for (const v1::Study& study : studies) json.push_back(ToJson(study));
    VOXBIT_ASSIGN_OR_RETURN(const Table table,
                            session.Choose(StudyTable(studies, session.NowMs())));
    session.Print(table, json);
    if (studies.empty()) {
      session.Note("no study yet; make one with: search-client study create -f FILE");
    }
    return OkStatus();
  }
};

}  // namespace

std::unique_ptr<Command> MakeStudyList() { return std::make_unique<StudyList>(); }

}  // namespace voxbit::client
