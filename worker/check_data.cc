#include "worker/check_data.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>

#include "client/format/data_report.h"
#include "client/format/terminal.h"
#include "client/format/text.h"
#include "common/config.h"
#include "common/json.h"
#include "worker/data/check.h"
#include "worker/data/dataset.h"
#include "worker/device_info.h"

namespace voxbit::worker {
namespace {

// The "dataset" that a text holds, and where it stands there.
struct FoundDataset {
  Json config;
  std::string source;
  std::string pointer;
};

bool IsInline(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string::npos && text[first] == '{';
}

// A dataset, a study with one, or the configuration of a server with one study.
Result<FoundDataset> FindDataset(const std::string& text) {
  FoundDataset found;
  found.source = IsInline(text) ? "--dataset" : text;
  Result<Json> json = IsInline(text) ? ParseJson(text) : ReadJsonFile(text);
  if (!json.ok()) {
    const std::string& message = json.status().message();
    return InvalidArgument(IsInline(text) ? "--dataset: " + message : message);
  }
  found.config = std::move(json).value();
  if (const auto studies = found.config.find("studies"); studies != found.config.end()) {
    if (!studies->is_array() || studies->size() != 1 || !studies->front().is_object()) {
      return InvalidArgument(found.source +
                             ": expected a dataset, a study, or a server's configuration with one "
                             "study in it");
    }
    found.pointer = "/studies/0";
    found.config = Json(studies->front());
  }
  if (const auto dataset = found.config.find("dataset"); dataset != found.config.end()) {
    found.pointer += "/dataset";
    found.config = Json(*dataset);
  }
  return found;
}

// A folder that is not there is a wrong argument; what is wrong in it is a fault of the data.
Status CheckRoot(const FoundDataset& found) {
  const auto root = found.config.find("root");
  if (root == found.config.end() || !root->is_string()) return OkStatus();
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(root->get<std::string>(), error);
  if (std::filesystem::is_directory(path, error)) return OkStatus();
  return FieldError(found.pointer + "/root", "no such folder: " + path.string());
}

// A bar on standard error while scans are read, where that is a terminal.
class ProgressBar {
 public:
  explicit ProgressBar(const client::Terminal& terminal) : terminal_(terminal) {}
  ~ProgressBar() {
    if (is_drawn_) std::cerr << "\r\033[K" << std::flush;
  }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Show(int64_t done, int64_t total) {
    const auto now = std::chrono::steady_clock::now();
    if (!terminal_.err_is_terminal || (is_drawn_ && now - drawn_ < kInterval)) return;
    drawn_ = now;
    is_drawn_ = true;
    const double share = static_cast<double>(done) / static_cast<double>(total);
    std::cerr << "\r\033[K" << client::Bar(share, 24) << " " << done << "/" << total << " scans"
              << std::flush;
  }

 private:
  static constexpr std::chrono::milliseconds kInterval{100};
  const client::Terminal& terminal_;
  std::chrono::steady_clock::time_point drawn_;
  bool is_drawn_ = false;
};

// What cannot even be opened has one fault that hides the others.
data::CheckReport UnopenedReport(const Status& status) {
  data::CheckReport report;
  report.faults.push_back({data::Split::kTrain, -1, status});
  report.overview = {{"num_faults", 1}};
  return report;
}

Result<data::CheckReport> Check(const FoundDataset& found, const CheckFlags& flags,
                                const client::Terminal& terminal, const std::stop_token& stop) {
  const data::DatasetRegistry registry = data::BuiltinDatasets();
  VOXBIT_RETURN_IF_ERROR(data::ParseDatasetConfig(registry, found.config, found.pointer).status());
  VOXBIT_RETURN_IF_ERROR(CheckRoot(found));
  const auto dataset = data::OpenIncompleteDataset(registry, found.config, found.pointer, stop);
  if (dataset.status().code() == StatusCode::kCancelled) return dataset.status();
  if (!dataset.ok()) return UnopenedReport(dataset.status());
  ProgressBar bar(terminal);
  return data::CheckDataset(
      **dataset,
      {.threads = flags.threads == 0 ? UsableCores() : flags.threads,
       .progress = [&bar](int64_t done, int64_t total) { bar.Show(done, total); }},
      stop);
}

void PrintJson(data::CheckReport report) {
  Json faults = Json::array();
  for (const data::DataFault& fault : report.faults) {
    Json row = {{"message", fault.status.message()}};
    const bool is_opened = report.overview.contains("splits");
    if (is_opened) row["split"] = data::SplitName(fault.split);
    faults.push_back(std::move(row));
  }
  report.overview["faults"] = std::move(faults);
  std::cout << report.overview.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

void PrintTables(const data::CheckReport& report, const client::Terminal& terminal) {
  const client::TextStyle style{.width = terminal.width, .color = terminal.color};
  const std::string tables = client::DataReport(report.overview, {.text = style});
  std::cout << tables;
  if (!report.faults.empty() && !tables.empty()) std::cout << "\n";
  for (const data::DataFault& fault : report.faults) {
    std::cout << client::Paint("fault:", client::Tone::kBad, style.color) << " "
              << client::OneLine(fault.status.message()) << "\n";
  }
  const size_t count = report.faults.size();
  const std::string faults =
      count == 0 ? "no fault" : std::to_string(count) + (count == 1 ? " fault" : " faults");
  const bool is_opened = report.overview.contains("splits");
  std::cout << "\n"
            << faults
            << (is_opened ? "; " + client::DataReportTotals(report.overview)
                          : "; the dataset cannot be opened, so no scan was read")
            << std::endl;
}

}  // namespace

Result<bool> CheckData(const CheckFlags& flags, const std::stop_token& stop) {
  VOXBIT_ASSIGN_OR_RETURN(const FoundDataset found, FindDataset(flags.dataset));
  const client::Terminal terminal = client::DetectTerminal([](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  });
  Result<data::CheckReport> report = Check(found, flags, terminal, stop);
  if (!report.ok()) {
    const bool is_usage = report.status().code() == StatusCode::kInvalidArgument;
    return is_usage ? report.status().Annotate(found.source) : report.status();
  }
  const bool is_clean = report->faults.empty();
  if (flags.output == "json") {
    PrintJson(std::move(report).value());
  } else {
    PrintTables(*report, terminal);
  }
  return is_clean;
}

}  // namespace voxbit::worker
