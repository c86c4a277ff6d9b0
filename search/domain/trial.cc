#include "search/domain/trial.h"

#include "search/domain/name_table.h"

namespace voxbit::search {
namespace {

constexpr std::array<NameRow<TrialState>, 6> kStates = {{
    {TrialState::kPending, "pending"},
    {TrialState::kRunning, "running"},
    {TrialState::kSucceeded, "succeeded"},
    {TrialState::kInfeasible, "infeasible"},
    {TrialState::kFailed, "failed"},
    {TrialState::kCancelled, "cancelled"},
}};

}  // namespace

std::string_view Name(TrialState state) { return NameIn(kStates, state); }

Result<TrialState> ParseTrialState(std::string_view name) {
  return ParseIn(kStates, "trial state", name);
}

}  // namespace voxbit::search
