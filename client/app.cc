#include "client/app.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/algorithm/string/split.hpp>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "client/commands/command.h"
#include "client/completion.h"
#include "client/format/text.h"
#include "common/log.h"
#include "common/text.h"
#include "common/usage.h"

#ifndef VOXBIT_VERSION
#error "VOXBIT_VERSION comes from the build"
#endif

namespace voxbit::client {
namespace {

constexpr char kProgram[] = "search-client";

constexpr char kFooter[] =
    "Exit codes: 0 done, 1 failed (study watch, wait: or stopped), 2 wrong usage or "
    "configuration,\n"
    "3 not found, 4 server unreachable, 124 timed out, 130 interrupted. Environment: "
    "VOXBIT_SERVER,\n"
    "NO_COLOR, COLUMNS.\n"
    "Data goes to standard output, progress and errors to standard error.";

const std::map<std::string, std::string>& Nouns() {
  static const std::map<std::string, std::string> nouns = {
      {"study", "Create, follow and steer studies."},
      {"trial", "Look at the trials of a study."},
      {"worker", "Look at workers, send them home."}};
  return nouns;
}

// The command line as a tree of CLI11 apps, with one Command per leaf.
class CommandLine {
 public:
  CommandLine() : app_("Client of a Voxbit search-server.", kProgram) {
    app_.footer(kFooter);
    app_.require_subcommand(1);
    AddGlobals(app_);
    CommandRegistry registry("command");
    RegisterBuiltins(registry);
    for (const auto& [name, entry] : registry.entries()) AddCommand(name, entry);
  }

  // Runs the parser; the exit code when there is nothing left to do.
  std::optional<ExitCode> Parse(std::vector<std::string> arguments,
                                const Surroundings& surroundings) {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::Success& asked) {
      app_.exit(asked, surroundings.out, surroundings.err);
      return kExitDone;
    } catch (const CLI::ParseError& error) {
      surroundings.err << Paint("error:", Tone::kBad, surroundings.terminal.err_color) << " "
                       << OneLine(UsageError(app_, error)) << std::endl;
      return kExitUsage;
    }
    return std::nullopt;
  }

  GlobalOptions options() const {
    GlobalOptions options = options_;
    static const std::map<std::string, OutputFormat> formats = {{"table", OutputFormat::kTable},
                                                                {"json", OutputFormat::kJson},
                                                                {"csv", OutputFormat::kCsv}};
    options.output = formats.at(output_);
    options.json_log = log_format_ == "json";
    if (!columns_.empty()) {
      boost::algorithm::split(options.columns, columns_, [](char c) { return c == ','; });
    }
    return options;
  }

  const CLI::App& app() const { return app_; }

  // Requires: Parse said to go on.
  Command& chosen() {
    for (auto& [leaf, command] : commands_) {
      if (leaf->parsed()) return *command;
    }
    VOXBIT_CHECK(false, "the parser accepted a line without a command");
  }

 private:
  // Nouns and leaves have them too, so that they may stand anywhere and every --help shows them.
  void AddGlobals(CLI::App& app) {
    const std::string group = "Everywhere";
    app.set_help_flag("-h,--help", "show this and leave")->group(group);
    app.add_option("--server", options_.server, "address of the server")
        ->group(group)
        ->option_text(std::string("HOST:PORT [default: $VOXBIT_SERVER, else ") + kDefaultServer +
                      "]");
    app.add_option("-o,--output", output_,
                   "table for people, json and csv for programs at full precision")
        ->group(group)
        ->check(CLI::IsMember({"table", "json", "csv"}))
        ->option_text("table|json|csv [default: table]");
    app.add_flag("--wide", options_.wide, "cut no table to the width of the terminal")
        ->group(group);
    app.add_flag("-q,--quiet", options_.quiet, "no progress and no hints on standard error")
        ->group(group);
    app.add_option("--log-format", log_format_, "form of the lines on standard error")
        ->group(group)
        ->check(CLI::IsMember({"text", "json"}))
        ->option_text("text|json [default: text]");
    app.set_version_flag("--version", std::string(kProgram) + " " + VOXBIT_VERSION,
                         "show the version and leave")
        ->group(group);
  }

