// Categories of objects and their parts: those of ShapeNet-part, or a table of one's own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace voxbit::data {

struct ObjectCategory {
  std::string name;    // as in synsetoffset2category.txt
  std::string synset;  // ShapeNet-part: folder of its objects in the published layout
  int32_t first_part;  // parts are numbered first_part, first_part + 1, ...
  std::vector<std::string> parts;

  bool HasPart(int32_t part) const {
    return part >= first_part && part < first_part + static_cast<int32_t>(parts.size());
  }
};

// Which parts there are. They are numbered from 0 without a gap, category after category; files
// write their ids.
struct PartTable {
  std::vector<ObjectCategory> categories;
  std::vector<int32_t> ids;  // by number of a part, all different

  // Index of the category that a part belongs to; -1 for a part there is not.
  int32_t CategoryOf(int32_t part) const;
  // The part with that id; -1 where there is none.
  int32_t PartWithId(double id) const;
  // "category part" of every part.
  std::vector<std::string> PartNames() const;
};

// The 16 categories and 50 parts, whose ids are their numbers. The numbering is that of the
// published v0_normal files; they do not name the parts, the names are ours.
// Source: Yi et al., A Scalable Active Framework for Region Annotation in 3D Shape Collections
// (SIGGRAPH Asia 2016).
const PartTable& ShapeNetParts();
const std::vector<ObjectCategory>& ShapeNetCategories();

// Reads a table with the columns category, part_id, name, separated by tabs; the header may be
// missing or a comment. Categories are numbered as they first appear, their parts as they are
// listed; ids may have gaps and be in any order. INVALID_ARGUMENT naming `source` and the line for
// an id or a name that is there already, `source` alone for a table of less than 2 or more than 255
// parts.
Result<PartTable> ParsePartTable(std::string_view table, const std::string& source);

}  // namespace voxbit::data
