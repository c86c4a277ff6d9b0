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
};

// Reads a table with the columns raw_id, train_id, name, separated by tabs; the header may be
// missing or a comment. Train ids are 0 .. K-1 without a gap, 255 is ignored; a class is named by
// the first line of its train id, no two by the same name. INVALID_ARGUMENT naming `source` and the
// line.
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

// For digests: the names and every pair of ids.
Json ToJson(const ClassMap& map);

}  // namespace voxbit::data
