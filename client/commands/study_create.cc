#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <iterator>
#include <set>

#include "client/commands/command.h"
#include "client/format/text.h"
#include "client/view/study_view.h"
#include "common/files.h"
#include "common/json_file.h"
#include "common/known_names.h"
#include "search/domain/study.h"

namespace voxbit::client {
namespace {

class StudyCreate final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("-f,--file", file_,
                   "JSON file with one study, comments allowed; - reads standard input")
        ->required()
        ->option_text("FILE");
    app.add_flag("--validate-only", validate_only_, "check the study, create nothing");
  }

  Status Run(Session& session) override {
    VOXBIT_ASSIGN_OR_RETURN(const std::string text, ReadStudyText(session));
    const std::string source = file_ == "-" ? "standard input" : file_;
    Result<Json> json = ParseJson(text);
    if (!json.ok()) return json.status().Annotate(source);
    if (json->is_object() && json->contains("studies")) {
      return InvalidArgument(source +
                             ": holds a server configuration; here one study object is right");
    }
    const Json::json_pointer root("/dataset/root");
    bool has_changed = json->contains(root) && MakePathAbsolute((*json)[root]);
    const auto table = json->find("latency_table");
    if (table != json->end() && table->is_string()) {
      has_changed = true;
      const Status read = InlineJsonFile("/latency_table", search::kMaxLatencyTableBytes, *table);
      if (!read.ok()) return read.Annotate(source);
    }
    const Result<v1::Study> study =
        session.api().CreateStudy(has_changed ? json->dump() : text, validate_only_);
    if (!study.ok()) {
      const bool about_file = study.status().code() == StatusCode::kInvalidArgument ||
                              study.status().code() == StatusCode::kInfeasible;
      return about_file ? study.status().Annotate(source) : study.status();
    }
    for (const std::string& warning : study->warnings()) session.Note("warning: " + warning);
    if (validate_only_ || session.options().output == OutputFormat::kTable) {
      Report(session, *study);
    } else {
      // The answer to a change says nothing of progress.
      VOXBIT_ASSIGN_OR_RETURN(const v1::Study whole, session.api().GetStudy(study->name()));
      Report(session, whole);
    }
    TellTargets(session, *study);
    return OkStatus();
  }

 private:
  // A file that cannot be read is a wrong argument, not a missing resource of the server.
  Result<std::string> ReadStudyText(Session& session) const {
    if (file_ == "-") {
      std::istream& in = session.surroundings().in;
      return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    Result<std::string> text = ReadFile(file_);
    if (!text.ok()) return InvalidArgument(text.status().message());
    return text;
  }

  // Which workers measure the latencies now: without one they wait for ever.
  static void TellTargets(Session& session, const v1::Study& study) {
    const Result<Json> json = ParseJson(study.config_json());
    if (!json.ok()) return;
    const Result<search::StudyConfig> config = search::ParseStudyConfig(*json, "");
    if (!config.ok() || session.options().quiet) return;
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

  static std::string WhoServes(const std::string& target,
                               const std::vector<search::WorkerRow>& workers) {
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

  void Report(Session& session, const v1::Study& study) const {
    switch (session.options().output) {
      case OutputFormat::kTable:
        session.PrintText(OneLine(study.name()) + "\n");
        session.Note(validate_only_
                         ? "the study is valid; nothing was created"
                         : "created; follow it with: search-client study watch " + study.name(),
                     {{"study", study.name()}});
        break;
      case OutputFormat::kJson:
      case OutputFormat::kCsv:
        session.Print(StudyTable({study}, session.NowMs()), ToJson(study));
        break;
    }
  }

  std::string file_;
  bool validate_only_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeStudyCreate() { return std::make_unique<StudyCreate>(); }

}  // namespace voxbit::client
