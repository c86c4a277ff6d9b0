#include <CLI/CLI.hpp>

#include "client/commands/command.h"
#include "client/view/trial_view.h"

namespace voxbit::client {
namespace {

constexpr char kBits[] = "bits";  // in the architecture: by layer

class TrialShow final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("study", study_, "name of the study")->required()->option_text("STUDY");
    app.add_option("number", number_, "number of the trial, from 1 on")
        ->required()
        ->check(CLI::PositiveNumber)
        ->option_text("N");
    app.footer("With -o csv: the layer table, of which --columns chooses.");
  }

  bool HasColumns() const override { return true; }

  Status Run(Session& session) override {
    VOXBIT_ASSIGN_OR_RETURN(const Api::TrialDetails details,
                            session.api().GetTrial(study_, number_));
    VOXBIT_ASSIGN_OR_RETURN(const Table layers, session.Choose(LayerTable(details.layers)));
    if (session.options().output != OutputFormat::kTable) {
      session.Print(layers, {{"study", study_},
                             {"trial", ToJson(details.trial)},
                             {"architecture", details.architecture},
                             {"layers", details.layers}});
      return OkStatus();
    }
    PrintPeople(session, details, layers);
    return OkStatus();
  }

 private:
  static void PrintPeople(Session& session, const Api::TrialDetails& details, const Table& layers) {
    const TextStyle style = session.style();
    session.PrintText(RenderFields(TrialFieldList(details.trial, session.NowMs()), style));
    const Table measurements = MeasurementTable(details.trial);
    if (!measurements.rows().empty()) {
      session.PrintText("\n");
      session.PrintTable(measurements);
    }
    for (const Table& scores : ClassTables(details.trial)) {
      session.PrintText("\n");
      session.PrintTable(scores);
    }
    const std::vector<Field> architecture = ArchitectureFields(details);
    if (!architecture.empty()) {
      session.PrintText("\n" + Bold("architecture", style.color) + "\n" +
                        RenderFields(architecture, style));
    }
    if (layers.rows().empty()) return;
    const std::string totals = LayerTotals(details.layers);
    session.PrintText("\n");
    session.PrintTable(layers);
    session.PrintText(std::to_string(layers.rows().size()) + " layers" +
                      (totals.empty() ? "" : ", " + totals) + "\n");
  }

  // Bits come last, in the order of the layers: JSON knows only that of the alphabet.
  static std::vector<Field> ArchitectureFields(const Api::TrialDetails& details) {
    Json rest = details.architecture;
    Json bits = Json::object();
    if (rest.is_object() && rest.contains(kBits) && rest[kBits].is_object()) {
      bits = rest[kBits];
      rest.erase(kBits);
    }
    std::vector<Field> fields;
    AddFields(rest, fields);
    for (const Json& layer : details.layers) {
      const Json name = layer.is_object() ? layer.value("name", Json()) : Json();
      if (!name.is_string() || !bits.contains(name.get<std::string>())) continue;
      AddFields({{kBits, {{name.get<std::string>(), bits[name.get<std::string>()]}}}}, fields);
      bits.erase(name.get<std::string>());
    }
    if (!bits.empty()) AddFields({{kBits, bits}}, fields);
    return fields;
  }

  static void AddFields(const Json& json, std::vector<Field>& fields) {
    for (const auto& [key, value] : Flatten(Grouped(json))) {
      if (value.is_null()) continue;
      fields.push_back(
          {key, TextCell(value.is_string() ? value.get<std::string>() : CanonicalJson(value))});
    }
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
