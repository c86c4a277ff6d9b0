#include "client/commands/study_created.h"

#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <set>
#include <string>
#include <vector>

#include "client/format/text.h"
#include "client/view/study_view.h"
#include "common/known_names.h"
#include "search/domain/study.h"

namespace voxbit::client {
namespace {

void Tell(Session& session, const v1::Study& study, const std::string& what) {
  if (session.options().output != OutputFormat::kTable) {
    session.Print(StudyTable({study}, session.NowMs()), ToJson(study));
    return;
  }
  session.PrintText(OneLine(study.name()) + "\n");
  session.Note(what, {{"study", study.name()}});
}

void TellWarnings(Session& session, const v1::Study& study) {
  for (const std::string& warning : study.warnings()) session.Note("warning: " + warning);
}

std::string WhoServes(const std::string& target, const std::vector<search::WorkerRow>& workers) {
  std::set<std::string> serving;
  std::set<std::string> offered;
  for (const search::WorkerRow& worker : workers) {
    if (worker.state == "lost" || worker.state == "draining") continue;
    const auto& targets = worker.info.targets;
    offered.insert(targets.begin(), targets.end());
    const bool serves = std::find(targets.begin(), targets.end(), target) != targets.end();
    if (serves) serving.insert(worker.info.name);
  }
  using boost::algorithm::join;
  if (!serving.empty()) return "now served by " + join(serving, ", ");
  const std::string nearest = NearestName(target, {offered.begin(), offered.end()});
  return "no worker serves it now; start one with: search-worker --target " + target +
         (offered.empty() ? "" : "; workers here offer " + join(offered, ", ")) +
         (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?");
}

// Which workers measure the latencies now: without one they wait for ever.
void TellTargets(Session& session, const v1::Study& study) {
  const Result<Json> json = ParseJson(study.config_json());
  if (!json.ok() || session.options().quiet) return;
  const Result<search::StudyConfig> config = search::ParseStudyConfig(*json, "");
  if (!config.ok()) return;
  const std::set<std::string> targets = search::LatencyTargets(*config);
  if (targets.empty()) return;
  const auto workers = session.api().ListWorkers();
  if (!workers.ok()) return;
  for (const std::string& target : targets) {
    session.Note(
        "latency_ms is measured on target \"" + target + "\": " + WhoServes(target, *workers),
        {{"target", target}});
  }
}

}  // namespace

Status TellCreated(Session& session, const v1::Study& study) {
  TellWarnings(session, study);
  v1::Study whole = study;
  if (session.options().output != OutputFormat::kTable) {
    // The answer to a change says nothing of progress.
    VOXBIT_ASSIGN_OR_RETURN(whole, session.api().GetStudy(study.name()));
  }
  Tell(session, whole, "created; follow it with: search-client study watch " + study.name());
  TellTargets(session, study);
  return OkStatus();
}

Status TellValid(Session& session, const v1::Study& study) {
  TellWarnings(session, study);
  Tell(session, study, "the study is valid; nothing was created");
  TellTargets(session, study);
  return OkStatus();
}

}  // namespace voxbit::client
