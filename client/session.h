// What a command has to do with: the streams, the form of the output, the server.
#pragma once

#include <memory>
#include <ostream>
#include <stop_token>
#include <string>
#include <vector>

#include "client/format/table.h"
#include "client/format/terminal.h"
#include "client/rpc/api.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/status.h"

namespace voxbit::client {

enum class OutputFormat { kTable, kJson, kCsv };

// The flags that every command has.
struct GlobalOptions {
  std::string server;  // "": the environment's VOXBIT_SERVER, else kDefaultServer
  OutputFormat output = OutputFormat::kTable;
  bool quiet = false;
  bool json_log = false;
  bool wide = false;                 // tables as wide as they are, also on a terminal
  std::vector<std::string> columns;  // of the table or CSV; none: all
};

inline constexpr char kDefaultServer[] = "127.0.0.1:50051";

// The process around the client; tests bring their own.
struct Surroundings {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  Terminal terminal;
  Environment environment;
  const Clock& clock;
  std::stop_token stop;  // raised by SIGINT and SIGTERM
};

// One run of one command. Data goes to standard output, everything else to standard error.
class Session {
 public:
  Session(const GlobalOptions& options, const Surroundings& surroundings);

  // Made on first use; no connection before the first call.
  Api& api();
  const Surroundings& surroundings() const { return surroundings_; }
  const GlobalOptions& options() const { return options_; }
  // The width of the terminal; whoever reads a pipe gets whole lines.
  TextStyle style() const;
  // INVALID_ARGUMENT when the address of the server, from flag or environment, cannot be one.
  Status CheckServer() const;
  int64_t NowMs() const { return surroundings_.clock.NowMs(); }
  bool interrupted() const { return surroundings_.stop.stop_requested(); }

  // The columns of --columns, or all. INVALID_ARGUMENT for one that `table` does not have.
  Result<Table> Choose(const Table& table) const;
  // The answer of the command, in the form that the user asked for.
  void Print(const Table& table, const Json& json);
  void PrintJson(const Json& json);
  // Text that only people get: nothing happens unless the output is a table.
  void PrintText(const std::string& text);
  // The same for a table; what the terminal is too narrow for is named on standard error.
  void PrintTable(const Table& table);

  // Progress and hints, one line; silent with --quiet.
  void Note(const std::string& message, const Json& fields = nullptr);
  // What ended the command, one line.
  void Fail(const Status& status);

  // Waits; false as soon as the user interrupts.
  bool Sleep(Milliseconds span);

 private:
  GlobalOptions options_;
  std::string server_source_ = "--server";
  Surroundings surroundings_;
  std::unique_ptr<Api> api_;
};

}  // namespace voxbit::client