  void AddCommand(const std::string& name, const CommandRegistry::Entry& entry) {
    const size_t space = name.find(' ');
    CLI::App* parent = &app_;
    if (space != std::string::npos) parent = &Noun(name.substr(0, space));
    const std::string verb = space == std::string::npos ? name : name.substr(space + 1);
    CLI::App* leaf = parent->add_subcommand(verb, entry.help);
    std::unique_ptr<Command> command = entry.factory();
    command->Declare(*leaf);
    if (command->HasColumns()) AddColumns(*leaf);
    AddGlobals(*leaf);
    commands_.emplace_back(leaf, std::move(command));
  }

  void AddColumns(CLI::App& leaf) {
    leaf.add_option("--columns", columns_,
                    "columns of the table or csv, in this order, with commas; by their names in "
                    "csv or their titles [default: all that fit]")
        ->option_text("NAMES");
  }

  CLI::App& Noun(const std::string& noun) {
    CLI::App*& app = nouns_[noun];
    if (app != nullptr) return *app;
    app = app_.add_subcommand(noun, Nouns().at(noun));
    app->require_subcommand(1);
    AddGlobals(*app);
    return *app;
  }

  CLI::App app_;
  GlobalOptions options_;
  std::string output_ = "table";
  std::string log_format_ = "text";
  std::string columns_;  // with commas
  std::map<std::string, CLI::App*> nouns_;
  std::vector<std::pair<CLI::App*, std::unique_ptr<Command>>> commands_;
};

}  // namespace

ExitCode ExitCodeOf(const Status& status, bool interrupted) {
  if (status.ok()) return kExitDone;
  if (interrupted) return kExitInterrupted;
  if (status.reason() == kTimedOut) return kExitTimedOut;
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
    case StatusCode::kInfeasible:  // no candidate can meet the constraints of the study file
      return kExitUsage;
    case StatusCode::kNotFound:
      return kExitNotFound;
    case StatusCode::kUnavailable:
    case StatusCode::kDeadlineExceeded:
      return kExitUnreachable;
    default:
      return kExitFailed;
  }
}

namespace {

ExitCode PrintSuggestions(const CLI::App& app, const std::vector<std::string>& words,
                          const Surroundings& surroundings) {
  for (const Suggestion& suggestion : Complete(app, words, NamesOfServer(surroundings))) {
    surroundings.out << suggestion.word << "\t" << OneLine(suggestion.help) << "\n";
  }
  return kExitDone;
}

}  // namespace

ExitCode RunClient(const std::vector<std::string>& arguments, const Surroundings& surroundings) {
  if (const Status status = CheckArguments(arguments); !status.ok()) {
    surroundings.err << Paint("error:", Tone::kBad, surroundings.terminal.err_color) << " "
                     << OneLine(status.message()) << std::endl;
    return kExitUsage;
  }
  CommandLine line;
  if (!arguments.empty() && arguments.front() == kCompleteWord) {
    return PrintSuggestions(line.app(), {arguments.begin() + 1, arguments.end()}, surroundings);
  }
  const std::optional<ExitCode> over = line.Parse(arguments, surroundings);
  if (over.has_value()) return *over;
  const GlobalOptions options = line.options();
  log::Configure(options.json_log ? log::Format::kJson : log::Format::kText, log::Level::kInfo,
                 kProgram);
  Session session(options, surroundings);
  Command& command = line.chosen();
  Status status = command.NeedsServer() ? session.CheckServer() : OkStatus();
  if (status.ok()) status = command.Run(session);
  surroundings.out.flush();
  if (status.ok() && !surroundings.out) {
    status = Internal("standard output cannot be written; is the disk full?");
  }
  if (!status.ok()) session.Fail(status);
  return ExitCodeOf(status, session.interrupted());
}

}  // namespace voxbit::client
