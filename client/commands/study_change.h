// What pause, resume, stop and retry have in common.
#pragma once

#include <memory>
#include <string>

#include "client/commands/command.h"

namespace voxbit::client {

using StudyCall = Result<v1::Study> (Api::*)(const std::string& name);

// A command that makes one call for the study that the user names and says what became of it.
std::unique_ptr<Command> MakeStudyChange(StudyCall call);

}  // namespace voxbit::client
