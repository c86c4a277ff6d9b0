#include <CLI/CLI.hpp>
#include <algorithm>

#include "client/commands/command.h"
#include "client/view/study_view.h"
#include "client/view/trial_view.h"

namespace voxbit::client {
namespace {

class TrialList final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("study", study_, "name of the study")->required()->option_text("STUDY");
    app.add_option("--state", states_,
                   "only trials in these states: pending, running, succeeded, infeasible, failed, "
                   "cancelled; several with commas [default: all]")
        ->delimiter(',')
        ->option_text("STATE");
    app.add_option("--sort", sort_,
                   "best first by this metric, e.g. miou or latency_ms[local], after fine-tuning "
                   "where it took place [default: by number]")
        ->option_text("METRIC");
  }

  Status Run(Session& session) override {
    std::vector<search::TrialState> states;
    for (const std::string& name : states_) {
      const Result<search::TrialState> state = search::ParseTrialState(name);
      if (!state.ok()) return state.status().Annotate("--state");
      states.push_back(*state);
    }
    VOXBIT_ASSIGN_OR_RETURN(const v1::Study study, session.api().GetStudy(study_));
    VOXBIT_ASSIGN_OR_RETURN(std::vector<search::Trial> trials,
                            session.api().ListTrials(study_, states));
    const std::vector<std::string> keys = MetricKeys(trials, ObjectiveKeys(study));
    if (!sort_.empty() && !trials.empty()) {
      // An objective is known before its first measurement is in.
      std::vector<std::string> known = keys;
      for (const std::string& objective : ObjectiveKeys(study)) {
        if (std::find(keys.begin(), keys.end(), objective) == keys.end()) {
          known.push_back(objective);
        }
      }
      const Result<std::string> key = ResolveMetric(sort_, known);
      if (!key.ok()) return key.status().Annotate("--sort");
      SortByMetric(*key, trials);
    }
    Json json = Json::array();
    for (const search::Trial& trial : trials) json.push_back(ToJson(trial));
    session.Print(TrialTable(trials, keys), json);
    if (trials.empty()) session.Note("no trial of " + study_ + " matches");
    return OkStatus();
  }

 private:
  std::string study_;
  std::vector<std::string> states_;
  std::string sort_;
};

}  // namespace

std::unique_ptr<Command> MakeTrialList() { return std::make_unique<TrialList>(); }

}  // namespace voxbit::client
