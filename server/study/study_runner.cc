#include "server/study/study_runner.h"

#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/log.h"
#include "server/study/report.h"

namespace voxbit::server {

using search::StudyPhase;
using search::StudyState;
using search::TaskKind;
using search::TaskState;

namespace {

// The result of the study's only task of a kind.
Result<search::TaskResult> DoneResult(const storage::Store& store, int64_t study_id,
                                      TaskKind kind) {
  VOXBIT_ASSIGN_OR_RETURN(const auto tasks, store.ListTasks(study_id, kind, TaskState::kDone));
  for (const search::Task& task : tasks) {
    if (task.trial_number == 0 && task.result.has_value()) return *task.result;
  }
  return FailedPrecondition("the study has no finished " + std::string(Name(kind)) + " yet");
}

// The digest that the profile found; "" when its worker names none.
Result<std::string> DatasetDigest(const storage::Store& store, int64_t study_id) {
  VOXBIT_ASSIGN_OR_RETURN(const auto result, DoneResult(store, study_id, TaskKind::kProfile));
  const auto digest = result.detail.find("dataset_digest");
  if (digest == result.detail.end() || !digest->is_string()) return std::string();
  return digest->get<std::string>();
}

// The settings of a dataset but for where it lies: equal ones may have equal digests.
Json WithoutRoot(Json dataset) {
  dataset.erase("root");
  return dataset;
}

// Data of one kind of settings has as many digests as it was changed or lies in different folders.
constexpr size_t kMaxEarlierChecks = 16;

// What the profiles of other studies have found in data of the same settings, the latest of each
// digest: those of the latest studies, kMaxEarlierChecks at most.
Result<Json> EarlierChecks(const storage::Store& store, const search::StudyConfig& config) {
  const Json wanted = WithoutRoot(config.dataset);
  std::map<std::string, Json> by_digest;
  VOXBIT_ASSIGN_OR_RETURN(const auto studies, store.ListStudies(0, 1'000'000));
  for (auto study = studies.rbegin(); study != studies.rend(); ++study) {
    if (by_digest.size() == kMaxEarlierChecks) break;
    if (WithoutRoot(study->config.dataset) != wanted) continue;
    VOXBIT_ASSIGN_OR_RETURN(Json overview, StudyDataOverview(store, study->id));
    if (!overview.is_object() || !overview.contains("digest")) continue;
    std::string digest = CanonicalJson(overview["digest"]);
    by_digest.emplace(std::move(digest), std::move(overview));
  }
  Json checks = Json::array();
  for (auto& [digest, overview] : by_digest) checks.push_back(std::move(overview));
  return checks;
}

// What a check warns of, for those who read the log only.
void LogDataWarnings(const std::string& study, const Json& overview) {
  const auto warnings = overview.is_object() ? overview.find("warnings") : overview.end();
  if (!overview.is_object() || warnings == overview.end()) return;
  for (const Json& warning : *warnings) {
    if (!warning.is_string()) continue;
    log::Warning("about the data", {{"study", study}, {"what", warning.get<std::string>()}});
  }
}

// "nothing was trained: ..."; empty when something was.
std::string WhyUntrained(const storage::Store& store, int64_t study_id) {
  const auto result = DoneResult(store, study_id, TaskKind::kTrainSupernet);
  if (!result.ok()) return "";
  const int64_t steps = result->detail.value("steps", int64_t{0});
  const int64_t left_out = result->detail.value("single_row_steps", int64_t{0});
  if (left_out == 0 || left_out < steps) return "";
  return "nothing was trained: a batch norm sees a single row of each of the " +
         std::to_string(left_out) + " training batches, and they were left out; a larger " +
         "train.batch is needed";
}

// "fine-tuning failed for 1 of 3 trials; trial 5: ..."; empty when none did.
Result<std::string> FinetuneFailures(const storage::Store& store, int64_t study_id) {
  VOXBIT_ASSIGN_OR_RETURN(const auto tasks,
                          store.ListTasks(study_id, TaskKind::kFinetune, std::nullopt));
  const search::Task* first = nullptr;
  int64_t num_failed = 0;
  for (const search::Task& task : tasks) {
    if (task.state != TaskState::kFailed) continue;
    if (first == nullptr) first = &task;
    ++num_failed;
  }
  if (first == nullptr) return std::string();
  return "fine-tuning failed for " + std::to_string(num_failed) + " of " +
         std::to_string(tasks.size()) + " trials; " + (num_failed > 1 ? "the first, " : "") +
         "trial " + std::to_string(first->trial_number) + ": " + first->message;
}

}  // namespace

Result<Json> StudyDataOverview(const storage::Store& store, int64_t study_id) {
  VOXBIT_ASSIGN_OR_RETURN(const auto tasks,
                          store.ListTasks(study_id, TaskKind::kProfile, TaskState::kDone));
  for (const search::Task& task : tasks) {
    if (task.result.has_value()) return task.result->detail.value("check", Json());
  }
  return Json();
}

Result<search::Workload> StudyWorkload(const storage::Store& store, int64_t study_id) {
  VOXBIT_ASSIGN_OR_RETURN(const auto result, DoneResult(store, study_id, TaskKind::kProfile));
  return search::ParseWorkload(result.detail.value("workload", result.detail));
}

Result<TaskInputs> StudyInputs(const storage::Store& store, int64_t study_id) {
  TaskInputs inputs;
  VOXBIT_ASSIGN_OR_RETURN(inputs.dataset_digest, DatasetDigest(store, study_id));
  VOXBIT_ASSIGN_OR_RETURN(const auto result, DoneResult(store, study_id, TaskKind::kTrainSupernet));
  const auto it = result.artifacts.find("checkpoint");
  if (it == result.artifacts.end()) return DataLoss("the training task has no checkpoint");
  inputs.checkpoint = it->second;
  return inputs;
}

Result<std::unique_ptr<StudyRunner>> StudyRunner::Create(int64_t study_id, storage::Store& store,
                                                         const Plugins& plugins) {
  VOXBIT_ASSIGN_OR_RETURN(const search::Study study, store.GetStudy(study_id));
  VOXBIT_ASSIGN_OR_RETURN(const Json config, ParseJson(study.config_json));
  VOXBIT_ASSIGN_OR_RETURN(auto plan, StudyPlan::Create(config, "", plugins));
  return std::unique_ptr<StudyRunner>(new StudyRunner(study_id, store, plugins, std::move(plan)));
}

StudyRunner::StudyRunner(int64_t study_id, storage::Store& store, const Plugins& plugins,
                         std::unique_ptr<StudyPlan> plan)
    : study_id_(study_id), store_(store), plugins_(plugins), plan_(std::move(plan)) {}

Result<StudyRunner::Outcome> StudyRunner::Step() {
  VOXBIT_ASSIGN_OR_RETURN(const search::Study study, store_.GetStudy(study_id_));
  if (search::IsFinal(study.state)) return Outcome::kEnded;
  if (study.state == StudyState::kPaused) return Outcome::kWaiting;
  if (study.resumed_ms != resumed_ms_) {
    // It may have been stopped and tried again since the last step: its trials are others now.
    algorithm_.reset();
    why_exhausted_.reset();
    resumed_ms_ = study.resumed_ms;
  }
  switch (study.phase) {
    case StudyPhase::kProfile:
      return StepProfile();
    case StudyPhase::kTrain:
      return StepTrain();
    case StudyPhase::kSearch:
      return StepSearch();
    case StudyPhase::kFinetune:
      return StepFinetune();
    case StudyPhase::kFinished:
      return Finish();
  }
  return Internal("study in an unknown phase");
}

Result<search::Task> StudyRunner::EnsureTask(const search::TaskSpec& spec) {
  VOXBIT_ASSIGN_OR_RETURN(const int64_t id, store_.AppendTask(study_id_, 0, spec));
  return store_.GetTask(id);
}

Result<search::Task> StudyRunner::EnsureProfile() {
  VOXBIT_ASSIGN_OR_RETURN(const auto tasks,
                          store_.ListTasks(study_id_, TaskKind::kProfile, std::nullopt));
  if (!tasks.empty()) return tasks.back();
  VOXBIT_ASSIGN_OR_RETURN(const Json checks, EarlierChecks(store_, plan_->config()));
  return EnsureTask(plan_->ProfileTask(checks));
}

Result<StudyRunner::Outcome> StudyRunner::StepProfile() {
  VOXBIT_ASSIGN_OR_RETURN(const search::Task task, EnsureProfile());
  if (task.state == TaskState::kFailed) return Fail("profile: " + task.message);
  if (task.state != TaskState::kDone) return Outcome::kWaiting;
  VOXBIT_ASSIGN_OR_RETURN(const search::Workload workload, StudyWorkload(store_, study_id_));
  const auto proof = plan_->MakeFilter(&workload);
  if (!proof.ok()) return Fail(proof.status().message());
  VOXBIT_ASSIGN_OR_RETURN(const Json overview, StudyDataOverview(store_, study_id_));
  LogDataWarnings(plan_->config().name, overview);
  VOXBIT_RETURN_IF_ERROR(store_.SetPhase(study_id_, StudyPhase::kTrain));
  return Outcome::kProgressed;
}

Result<StudyRunner::Outcome> StudyRunner::StepTrain() {
  TaskInputs inputs;
  VOXBIT_ASSIGN_OR_RETURN(inputs.dataset_digest, DatasetDigest(store_, study_id_));
  VOXBIT_ASSIGN_OR_RETURN(const search::Task task, EnsureTask(plan_->TrainTask(inputs)));
  if (task.state == TaskState::kFailed) return Fail("train_supernet: " + task.message);
  if (task.state != TaskState::kDone) return Outcome::kWaiting;
  VOXBIT_RETURN_IF_ERROR(store_.RemoveRivals(task.id));
  VOXBIT_RETURN_IF_ERROR(store_.SetPhase(study_id_, StudyPhase::kSearch));
  return Outcome::kProgressed;
}

Result<bool> StudyRunner::PrepareSearch() {
  if (algorithm_ != nullptr) return true;
  VOXBIT_ASSIGN_OR_RETURN(workload_, StudyWorkload(store_, study_id_));
  VOXBIT_ASSIGN_OR_RETURN(inputs_, StudyInputs(store_, study_id_));
  const search::StudyConfig& config = plan_->config();
  auto filter = plan_->MakeFilter(&workload_);
  if (!filter.ok()) {
    VOXBIT_ASSIGN_OR_RETURN([[maybe_unused]] const Outcome ended, Fail(filter.status().message()));
    return false;
  }
  filter_ = std::move(filter).value();
  VOXBIT_ASSIGN_OR_RETURN(const auto kind, plugins_.algorithms.Find(config.search.algorithm));
  auto algorithm = kind.make({.space = plan_->spec().space(),
                              .filter = *filter_,
                              .objectives = config.objectives,
                              .constraints = config.constraints,
                              .settings = config.search,
                              .rng = Rng(config.seed).Fork(config.search.algorithm),
                              .layers = filter_.get()});
  VOXBIT_ASSIGN_OR_RETURN(const auto state, store_.LoadAlgorithmState(study_id_));
  told_sequence_ = state.has_value() ? state->told_sequence : 0;
  if (state.has_value()) VOXBIT_RETURN_IF_ERROR(algorithm->Load(state->blob));
  algorithm_ = std::move(algorithm);
  return true;
}

// Results are told one after the other in their recorded order, and after each is asked for what
// may be proposed then. So proposals follow from that order alone: it does not matter how many
// results came between two steps, nor when the server was killed.
Result<StudyRunner::Outcome> StudyRunner::StepSearch() {
  VOXBIT_ASSIGN_OR_RETURN(const bool prepared, PrepareSearch());
  if (!prepared) return Outcome::kEnded;
  VOXBIT_ASSIGN_OR_RETURN(const auto finished, store_.TrialsAfter(study_id_, told_sequence_));
  VOXBIT_ASSIGN_OR_RETURN(const storage::TrialCounts counts, store_.CountTrials(study_id_));
  std::vector<search::Proposal> asked;
  Ask(counts.proposed, asked);
  for (const search::Trial& trial : finished) {
    algorithm_->Tell({&trial, 1});
    told_sequence_ = trial.sequence;
    Ask(counts.proposed, asked);
  }
  if (!asked.empty()) {
    VOXBIT_RETURN_IF_ERROR(Append(asked));
    return Outcome::kProgressed;
  }
  if (told_sequence_ < counts.proposed) return Outcome::kWaiting;
  if (counts.proposed < plan_->config().search.trials && !why_exhausted_) return Outcome::kWaiting;
  if (counts.proposed == 0) return Fail("no trial was proposed: " + *why_exhausted_);
  if (counts.succeeded == 0) {
    return Fail("none of " + std::to_string(counts.proposed) +
                " trials succeeded; see 'trial list'");
  }
  const int64_t wanted = plan_->config().search.trials;
  std::string early;
  if (counts.proposed < wanted) {
    early = "the search ended after " + std::to_string(counts.proposed) + " of " +
            std::to_string(wanted) + " trials: " + *why_exhausted_;
  }
  VOXBIT_RETURN_IF_ERROR(store_.SetPhase(study_id_, StudyPhase::kFinetune, early));
  return Outcome::kProgressed;
}

void StudyRunner::Ask(int64_t num_proposed, std::vector<search::Proposal>& asked) {
  if (why_exhausted_) return;
  const search::SearchSettings& settings = plan_->config().search;
  const int64_t proposed = num_proposed + static_cast<int64_t>(asked.size());
  // Sequences have no gaps: the last one told is how many were.
  const int64_t in_flight = proposed - told_sequence_;
  const int64_t wanted = std::min(settings.trials - proposed, settings.MaxInFlight() - in_flight);
  if (wanted <= 0) return;
  search::AskResult answer = algorithm_->Ask(wanted);
  if (answer.exhausted && answer.proposals.empty()) {
    why_exhausted_ = answer.why;
    log::Info("the search ends before its last trial",
              {{"study", plan_->config().name}, {"why", answer.why}});
  }
  std::move(answer.proposals.begin(), answer.proposals.end(), std::back_inserter(asked));
}

Status StudyRunner::Append(const std::vector<search::Proposal>& asked) {
  std::vector<storage::NewTrial> trials;
  for (const search::Proposal& proposal : asked) {
    storage::NewTrial trial;
    trial.candidate = proposal.candidate;
    trial.digest = search::CandidateDigest(plan_->spec().space().digest(), proposal.candidate);
    trial.origin = proposal.origin;
    trial.costs = filter_->Costs(proposal.candidate);
    for (search::TaskSpec& spec : plan_->TrialTasks(proposal.candidate, inputs_)) {
      trial.tasks.push_back({std::move(spec)});
    }
    trials.push_back(std::move(trial));
  }
  Status appended = store_.Write([&]() -> Status {
    VOXBIT_ASSIGN_OR_RETURN(const search::Study study, store_.GetStudy(study_id_));
    // Tried again while the algorithm was asked: the next step asks anew.
    if (study.resumed_ms != resumed_ms_) return OkStatus();
    return store_
        .AppendTrials(study_id_, trials,
                      {.blob = algorithm_->Save(), .told_sequence = told_sequence_})
        .status();
  });
  if (!appended.ok()) {
    // What was asked for is not on disk: forget it, so that the next step asks the same again.
    algorithm_.reset();
    why_exhausted_.reset();
  }
  return appended;
}

Result<StudyRunner::Outcome> StudyRunner::StepFinetune() {
  const search::StudyConfig& config = plan_->config();
  VOXBIT_ASSIGN_OR_RETURN(auto trials, store_.ListTrials(study_id_, {}));
  VOXBIT_ASSIGN_OR_RETURN(const TaskInputs inputs, StudyInputs(store_, study_id_));
  const auto top = static_cast<size_t>(config.finetune.top);
  bool waiting = false;
  for (const search::Trial& trial :
       BestTrials(std::move(trials), config.objectives, config.constraints, top)) {
    VOXBIT_ASSIGN_OR_RETURN(
        const int64_t id,
        store_.AppendTask(study_id_, trial.number, plan_->FinetuneTask(trial.candidate, inputs)));
    VOXBIT_ASSIGN_OR_RETURN(const search::Task task, store_.GetTask(id));
    waiting = waiting || task.state == TaskState::kQueued || task.state == TaskState::kLeased;
    // A fine-tuning that fails costs its refinement, not the study's results.
  }
  if (waiting) return Outcome::kWaiting;
  VOXBIT_RETURN_IF_ERROR(store_.SetPhase(study_id_, StudyPhase::kFinished));
  return Outcome::kProgressed;
}

Result<StudyRunner::Outcome> StudyRunner::Finish() {
  const search::StudyConfig& config = plan_->config();
  VOXBIT_ASSIGN_OR_RETURN(
      const auto trials,
      store_.ListTrials(study_id_, {.states = {search::TrialState::kSucceeded}}));
  VOXBIT_ASSIGN_OR_RETURN(const search::Study study, store_.GetStudy(study_id_));
  // Kept even if nobody has looked at the study while it ran.
  VOXBIT_RETURN_IF_ERROR(
      KeepReference(store_, study, FirstScores(trials, config.objectives, config)).status());
  VOXBIT_ASSIGN_OR_RETURN(const std::string untuned, FinetuneFailures(store_, study_id_));
  std::vector<std::string> shortcomings = {
      WhyUntrained(store_, study_id_), WhyNoFront(trials, config.objectives, config.constraints),
      untuned};
  std::erase(shortcomings, "");
  const std::string lacking = boost::algorithm::join(shortcomings, "; ");
  if (!study.message.empty()) shortcomings.push_back(study.message);
  VOXBIT_ASSIGN_OR_RETURN([[maybe_unused]] const search::Study moved,
                          store_.MoveStudy(study_id_, StudyState::kCompleted,
                                           boost::algorithm::join(shortcomings, "; ")));
  if (lacking.empty()) {
    log::Info("study completed", {{"study", config.name}});
  } else {
    log::Warning("study completed, but not all of it", {{"study", config.name}, {"why", lacking}});
  }
  return Outcome::kEnded;
}

Result<StudyRunner::Outcome> StudyRunner::Fail(const std::string& message) {
  VOXBIT_ASSIGN_OR_RETURN([[maybe_unused]] const search::Study study,
                          store_.MoveStudy(study_id_, StudyState::kFailed, message));
  log::Error("study failed", {{"study", plan_->config().name}, {"why", message}});
  return Outcome::kEnded;
}

}  // namespace voxbit::server
