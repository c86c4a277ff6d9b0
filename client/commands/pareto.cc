#include <CLI/CLI.hpp>
#include <boost/algorithm/string/case_conv.hpp>
#include <filesystem>

#include "client/commands/command.h"
#include "client/view/study_view.h"
#include "client/view/trial_view.h"
#include "common/files.h"

namespace voxbit::client {
namespace {

struct Axes {
  std::string x;
  std::string y;
};

class Pareto final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("study", study_, "name of the study")->required()->option_text("STUDY");
    app.add_option("--x", x_,
                   "compare by this metric and --y instead of by the study's objectives; the "
                   "picture's x axis")
        ->option_text("METRIC");
    app.add_option("--y", y_,
                   "the other metric [default for the picture: of the first two objectives, the "
                   "one where more is better]")
        ->option_text("METRIC");
    CLI::Option* plot =
        app.add_option("--plot", plot_,
                       "write the front and the trials it was compared with as a picture, in SVG")
            ->option_text("FILE.svg");
    app.add_flag("--log-x", log_x_, "logarithmic x axis in the picture")->needs(plot);
    app.add_flag("--log-y", log_y_, "logarithmic y axis in the picture")->needs(plot);
  }

  bool HasColumns() const override { return true; }

  Status Run(Session& session) override {
    if (!plot_.empty()) VOXBIT_RETURN_IF_ERROR(CheckPlot().Annotate("--plot"));
    std::vector<std::string> metrics;
    std::vector<std::string> objectives;
    VOXBIT_ASSIGN_OR_RETURN(const v1::Study study, session.api().GetStudy(study_));
    objectives = ObjectiveKeys(study);
    if (!x_.empty() || !y_.empty()) {
      VOXBIT_ASSIGN_OR_RETURN(const std::vector<search::Trial> succeeded,
                              session.api().ListTrials(study_, {search::TrialState::kSucceeded}));
      VOXBIT_ASSIGN_OR_RETURN(const Axes axes, ChosenAxes(objectives, MetricKeys(succeeded, {})));
      metrics = {axes.x, axes.y};
      if (axes.x == axes.y) return InvalidArgument("--x and --y: two different metrics are right");
    }
    VOXBIT_ASSIGN_OR_RETURN(const Api::Front front, session.api().GetFront(study_, metrics));
    Json json = ToJson(front);
    json["study"] = study_;
    json["succeeded"] = study.progress().trials_succeeded();
    VOXBIT_ASSIGN_OR_RETURN(const Table table, session.Choose(FrontTable(front)));
    session.Print(table, json);
    session.Note(FrontSummary(front));
    if (plot_.empty()) return OkStatus();
    return WritePlot(
        session, front,
        metrics.empty() ? DefaultAxes(front, objectives) : Axes{metrics[0], metrics[1]});
  }

 private:
  // "latency_ms" stands for "latency_ms[local]" when the study has it as an objective, or when it
  // was measured on that target only. Before the first trial has succeeded any name will do.
  static Result<std::string> Completed(const std::string& name,
                                       const std::vector<std::string>& objectives,
                                       const std::vector<std::string>& measured) {
    const Result<std::string> objective = ResolveMetric(name, objectives);
    const std::string& key = objective.ok() ? *objective : name;
    return measured.empty() ? key : ResolveMetric(key, measured);
  }

  Result<Axes> ChosenAxes(const std::vector<std::string>& objectives,
                          const std::vector<std::string>& measured) const {
    VOXBIT_ASSIGN_OR_RETURN(const std::string given,
                            Completed(x_.empty() ? y_ : x_, objectives, measured));
    std::string other = y_;
    if (x_.empty() || y_.empty()) {
      other = given == "params" ? "macs" : "params";
      for (auto it = objectives.rbegin(); it != objectives.rend(); ++it) {
        if (*it != given) other = *it;
      }
    }
    VOXBIT_ASSIGN_OR_RETURN(other, Completed(other, objectives, measured));
    return x_.empty() ? Axes{other, given} : Axes{given, other};
  }

  // The study's first two objectives; a single one against the size of the network. What should
  // be high goes up.
  static Axes DefaultAxes(const Api::Front& front, std::vector<std::string> objectives) {
    if (objectives.empty()) objectives = front.metrics;
    if (objectives.empty()) objectives = {"miou"};
    if (objectives.size() == 1) {
      objectives.insert(objectives.begin(), objectives[0] == "params" ? "macs" : "params");
    }
    Axes axes{objectives[0], objectives[1]};
    const auto higher = [](const std::string& key) {
      return AxisOf(key).direction == search::Direction::kHigher;
    };
    if (higher(axes.x) && !higher(axes.y)) std::swap(axes.x, axes.y);
    return axes;
  }

  // Whether the picture can be written, before anything is asked for.
  Status CheckPlot() const {
    const std::filesystem::path path(plot_);
    const std::string ending = boost::algorithm::to_lower_copy(path.extension().string());
    if (ending != ".svg") {
      return InvalidArgument(plot_ +
                             " does not end in .svg: pictures are written as SVG, which "
                             "browsers show and rsvg-convert or Inkscape turn into PNG and PDF");
    }
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return InvalidArgument(plot_ + " is a folder");
    return CheckFolderWritable(path.parent_path().string());
  }

  Status WritePlot(Session& session, const Api::Front& front, const Axes& axes) const {
    ScatterPlot plot = FrontPlot(study_, front, axes.x, axes.y);
    plot.x.is_log = log_x_;
    plot.y.is_log = log_y_;
    const size_t trials = front.trials.size() + front.dominated.size();
    const size_t points = plot.front.size() + plot.dominated.size();
    const std::string folder = std::filesystem::path(plot_).parent_path().string();
    if (!folder.empty()) VOXBIT_RETURN_IF_ERROR(MakeFolders(folder).Annotate("--plot"));
    VOXBIT_RETURN_IF_ERROR(WriteFileAtomically(plot_, RenderSvg(plot)).Annotate("--plot"));
    std::string note = "wrote " + plot_;
    if (points < trials) {
      note += "; " + std::to_string(trials - points) + " trials lack " + axes.x + " or " + axes.y;
    }
    if (const size_t hidden = NumHidden(plot); hidden > 0) {
      note += "; " + std::to_string(hidden) +
              " trials have a value of 0 or less, which no logarithmic axis shows";
    }
    session.Note(note, {{"file", plot_}});
    return OkStatus();
  }

  std::string study_;
  std::string x_;
  std::string y_;
  std::string plot_;
  bool log_x_ = false;
  bool log_y_ = false;
};

}  // namespace

std::unique_ptr<Command> MakePareto() { return std::make_unique<Pareto>(); }

}  // namespace voxbit::client
