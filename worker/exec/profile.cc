// Counts what one scan asks of a network (points, voxels, kernel-map pairs), averaged over scans of
// the split that is scored. With these numbers the MACs of any candidate are a formula.
#include "common/config.h"
#include "search/space/layer_table.h"
#include "worker/exec/builtin.h"

namespace voxbit::worker {
namespace {

struct ProfileSettings {
  int64_t max_scans = 32;
  std::string split = "val";
};

Fields<ProfileSettings> ProfileFields() {
  Fields<ProfileSettings> fields;
  fields.Int("max_scans", &ProfileSettings::max_scans, {1, 1'000'000}, "scans",
             "scans of the split, chosen by a digest of their names, that are counted");
  fields.Text("split", &ProfileSettings::split, {"val", "train", "test"}, "where they are from");
  return fields;
}

}  // namespace

Result<search::TaskResult> RunProfile(ExecContext& context, const TaskCall& call) {
  VOXBIT_ASSIGN_OR_RETURN(const ProfileSettings settings,
                          ProfileFields().Parse(call.spec.settings, "/settings"));
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, context.Dataset(call.spec));
  VOXBIT_ASSIGN_OR_RETURN(const auto net, context.FreshSupernet(call.spec, *dataset));

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
  result.detail = {{"workload", search::ToJson(workload)}, {"dataset_digest", dataset->digest()}};
  return result;
}

}  // namespace voxbit::worker
