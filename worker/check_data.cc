#include "worker/check_data.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>

#include "client/format/data_report.h"
#include "client/format/text.h"
#include "common/config.h"
#include "common/json.h"
#include "worker/data/check.h"
#include "worker/data/dataset.h"
#include "worker/dataset_flag.h"
#include "worker/device_info.h"
#include "worker/terminal.h"

namespace voxbit::worker {
namespace {

// A folder that is not there is a wrong argument; what is wrong in it is a fault of the data.
Status CheckRoot(const FoundDataset& found) {
  const auto root = found.config.find("root");
  if (root == found.config.end() || !root->is_string()) return OkStatus();
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(root->get<std::string>(), error);
  if (std::filesystem::is_directory(path, error)) return OkStatus();
  return FieldError(found.pointer + "/root", "no such folder: " + path.string());
}

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
    if (is_opened) {
      row["split"] = data::SplitName(fault.split);
      row["splits"] = {data::SplitName(fault.split)};
      for (const data::Split split : fault.also) row["splits"].push_back(data::SplitName(split));
    }
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
  const client::Terminal terminal = ThisTerminal();
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
