// Checks the dataset, then counts what one scan asks of a network (points, voxels, kernel-map
// pairs), averaged over scans of the split that is scored. With these numbers the MACs of any
// candidate are a formula.
#include <algorithm>
#include <string>
#include <utility>

#include "common/config.h"
#include "search/space/layer_table.h"
#include "worker/data/check.h"
#include "worker/data/fault.h"
#include "worker/exec/builtin.h"

namespace voxbit::worker {
namespace {

struct ProfileSettings {
  int64_t max_scans = 32;
  std::string split = "val";
  Json checks = Json::array();
};

Fields<ProfileSettings> ProfileFields() {
  Fields<ProfileSettings> fields;
  fields.Int("max_scans", &ProfileSettings::max_scans, {1, 1'000'000}, "scans",
             "scans of the split, chosen by a digest of their names, that are counted");
  fields.Text("split", &ProfileSettings::split, {"val", "train", "test"}, "where they are from");
  fields.Custom(
      "checks", "list", "overviews of earlier checks: data that one of them saw is not read again",
      [](const Json& found, const std::string& pointer, ProfileSettings& out) -> Status {
        if (!found.is_array()) return ExpectedError(pointer, "a list", found);
        out.checks = found;
        return OkStatus();
      },
      [](const ProfileSettings& in) { return in.checks; });
  return fields;
}

// The first faults, and how to see all of them.
Status Faulty(const std::vector<data::DataFault>& faults) {
  constexpr size_t kShown = 3;
  std::string message;
  for (size_t i = 0; i < std::min(faults.size(), kShown); ++i) {
    message += (i == 0 ? "" : "; ") + faults[i].status.message();
  }
  if (faults.size() > kShown) {
    message += "; and " + std::to_string(faults.size() - kShown) +
               " more; all are listed by: search-worker check --dataset STUDY.json";
  }
  const Status first = data::AsDataFault(faults.front().status);
  return {first.code(), message, first.reason()};
}

// What is in the dataset. Broken data ends the study before anything is trained on it.
Result<Json> Overview(ExecContext& context, const TaskCall& call, const OpenedDataset& dataset,
                      const Json& earlier) {
  for (const Json& overview : earlier) {
    if (data::IsOverviewOf(overview, dataset.digest())) return overview;
  }
  const SystemClock clock;
  const int64_t start_ms = clock.MonotonicMs();
  const train::RunContext run = context.Run(call, "check");
  const auto progress = [&](int64_t done, int64_t total) {
    const auto elapsed_s = static_cast<double>(clock.MonotonicMs() - start_ms) / 1000;
    run.progress(
        {.step = done,
         .steps = total,
         .eta_s = elapsed_s * static_cast<double>(total - done) / static_cast<double>(done)});
  };
  VOXBIT_ASSIGN_OR_RETURN(
      data::CheckReport report,
      data::CheckDataset(dataset.dataset(),
                         {.threads = context.settings().threads, .progress = progress}, call.stop));
  if (!report.faults.empty()) return Faulty(report.faults);
  return std::move(report.overview);
}

}  // namespace

Result<search::TaskResult> RunProfile(ExecContext& context, const TaskCall& call) {
  VOXBIT_ASSIGN_OR_RETURN(const ProfileSettings settings,
                          ProfileFields().Parse(call.spec.settings, "/settings"));
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, context.Dataset(call.spec));
  VOXBIT_ASSIGN_OR_RETURN(const auto net, context.FreshSupernet(call.spec, *dataset));
  VOXBIT_ASSIGN_OR_RETURN(Json overview, Overview(context, call, *dataset, settings.checks));

  VOXBIT_ASSIGN_OR_RETURN(const data::Split split,
                          data::UsableSplit(dataset->dataset(), settings.split));

  search::Workload workload;
  workload.in_channels = dataset->in_channels();
  workload.num_classes = dataset->dataset().num_classes();
  workload.class_names = dataset->dataset().class_names();
  const std::vector<int64_t> scans =
      train::IndicesByName(dataset->dataset(), split, settings.max_scans);
  const auto run = context.Run(call, "profile");
  for (size_t i = 0; i < scans.size(); ++i) {
    if (call.stop.stop_requested()) return Cancelled("asked to stop");
    const Result<train::Batch> batch =
        train::EvaluationBatch(dataset->source(), split, std::span(&scans[i], 1), context.device());
    if (!batch.ok() && !data::IsEmptyScan(batch.status())) return batch.status();
    if (batch.ok()) {
      ++workload.num_samples;
      for (const auto& [key, count] : net->CountWorkload(batch->input)) {
        workload.counts[key] += count;
      }
    }
    run.progress(
        {.step = static_cast<int64_t>(i) + 1, .steps = static_cast<int64_t>(scans.size())});
  }
  if (workload.num_samples == 0) return dataset->source().NothingLeft(split);
  dataset->source().ReportLeftOut(split);
  for (auto& [key, count] : workload.counts) count /= static_cast<double>(workload.num_samples);
  search::TaskResult result;
  result.detail = {{"workload", search::ToJson(workload)},
                   {"dataset_digest", dataset->digest()},
                   {"check", std::move(overview)}};
  return result;
}

}  // namespace voxbit::worker
