// One command of search-client. Each is one file here and one line of builtin.def.
#pragma once

#include <memory>

#include "client/session.h"
#include "common/registry.h"
#include "common/status.h"

namespace CLI {
class App;
}

namespace voxbit::client {

class Command {
 public:
  virtual ~Command() = default;
  // Declares the command's own arguments, bound to members of the command.
  virtual void Declare(CLI::App& app) = 0;
  // Its answer is one table, of which --columns chooses: Run calls Session::Choose.
  virtual bool HasColumns() const { return false; }
  virtual bool NeedsServer() const { return true; }
  // INVALID_ARGUMENT and INFEASIBLE become exit code 2, NOT_FOUND 3, UNAVAILABLE and
  // DEADLINE_EXCEEDED 4, anything else 1; an interrupted command 130.
  virtual Status Run(Session& session) = 0;
};

using CommandFactory = std::unique_ptr<Command> (*)();
// By "noun verb", or a single word.
using CommandRegistry = Registry<CommandFactory>;

void RegisterBuiltins(CommandRegistry& registry);

}  // namespace voxbit::client
