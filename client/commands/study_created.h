// What commands say that make a study.
#pragma once

#include "client/session.h"

namespace voxbit::client {

// `study` was created; its name for people, all of it for programs.
Status TellCreated(Session& session, const v1::Study& study);
// `study` could be created.
Status TellValid(Session& session, const v1::Study& study);

}  // namespace voxbit::client
