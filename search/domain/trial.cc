#include "search/domain/trial.h"

#include "search/domain/name_table.h"

namespace voxbit::search {
namespace {

constexpr std::array<NameRow<TrialState>, 6> kTrialStates = {{
    {TrialState::kPending, "pending"},
    {TrialState::kRunning, "running"},
    {TrialState::kSucceeded, "succeeded"},
    {TrialState::kInfeasible, "infeasible"},
    {TrialState::kFailed, "failed"},
    {TrialState::kCancelled, "cancelled"},
}};

}  // namespace

std::string_view Name(TrialState state) { return NameIn(kTrialStates, state); }

Result<TrialState> ParseTrialState(std::string_view name) {
  return ParseIn(kTrialStates, "trial state", name);
}

}  // namespace voxbit::search
