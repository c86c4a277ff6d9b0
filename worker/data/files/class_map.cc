#include "worker/data/files/class_map.h"

#include <charconv>
#include <optional>
#include <utility>

#include "common/check.h"
#include "common/config.h"
#include "worker/data/dataset.h"
#include "worker/data/files/text_rows.h"

namespace voxbit::data {
namespace {

constexpr uint32_t kMaxRawId = 0xFFFF;

std::optional<uint32_t> ParseId(std::string_view text, uint32_t max) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id > max) return std::nullopt;
  return id;
}

constexpr std::string_view kHeader = "raw_id\ttrain_id\tname";

// The first line of a train id, which names the class and has the raw id that stands for it.
struct NamedIn {
  std::string name;
  uint32_t raw = 0;
};
using ClassNames = std::map<int32_t, NamedIn>;  // by train id

// One line of the table; `names` collects those that come first for their train id.
Status AddLine(std::string_view text, ClassMap& map, ClassNames& names) {
  auto columns = SplitAt(text, '\t');
  if (columns.size() == 2 && columns[1] == "255") columns.emplace_back();  // who needs its name
  if (columns.size() != 3) {
    return InvalidArgument("expected 3 columns separated by tabs, found " +
                           std::to_string(columns.size()));
  }
  const auto raw = ParseId(columns[0], kMaxRawId);
  if (!raw) {
    return InvalidArgument("expected a raw id from 0 to 65535, found \"" + std::string(columns[0]) +
                           "\"");
  }
  const auto train = ParseId(columns[1], static_cast<uint32_t>(kIgnoredLabel));
  if (!train) {
    return InvalidArgument("expected a train id from 0 to 255, found \"" + std::string(columns[1]) +
                           "\"");
  }
  const auto train_id = static_cast<int32_t>(*train);
  if (!map.raw_to_train.emplace(*raw, train_id).second) {
    return InvalidArgument("raw id " + std::to_string(*raw) + " is listed already");
  }
  if (train_id == kIgnoredLabel || names.contains(train_id)) return OkStatus();
  if (columns[2].empty()) return InvalidArgument("expected a name for the class, found none");
  names.emplace(train_id, NamedIn{std::string(columns[2]), *raw});
  return OkStatus();
}

}  // namespace

Result<ClassMap> ParseClassMap(std::string_view table, const std::string& source) {
  ClassMap map;
  ClassNames names;
  RowReader reader(table, source);
  bool first = true;
  for (std::string_view line; reader.NextLine(line); first = false) {
    if (first && line == kHeader) continue;
    if (first && !ParseId(SplitAt(line, '\t').front(), kMaxRawId)) {
      return reader.Error("expected the header raw_id, train_id, name, separated by tabs");
    }
    const Status added = AddLine(line, map, names);
    if (!added.ok()) return reader.Error(added.message());
  }
  if (names.empty()) return InvalidArgument(source + ": no class with a train id below 255");
  for (const auto& [train_id, named] : names) {
    if (train_id != static_cast<int32_t>(map.names.size())) {
      return InvalidArgument(
          source + ": train ids have a gap: " + std::to_string(map.names.size()) + " is missing");
    }
    map.names.push_back(named.name);
    map.train_to_raw.push_back(named.raw);
  }
  return map;
}

ClassMap SemanticKittiClassMap(std::string_view which) {
  VOXBIT_CHECK(which == "spvnas" || which == "official", "no such SemanticKITTI class map");
  ClassMap map;
  map.names = {"car",      "bicycle",      "motorcycle",   "truck",       "other-vehicle",
               "person",   "bicyclist",    "motorcyclist", "road",        "parking",
               "sidewalk", "other-ground", "building",     "fence",       "vegetation",
               "trunk",    "terrain",      "pole",         "traffic-sign"};
  map.raw_to_train = {{0, 255}, {1, 255}, {10, 0},  {11, 1},  {13, 4},   {15, 2},  {16, 4},
                      {18, 3},  {20, 4},  {30, 5},  {31, 6},  {32, 7},   {40, 8},  {44, 9},
                      {48, 10}, {49, 11}, {50, 12}, {51, 13}, {52, 255}, {60, 8},  {70, 14},
                      {71, 15}, {72, 16}, {80, 17}, {81, 18}, {99, 255}, {252, 0}, {253, 6},
                      {254, 5}, {255, 7}, {256, 4}, {257, 4}, {258, 3},  {259, 4}};
  if (which == "spvnas") {
    for (const uint32_t raw : {13U, 16U, 60U, 256U, 257U}) map.raw_to_train[raw] = kIgnoredLabel;
  }
  // learning_map_inv of the benchmark's API.
  map.train_to_raw = {10, 11, 15, 18, 20, 30, 31, 32, 40, 44, 48, 49, 50, 51, 70, 71, 72, 80, 81};
  return map;
}

Result<std::vector<int32_t>> MapLabels(const ClassMap& map, const std::vector<uint32_t>& raw,
                                       const std::string& source) {
  std::vector<int32_t> table(kMaxRawId + 1, -1);
  for (const auto& [raw_id, train_id] : map.raw_to_train) table[raw_id] = train_id;
  std::vector<int32_t> labels(raw.size());
  for (size_t i = 0; i < raw.size(); ++i) {
    const uint32_t raw_id = raw[i] & kMaxRawId;
    labels[i] = table[raw_id];
    if (labels[i] < 0) {
      return InvalidArgument(source + ": label out of map: point " + std::to_string(i) +
                             " has the raw id " + std::to_string(raw_id) +
                             ", which the class map does not list");
    }
  }
  return labels;
}

uint32_t UnlabelledRawId(const ClassMap& map) {
  for (const auto& [raw, train] : map.raw_to_train) {
    if (train == kIgnoredLabel) return raw;
  }
  uint32_t unlisted = 0;
  while (map.raw_to_train.contains(unlisted)) ++unlisted;
  return unlisted;
}

Json ToJson(const ClassMap& map) {
  Json pairs = Json::array();
  for (const auto& [raw_id, train_id] : map.raw_to_train) pairs.push_back({raw_id, train_id});
  return {{"names", map.names}, {"raw_to_train", pairs}};
}

Json DescribeClassMap(const ClassMap& map) {
  Json json = ToJson(map);
  json["train_to_raw"] = map.train_to_raw;
  return json;
}

Result<ClassMap> ParseClassMapDescription(const Json& json, const std::string& pointer) {
  ClassMap map;
  try {
    map.names = json.at("names").get<std::vector<std::string>>();
    map.train_to_raw = json.at("train_to_raw").get<std::vector<uint32_t>>();
    for (const Json& pair : json.at("raw_to_train")) {
      const auto train = pair.at(1).get<int32_t>();
      const auto num_classes = static_cast<int32_t>(map.names.size());
      if (train != kIgnoredLabel && (train < 0 || train >= num_classes)) {
        return FieldError(pointer + "/raw_to_train",
                          "train id " + std::to_string(train) + " is that of no class");
      }
      map.raw_to_train[pair.at(0).get<uint32_t>() & kMaxRawId] = train;
    }
  } catch (const Json::exception& error) {
    return FieldError(pointer, std::string("no class map: ") + error.what());
  }
  if (map.names.empty() || map.names.size() != map.train_to_raw.size()) {
    return FieldError(pointer, "expected a raw id for each of the classes");
  }
  return map;
}

}  // namespace voxbit::data
