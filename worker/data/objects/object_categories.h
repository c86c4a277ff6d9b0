// The 16 categories and 50 parts of ShapeNet-part.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace voxbit::data {

struct ObjectCategory {
  std::string name;    // as in synsetoffset2category.txt
  std::string synset;  // folder of its objects in the published layout
  int32_t first_part;  // parts have the ids first_part, first_part + 1, ...
  std::vector<std::string> parts;

  bool HasPart(int32_t part) const {
    return part >= first_part && part < first_part + static_cast<int32_t>(parts.size());
  }
};

// By category index. The numbering is that of the published v0_normal files; they do not name the
// parts, the names are ours.
// Source: Yi et al., A Scalable Active Framework for Region Annotation in 3D Shape Collections
// (SIGGRAPH Asia 2016).
const std::vector<ObjectCategory>& ShapeNetCategories();

// Index of the category that a part belongs to; -1 for a part there is not.
int32_t CategoryOfPart(int32_t part);

}  // namespace voxbit::data
