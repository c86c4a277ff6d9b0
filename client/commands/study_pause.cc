#include "client/commands/study_change.h"

namespace voxbit::client {

std::unique_ptr<Command> MakeStudyPause() { return MakeStudyChange(&Api::PauseStudy); }

}  // namespace voxbit::client
