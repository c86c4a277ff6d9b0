// Moves one study through its life: profile, train, search, fine-tune, finished.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/status.h"
#include "search/algorithm/algorithm.h"
#include "search/algorithm/feasibility.h"
#include "server/study/study_plan.h"
#include "storage/store.h"

namespace voxbit::server {

// Not thread-safe: one thread steps it. What it knows is in the store; an object made anew after
// a crash goes on where the old one stood and proposes the same candidates.
class StudyRunner {
 public:
  // `store` and `plugins` outlive the runner. INVALID_ARGUMENT when the stored configuration is
  // not understood by this version.
  static Result<std::unique_ptr<StudyRunner>> Create(int64_t study_id, storage::Store& store,
                                                     const Plugins& plugins);

  enum class Outcome { kWaiting, kProgressed, kEnded };
  // Does what can be done now, without waiting for anything. An error is the store's and worth
  // another try; a study that cannot go on is moved to `failed` instead.
  Result<Outcome> Step();

 private:
  StudyRunner(int64_t study_id, storage::Store& store, const Plugins& plugins,
              std::unique_ptr<StudyPlan> plan);

  Result<Outcome> StepProfile();
  Result<Outcome> StepTrain();
  Result<Outcome> StepSearch();
  Result<Outcome> StepFinetune();
  Result<Outcome> Finish();
  Result<Outcome> Fail(const std::string& message);

  // The study's profile: as it is in the store, else added with what is known of its data.
  Result<search::Task> EnsureProfile();
  // The study's own task of this spec: added if it is not there.
  Result<search::Task> EnsureTask(const search::TaskSpec& spec);
  // Workload, filter, checkpoint and algorithm, restored from the store. False: the study has
  // failed.
  Result<bool> PrepareSearch();
  // Asks for as many candidates as may be under way now, `num_proposed` having been proposed.
  void Ask(int64_t num_proposed, std::vector<search::Proposal>& asked);
  Status Append(const std::vector<search::Proposal>& asked);

  const int64_t study_id_;
  storage::Store& store_;
  const Plugins& plugins_;
  const std::unique_ptr<StudyPlan> plan_;

  search::Workload workload_;
  TaskInputs inputs_;
  std::unique_ptr<search::CostFilter> filter_;
  std::unique_ptr<search::Algorithm> algorithm_;
  int64_t told_sequence_ = 0;
  int64_t resumed_ms_ = 0;                    // of the study, as the algorithm knows it
  std::optional<std::string> why_exhausted_;  // no further candidate comes
};

// Facts of a study that its finished tasks hold, for reports and exports.
// FAILED_PRECONDITION while the step has not been done.
Result<search::Workload> StudyWorkload(const storage::Store& store, int64_t study_id);
// What the check of the study's data has found (worker/data/check.h); null before it, and for
// studies of versions that had none.
Result<Json> StudyDataOverview(const storage::Store& store, int64_t study_id);
// Requires, beyond the profile, a finished training.
Result<TaskInputs> StudyInputs(const storage::Store& store, int64_t study_id);

}  // namespace voxbit::server
