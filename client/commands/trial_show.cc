#include <CLI/CLI.hpp>

#include "client/commands/command.h"
#include "client/view/trial_view.h"

namespace voxbit::client {
namespace {

class TrialShow final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("study", study_, "name of the study")->required()->option_text("STUDY");
    app.add_option("number", number_, "number of the trial, from 1 on")
        ->required()
        ->check(CLI::PositiveNumber)
        ->option_text("N");
    app.footer("With -o csv: the layer table.");
  }

  Status Run(Session& session) override {
    VOXBIT_ASSIGN_OR_RETURN(const Api::TrialDetails details,
                            session.api().GetTrial(study_, number_));
    if (session.options().output != OutputFormat::kTable) {
      session.Print(LayerTable(details.layers), {{"study", study_},
                                                 {"trial", ToJson(details.trial)},
                                                 {"architecture", details.architecture},
                                                 {"layers", details.layers}});
      return OkStatus();
    }
    PrintPeople(session, details);
    return OkStatus();
  }

 private:
  static void PrintPeople(Session& session, const Api::TrialDetails& details) {
    const TextStyle style = session.style();
    session.PrintText(RenderFields(TrialFieldList(details.trial, session.NowMs()), style));
    const Table measurements = MeasurementTable(details.trial);
    if (!measurements.rows().empty()) {
      session.PrintText("\n" + RenderText(measurements, style));
    }
    for (const Table& scores : ClassTables(details.trial)) {
      session.PrintText("\n" + RenderText(scores, style));
    }
    std::vector<Field> architecture;
    for (const auto& [key, value] : Flatten(Grouped(details.architecture))) {
      if (value.is_null()) continue;
      architecture.push_back(
          {key, TextCell(value.is_string() ? value.get<std::string>() : CanonicalJson(value))});
    }
    if (!architecture.empty()) {
      session.PrintText("\n" + Bold("architecture", style.color) + "\n" +
                        RenderFields(architecture, style));
    }
    const Table layers = LayerTable(details.layers);
    if (layers.rows().empty()) return;
    const std::string totals = LayerTotals(details.layers);
    session.PrintText("\n" + RenderText(layers, style) + std::to_string(layers.rows().size()) +
                      " layers" + (totals.empty() ? "" : ", " + totals) + "\n");
  }

  // Lists of numbers on one line: [24, 32] becomes "24 32".
  static Json Grouped(const Json& json) {
    if (json.is_array()) {
      std::string line;
      for (const Json& value : json) {
        if (value.is_structured()) {
          Json grouped = Json::array();
          for (const Json& item : json) grouped.push_back(Grouped(item));
          return grouped;
        }
        line += (line.empty() ? "" : " ") +
                (value.is_string() ? value.get<std::string>() : CanonicalJson(value));
      }
      return line;
    }
    if (!json.is_object()) return json;
    Json grouped = Json::object();
    for (const auto& [key, value] : json.items()) grouped[key] = Grouped(value);
    return grouped;
  }

  std::string study_;
  int64_t number_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeTrialShow() { return std::make_unique<TrialShow>(); }

}  // namespace voxbit::client
