#include "client/commands/command.h"

namespace voxbit::client {

#define VOXBIT_COMMAND(name, factory, help) std::unique_ptr<Command> factory();
#include "client/commands/builtin.def"
#undef VOXBIT_COMMAND

void RegisterBuiltins(CommandRegistry& registry) {
#define VOXBIT_COMMAND(name, factory, help) registry.Add(name, factory, help);
#include "client/commands/builtin.def"
#undef VOXBIT_COMMAND
}

}  // namespace voxbit::client
