#include "client/commands/study_created.h"

#include <string>

#include "client/view/study_view.h"

namespace voxbit::client {
namespace {

void Tell(Session& session, const v1::Study& study, const std::string& what) {
  if (session.options().output != OutputFormat::kTable) {
    session.Print(StudyTable({study}, session.NowMs()), ToJson(study));
    return;
  }
  session.PrintText(study.name() + "\n");
  session.Note(what, {{"study", study.name()}});
}

void TellNotes(Session& session, const v1::Study& study) {
  for (const std::string& note : study.notes()) session.Note(note);
}

}  // namespace

Status TellCreated(Session& session, const v1::Study& study) {
  TellNotes(session, study);
  v1::Study whole = study;
  if (session.options().output != OutputFormat::kTable) {
    // The answer to a change says nothing of progress.
    VOXBIT_ASSIGN_OR_RETURN(whole, session.api().GetStudy(study.name()));
  }
  Tell(session, whole, "created; follow it with: search-client study watch " + study.name());
  return OkStatus();
}

Status TellValid(Session& session, const v1::Study& study) {
  TellNotes(session, study);
  Tell(session, study, "the study is valid; nothing was created");
  return OkStatus();
}

}  // namespace voxbit::client
