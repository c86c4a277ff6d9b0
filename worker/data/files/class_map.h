// From the ids that annotators write to the ids that a network is trained on.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"
#include "common/status.h"

namespace voxbit::data {

struct ClassMap {
  std::vector<std::string> names;            // by train id
  std::map<uint32_t, int32_t> raw_to_train;  // kIgnoredLabel: neither trained nor scored
  std::vector<uint32_t> train_to_raw;        // the raw id that stands for each train id
};

// Reads a table with the columns raw_id, train_id, name, separated by tabs; the header may be
// missing or a comment. Train ids are 0 .. K-1 without a gap, 255 is ignored; the first line of a
// train id names the class and has the raw id that stands for it.
// INVALID_ARGUMENT naming `source` and the line.
Result<ClassMap> ParseClassMap(std::string_view table, const std::string& source);

// The 19 classes of SemanticKITTI. "official" is the map of the benchmark; "spvnas", that of the
// published SPVNAS models, ignores bus, on-rails and lane-marking instead. Every official raw id
// is listed.
// Source: Behley et al., SemanticKITTI (ICCV 2019); Tang et al., SPVNAS (ECCV 2020).
ClassMap SemanticKittiClassMap(std::string_view which);

// Train ids of raw labels, whose upper 16 bits (the instance) are dropped. INVALID_ARGUMENT
// "label out of map" naming `source`, the point and the raw id for an id that the map lacks.
Result<std::vector<int32_t>> MapLabels(const ClassMap& map, const std::vector<uint32_t>& raw,
                                       const std::string& source);

// A raw id that belongs to no class: the smallest one that the map ignores, else the smallest one
// that it does not list.
uint32_t UnlabelledRawId(const ClassMap& map);

// For digests: the names and every pair of ids.
Json ToJson(const ClassMap& map);
// For descriptions: the same and what stands for each train id.
Json DescribeClassMap(const ClassMap& map);
// Reads what DescribeClassMap wrote, found at `pointer`. INVALID_ARGUMENT names what is wrong.
Result<ClassMap> ParseClassMapDescription(const Json& json, const std::string& pointer);

}  // namespace voxbit::data
