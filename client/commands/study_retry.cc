#include "client/commands/study_change.h"

namespace voxbit::client {

std::unique_ptr<Command> MakeStudyRetry() { return MakeStudyChange(&Api::RetryStudy); }

}  // namespace voxbit::client
