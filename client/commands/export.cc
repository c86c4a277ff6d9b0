#include <CLI/CLI.hpp>
#include <utility>

#include "client/commands/command.h"
#include "client/format/text.h"
#include "client/rpc/bundle.h"
#include "client/view/study_view.h"
#include "client/view/trial_view.h"
#include "common/files.h"
#include "search/domain/objective.h"
#include "search/domain/study.h"

namespace voxbit::client {
namespace {

constexpr Milliseconds kFirstPoll{100};
constexpr Milliseconds kLastPoll{1'000};
constexpr int64_t kQueuedHintMs = 10'000;

struct Written {
  int64_t trial = 0;
  Bundle bundle;
};

class Export final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("study", study_, "name of the study")->required()->option_text("STUDY");
    CLI::Option_group* which = app.add_option_group("Which trials", "exactly one of these");
    which->add_option("--trial", trial_, "this succeeded trial")
        ->check(CLI::PositiveNumber)
        ->option_text("N");
    which
        ->add_option("--best", best_,
                     "the succeeded trial with the best value of this metric, after fine-tuning "
                     "where it took place")
        ->option_text("METRIC");
    which->add_flag("--pareto", pareto_, "every trial of the study's front");
    which->require_option(1);
    app.add_option("--out", out_, "folder for the bundles; it is made if needed")
        ->required()
        ->option_text("DIR");
    app.footer(
        "Each bundle is DIR/STUDY-N with manifest.json, weights.safetensors and, for a network "
        "with quantized layers, its packed file weights.vxb.");
  }

  Status Run(Session& session) override {
    // Before a worker computes what could not be kept.
    VOXBIT_RETURN_IF_ERROR(CheckFolderWritable(out_).Annotate("--out"));
    VOXBIT_ASSIGN_OR_RETURN(const std::vector<int64_t> trials, Chosen(session));
    // All are queued first, so that several workers can share the work.
    std::vector<v1::Export> exports;
    for (const int64_t trial : trials) {
      Result<v1::Export> created = session.api().CreateExport(study_, trial);
      if (!created.ok()) return created.status().Annotate("trial " + std::to_string(trial));
      exports.push_back(std::move(created).value());
    }
    std::vector<Written> written;
    std::vector<Status> failures;
    for (const v1::Export& queued : exports) {
      Result<Bundle> bundle = Fetch(session, queued);
      if (bundle.ok()) {
        written.push_back({queued.trial_number(), std::move(bundle).value()});
        continue;
      }
      failures.push_back(
          bundle.status().Annotate("trial " + std::to_string(queued.trial_number())));
      if (session.interrupted() || bundle.status().code() == StatusCode::kUnavailable) break;
      if (exports.size() > 1) session.Fail(failures.back());
    }
    if (!written.empty()) Report(session, written);
    return Outcome(exports.size(), failures);
  }

 private:
  Result<std::vector<int64_t>> Chosen(Session& session) const {
    if (trial_ != 0) return std::vector<int64_t>{trial_};
    std::vector<int64_t> numbers;
    if (pareto_) {
      VOXBIT_ASSIGN_OR_RETURN(const Api::Front front, session.api().GetFront(study_, {}));
      for (const search::Trial& trial : front.trials) numbers.push_back(trial.number);
      if (numbers.empty())
        return FailedPrecondition("study " + study_ + ": no succeeded trial yet");
      return numbers;
    }
    VOXBIT_ASSIGN_OR_RETURN(std::vector<search::Trial> trials,
                            session.api().ListTrials(study_, {search::TrialState::kSucceeded}));
    if (trials.empty()) return FailedPrecondition("study " + study_ + ": no succeeded trial yet");
    VOXBIT_RETURN_IF_ERROR(KeepAllowed(session, trials));
    const Result<std::string> key = ResolveMetric(best_, MetricKeys(trials, {}));
    if (!key.ok()) return key.status().Annotate("--best");
    SortByMetric(*key, trials);
    const double value = FinalValue(trials.front(), *key).value_or(0);
    session.Note("trial " + std::to_string(trials.front().number) + " has the best " + *key + ": " +
                 HumanMetric(MetricName(*key), value));
    return std::vector<int64_t>{trials.front().number};
  }

