#include "client/session.h"

#include <boost/algorithm/string/join.hpp>
#include <condition_variable>
#include <mutex>

#include "client/format/text.h"
#include "common/address.h"
#include "common/log.h"
#include "common/text.h"

namespace voxbit::client {
namespace {

std::string Pretty(const Json& json) {
  return PrintableJson(json.dump(2, ' ', false, Json::error_handler_t::replace)) + "\n";
}

}  // namespace

Session::Session(const GlobalOptions& options, const Surroundings& surroundings)
    : options_(options), surroundings_(surroundings) {
  if (!options_.server.empty()) return;
  server_source_ = "VOXBIT_SERVER";
  options_.server = surroundings.environment(server_source_);
  if (options_.server.empty()) options_.server = kDefaultServer;
}

Status Session::CheckServer() const {
  return CheckHostPort(options_.server, /*min_port=*/1).Annotate(server_source_);
}

Api& Session::api() {
  if (api_ == nullptr) {
    api_ = std::make_unique<Api>(Api::Options{options_.server, surroundings_.stop});
  }
  return *api_;
}

TextStyle Session::style() const {
  const bool has_limit = surroundings_.terminal.out_is_terminal && !options_.wide;
  return {has_limit ? surroundings_.terminal.width : TextStyle::kUnlimited,
          surroundings_.terminal.color};
}

Result<Table> Session::Choose(const Table& table) const {
  if (options_.columns.empty()) return table;
  if (options_.output == OutputFormat::kJson) {
    return InvalidArgument("--columns goes with -o table and -o csv; -o json has everything");
  }
  Result<Table> chosen = SelectColumns(table, options_.columns);
  if (!chosen.ok()) return chosen.status().Annotate("--columns");
  return chosen;
}

void Session::Print(const Table& table, const Json& json) {
  switch (options_.output) {
    case OutputFormat::kTable:
      PrintTable(table);
      break;
    case OutputFormat::kCsv:
      surroundings_.out << RenderCsv(table);
      break;
    case OutputFormat::kJson:
      surroundings_.out << Pretty(json);
      break;
  }
}

void Session::PrintJson(const Json& json) { surroundings_.out << Pretty(json); }

void Session::PrintText(const std::string& text) {
  if (options_.output == OutputFormat::kTable) surroundings_.out << text;
}

void Session::PrintTable(const Table& table) {
  PrintText(RenderText(table, style()));
  const std::vector<std::string> hidden = HiddenColumns(table, style());
  if (hidden.empty() || options_.output != OutputFormat::kTable) return;
  surroundings_.out.flush();
  Note("too narrow for: " + boost::algorithm::join(hidden, ", ") + "; --wide shows all");
}

void Session::Note(const std::string& message, const Json& fields) {
  if (options_.quiet) return;
  if (options_.json_log) {
    log::Info(message, fields);
  } else {
    surroundings_.err << OneLine(message) << std::endl;
  }
}

void Session::Fail(const Status& status) {
  if (options_.json_log) {
    log::Error(status.message(),
               {{"code", StatusCodeName(status.code())}, {"reason", status.reason()}});
    return;
  }
  const std::string reason = status.reason().empty() ? "" : " (" + status.reason() + ")";
  surroundings_.err << Paint("error:", Tone::kBad, surroundings_.terminal.err_color) << " "
                    << OneLine(status.message()) << OneLine(reason) << std::endl;
}

bool Session::Sleep(Milliseconds span) {
  std::mutex mutex;
  std::condition_variable_any nothing;
  std::unique_lock<std::mutex> lock(mutex);
  nothing.wait_for(lock, surroundings_.stop, span, [] { return false; });
  return !interrupted();
}

}  // namespace voxbit::client
