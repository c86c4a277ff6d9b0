#include "client/commands/study_change.h"

namespace voxbit::client {

std::unique_ptr<Command> MakeStudyResume() { return MakeStudyChange(&Api::ResumeStudy); }

}  // namespace voxbit::client
