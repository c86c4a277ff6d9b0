#include "worker/data/check.h"

#include <algorithm>
#include <chrono>
#include <tuple>
#include <utility>

#include "worker/data/check/facts.h"
#include "worker/data/check/judge.h"
#include "worker/data/check/reader.h"

namespace voxbit::data {
namespace {

// Raised whenever the same data would get another overview.
constexpr int64_t kCheckVersion = 2;

Json SplitJson(const Reading& reading, Split split, const SplitFacts& facts) {
  return {{"name", SplitName(split)},
          {"scans", reading.size(split)},
          {"read", facts.read},
          {"files", facts.files},
          {"bytes", facts.bytes},
          {"points", facts.points},
          {"labelled", facts.labelled},
          {"unlabelled_scans", facts.unlabelled.count},
          {"empty_scans", facts.empty.count},
          {"left_out", facts.left_out},
          {"at_origin", facts.at_origin},
          {"fewest_points", facts.most_points == 0 ? 0 : facts.fewest_points},
          {"most_points", facts.most_points}};
}

// Counts of one name each, with their shares of the split.
Json CountsJson(const std::vector<std::string>& names, const Facts& facts, const Reading& reading,
                std::vector<int64_t> SplitFacts::*counts) {
  Json rows = Json::array();
  for (size_t i = 0; i < names.size(); ++i) {
    Json row = {{"name", names[i]}};
    for (const Split split : kSplits) {
      if (reading.size(split) == 0) continue;
      const std::vector<int64_t>& all = facts.splits[Place(split)].*counts;
      int64_t total = 0;
      for (const int64_t count : all) total += count;
      row[std::string(SplitName(split))] = {{"count", all[i]}, {"share", ShareOf(all[i], total)}};
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Json FeaturesJson(const std::vector<std::string>& names, const std::vector<FeatureFacts>& all) {
  Json rows = Json::array();
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].is_empty()) continue;
    rows.push_back(
        {{"name", names[i]}, {"min", all[i].min}, {"max", all[i].max}, {"most", all[i].Most()}});
  }
  return rows;
}

bool HasFault(const Facts& facts, Split split) {
  return std::any_of(facts.faults.begin(), facts.faults.end(), [&](const DataFault& fault) {
    return fault.split == split ||
           std::find(fault.also.begin(), fault.also.end(), split) != fault.also.end();
  });
}

// Nothing can be trained or scored where nothing is labelled. Splits of equal scans are one fault.
void AddUnlabelledSplits(const Dataset& dataset, const Reading& reading, Facts& facts) {
  std::vector<DataFault> found;
  for (const Split split : kSplits) {
    const bool is_usable = reading.size(split) == 0 || facts.splits[Place(split)].labelled > 0;
    if (is_usable || HasFault(facts, split)) continue;
    const auto equal = std::find_if(found.begin(), found.end(), [&](const DataFault& fault) {
      return reading.AreEqual(fault.split, split);
    });
    if (equal == found.end()) {
      found.push_back({split, -1});
    } else {
      equal->also.push_back(split);
    }
  }
  for (DataFault& fault : found) {
    fault.status = InvalidArgument(
        (fault.also.empty() ? "nothing in the split " : "nothing in the splits ") +
        SplitNames(fault.split, fault.also) +
        " has a label that counts (the first of it: " + NameOf(dataset, fault.split, 0) + ")");
    facts.faults.push_back(std::move(fault));
  }
}

}  // namespace

Result<CheckReport> CheckDataset(const Dataset& dataset, const CheckSettings& settings,
                                 const std::stop_token& stop) {
  const auto start = std::chrono::steady_clock::now();
  const Reading reading(dataset);
  VOXBIT_ASSIGN_OR_RETURN(Facts facts, ReadFacts(dataset, reading, settings, stop));
  AddUnlabelledSplits(dataset, reading, facts);
  CheckReport report;
  report.faults = std::move(facts.faults);
  std::stable_sort(report.faults.begin(), report.faults.end(),
                   [](const DataFault& a, const DataFault& b) {
                     return std::tie(a.split, a.index) < std::tie(b.split, b.index);
                   });
  Json splits = Json::array();
  for (const Split split : kSplits) {
    if (reading.size(split) == 0) continue;
    splits.push_back(SplitJson(reading, split, facts.splits[Place(split)]));
  }
  const Json described = dataset.Describe();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  report.overview = {
      {"check_version", kCheckVersion},
      {"kind", described.at("kind")},
      {"digest", described.at("digest")},
      {"seconds", elapsed.count()},
      {"counted", WhatIsCounted(dataset)},
      {"splits", std::move(splits)},
      {"classes",
       CountsJson(ToldApart(dataset.class_names()), facts, reading, &SplitFacts::classes)},
      {"categories", CountsJson(dataset.category_names(), facts, reading, &SplitFacts::categories)},
      {"features", FeaturesJson(dataset.feature_names(), facts.features)},
      {"warnings", WarningsAbout(dataset, reading, facts)},
      {"num_faults", report.faults.size()}};
  return report;
}

bool IsOverviewOf(const Json& overview, const std::string& digest) {
  return overview.is_object() && !digest.empty() &&
         overview.value("digest", Json()) == Json(digest) &&
         overview.value("check_version", Json()) == Json(kCheckVersion);
}

}  // namespace voxbit::data
