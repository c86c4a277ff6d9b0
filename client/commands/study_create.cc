#include <CLI/CLI.hpp>
#include <iterator>

#include "client/commands/command.h"
#include "client/commands/study_created.h"
#include "common/files.h"
#include "common/json_file.h"
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
    if (json->is_object() && (json->contains("studies") || json->contains("server"))) {
      return InvalidArgument(source + ": holds a server configuration; here one study is right, " +
                             "such as an entry of its \"studies\" in a file of its own; to run " +
                             "all of them: search-server --config " +
                             (file_ == "-" ? "FILE" : file_));
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
    return validate_only_ ? TellValid(session, *study) : TellCreated(session, *study);
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

  std::string file_;
  bool validate_only_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeStudyCreate() { return std::make_unique<StudyCreate>(); }

}  // namespace voxbit::client