  // A trial that breaks a constraint on what was measured has succeeded, but nobody wants it.
  Status KeepAllowed(Session& session, std::vector<search::Trial>& trials) const {
    VOXBIT_ASSIGN_OR_RETURN(const v1::Study study, session.api().GetStudy(study_));
    VOXBIT_ASSIGN_OR_RETURN(const Json config, ParseJson(study.config_json()));
    const auto found = config.find("constraints");
    if (found == config.end()) return OkStatus();
    VOXBIT_ASSIGN_OR_RETURN(const auto constraints,
                            search::ParseConstraints(*found, "/constraints"));
    std::erase_if(trials, [&](const search::Trial& trial) {
      return search::TotalViolation(constraints, trial.measured) > 0;
    });
    if (!trials.empty()) return OkStatus();
    return FailedPrecondition("study " + study_ + ": no trial meets the constraints");
  }

  Result<Bundle> Fetch(Session& session, const v1::Export& queued) const {
    VOXBIT_ASSIGN_OR_RETURN(const v1::Export exported, AwaitExport(session, queued));
    const bool live = session.surroundings().terminal.err_is_terminal && !session.options().quiet &&
                      !session.options().json_log;
    std::ostream& err = session.surroundings().err;
    const Result<Bundle> bundle = DownloadBundle(
        session.api(), exported, out_, [&](const std::string& file, int64_t done, int64_t size) {
          if (!live) return;
          const double fraction =
              size > 0 ? static_cast<double>(done) / static_cast<double>(size) : 1.0;
          err << "\r"
              << Clip(OneLine(file) + "  " + Bar(fraction, 24) + "  " +
                          HumanBytes(static_cast<double>(done)) + " of " +
                          HumanBytes(static_cast<double>(size)),
                      session.surroundings().terminal.err_width - 1)
              << "\x1b[K" << std::flush;
        });
    if (live) err << "\r\x1b[K" << std::flush;
    return bundle;
  }

  Result<v1::Export> AwaitExport(Session& session, v1::Export exported) const {
    const Clock& clock = session.surroundings().clock;
    const int64_t start = clock.MonotonicMs();
    const std::string label = "export of trial " + std::to_string(exported.trial_number());
    Milliseconds pause = kFirstPoll;
    v1::TaskState told = v1::TASK_STATE_UNSPECIFIED;
    bool hinted = false;
    while (true) {
      switch (exported.state()) {
        case v1::TASK_STATE_DONE:
          return exported;
        case v1::TASK_STATE_FAILED:
        case v1::TASK_STATE_CANCELLED:
          return FailedPrecondition(label + " " + StateName(exported.state()) +
                                    (exported.message().empty() ? "" : ": " + exported.message()));
        default:
          break;
      }
      if (exported.state() != told) {
        session.Note(label + ": " + StateName(exported.state()),
                     {{"trial", exported.trial_number()}, {"state", StateName(exported.state())}});
        told = exported.state();
      }
      if (!hinted && told == v1::TASK_STATE_QUEUED && clock.MonotonicMs() - start > kQueuedHintMs) {
        session.Note(label + " still waits for a worker; see: search-client worker list");
        hinted = true;
      }
      if (!session.Sleep(pause)) return Cancelled("interrupted");
      pause = std::min(pause * 2, kLastPoll);
      VOXBIT_ASSIGN_OR_RETURN(exported, session.api().GetExport(exported.export_id()));
    }
  }

  void Report(Session& session, const std::vector<Written>& written) const {
    Table table({{"trial", "trial", true, 0, 0},
                 {"folder", "folder", false, 0, 0},
                 {"file", "file", false, 1, 0},
                 {"size_bytes", "size", true, 2, 0},
                 {"sha256", "", false, kCsvOnly, 0}});
    Json json = Json::array();
    for (const Written& item : written) {
      Json files = Json::object();
      for (const auto& [name, file] : item.bundle.files) {
        table.AddRow(
            {IntCell(item.trial),
             TextCell(item.bundle.folder),
             TextCell(name),
             {HumanBytes(static_cast<double>(file.size_bytes)), file.size_bytes, Tone::kPlain},
             TextCell(file.sha256)});
        files[name] = {{"sha256", file.sha256}, {"size_bytes", file.size_bytes}};
      }
      json.push_back({{"study", study_},
                      {"trial", item.trial},
                      {"folder", item.bundle.folder},
                      {"files", std::move(files)}});
    }
    session.Print(table, json);
  }

  static Status Outcome(size_t wanted, const std::vector<Status>& failures) {
    if (failures.empty()) return OkStatus();
    if (wanted == 1) return failures.front();
    return {failures.back().code(),
            std::to_string(failures.size()) + " of " + std::to_string(wanted) +
                " exports failed; the last one: " + failures.back().message(),
            failures.back().reason()};
  }

  std::string study_;
  int64_t trial_ = 0;
  std::string best_;
  bool pareto_ = false;
  std::string out_;
};

}  // namespace

std::unique_ptr<Command> MakeExport() { return std::make_unique<Export>(); }

}  // namespace voxbit::client
