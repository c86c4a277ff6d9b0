#include "client/commands/study_change.h"

namespace voxbit::client {

std::unique_ptr<Command> MakeStudyStop() { return MakeStudyChange(&Api::StopStudy); }

}  // namespace voxbit::client
