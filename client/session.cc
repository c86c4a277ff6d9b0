#include "client/session.h"

#include <condition_variable>
#include <mutex>

#include "client/format/text.h"
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
  if (options_.server.empty()) options_.server = surroundings.environment("VOXBIT_SERVER");
  if (options_.server.empty()) options_.server = kDefaultServer;
}

Api& Session::api() {
  if (api_ == nullptr) {
    api_ = std::make_unique<Api>(Api::Options{options_.server, surroundings_.stop});
  }
  return *api_;
}

TextStyle Session::style() const {
  return {surroundings_.terminal.width, surroundings_.terminal.color};
}

void Session::Print(const Table& table, const Json& json) {
  switch (options_.output) {
    case OutputFormat::kTable:
      surroundings_.out << RenderText(table, style());
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
