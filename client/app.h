// search-client without its main: arguments in, exit code out.
#pragma once

#include <string>
#include <vector>

#include "client/session.h"
#include "common/status.h"

namespace voxbit::client {

// Exit codes that scripts may rely on.
enum ExitCode : int {
  kExitDone = 0,
  kExitFailed = 1,
  kExitUsage = 2,  // wrong usage or configuration
  kExitNotFound = 3,
  kExitUnreachable = 4,  // no server there, or no answer in time
  kExitTimedOut = 124,   // as timeout(1) has it
  kExitInterrupted = 130,
};

// Reason of a status that says that what was waited for did not come.
inline constexpr char kTimedOut[] = "TIMED_OUT";

ExitCode ExitCodeOf(const Status& status, bool interrupted);

// Runs one command line; `arguments` without the program's name. Nothing is thrown.
ExitCode RunClient(const std::vector<std::string>& arguments, const Surroundings& surroundings);

}  // namespace voxbit::client
