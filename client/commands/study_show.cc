#include <CLI/CLI.hpp>

#include "client/commands/command.h"
#include "client/format/data_report.h"
#include "client/view/study_view.h"
#include "common/text.h"

namespace voxbit::client {
namespace {

// The study with its configuration as one row of flat columns.
Table FlatTable(const v1::Study& study) {
  Json json = ToJson(study);
  json["progress"].erase("running");
  json.erase("data");  // tables of its own
  std::vector<Column> columns;
  std::vector<Cell> row;
  for (auto& [key, value] : Flatten(json)) {
    columns.push_back({key, key, false, 0, 0});
    row.push_back({"", std::move(value), Tone::kPlain});
  }
  Table table(std::move(columns));
  table.AddRow(std::move(row));
  return table;
}

// More would hide the rest of the page.
constexpr size_t kShownClasses = 20;

class StudyShow final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("study", name_, "name of the study")->required()->option_text("STUDY");
  }

  Status Run(Session& session) override {
    VOXBIT_ASSIGN_OR_RETURN(const v1::Study study, session.api().GetStudy(name_));
    if (session.options().output != OutputFormat::kTable) {
      session.Print(FlatTable(study), ToJson(study));
      return OkStatus();
    }
    const TextStyle style = session.style();
    session.PrintText(RenderFields(StudyFieldList(study, session.NowMs()), style));
    if (study.progress().running_size() > 0) {
      session.PrintText("\n");
      session.PrintTable(TaskTable(study.progress()));
    }
    const Json overview = DataOverview(study);
    const std::string data =
        DataReport(overview, {.text = style, .has_features = false, .max_classes = kShownClasses});
    if (!data.empty()) {
      session.PrintText("\n" + Bold("data", style.color) + "\n" + data +
                        DataReportTotals(overview) + "\n");
    }
    session.PrintText(
        "\n" + Bold("configuration", style.color) + "\n" +
        PrintableJson(ToJson(study)["config"].dump(2, ' ', false, Json::error_handler_t::replace)) +
        "\n");
    return OkStatus();
  }

 private:
  std::string name_;
};

}  // namespace

std::unique_ptr<Command> MakeStudyShow() { return std::make_unique<StudyShow>(); }

}  // namespace voxbit::client
