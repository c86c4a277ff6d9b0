#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/algorithm/string/split.hpp>

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
        ->option_text("STATE");
    app.add_option("--sort", sort_,
                   "best first by this metric, e.g. miou or latency_ms[local], after fine-tuning "
                   "where it took place [default: by number]")
        ->option_text("METRIC");
    app.add_option("--limit", limit_, "at most so many trials, the first ones [default: all]")
        ->check(CLI::PositiveNumber)
        ->option_text("N");
  }

  bool HasColumns() const override { return true; }

  Status Run(Session& session) override {
    std::vector<search::TrialState> states;
    std::vector<std::string> names;
    if (!states_.empty()) boost::algorithm::split(names, states_, [](char c) { return c == ','; });
    for (const std::string& name : names) {
      const Result<search::TrialState> state = search::ParseTrialState(name);
      if (!state.ok()) return state.status().Annotate("--state");
      states.push_back(*state);
    }
    VOXBIT_ASSIGN_OR_RETURN(const v1::Study study, session.api().GetStudy(study_));
    VOXBIT_ASSIGN_OR_RETURN(std::vector<search::Trial> trials,
                            session.api().ListTrials(study_, states, sort_.empty() ? limit_ : 0));
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
    if (limit_ > 0 && trials.size() > static_cast<size_t>(limit_)) {
      trials.resize(static_cast<size_t>(limit_));
    }
    Json json = Json::array();
    for (const search::Trial& trial : trials) json.push_back(ToJson(trial));
    VOXBIT_ASSIGN_OR_RETURN(const Table table, session.Choose(TrialTable(trials, keys)));
    session.Print(table, json);
    if (trials.empty()) session.Note("no trial of " + study_ + " matches");
    return OkStatus();
  }

 private:
  std::string study_;
  std::string states_;  // with commas
  std::string sort_;
  int64_t limit_ = 0;  // 0: all
};

}  // namespace

std::unique_ptr<Command> MakeTrialList() { return std::make_unique<TrialList>(); }

}  // namespace voxbit::client
