// Parametric objects of the ShapeNet-part categories.
#pragma once

#include <cstdint>

#include "common/rng.h"
#include "worker/data/geometry/mesh.h"

namespace voxbit::data {

// A random object of a category of ShapeNetCategories: proportions and the presence of optional
// parts differ. Parts are labelled as in ShapeNet-part. y up, forward x, any size and place.
// Requires: 0 <= category < 16. Deterministic in the generator's state.
Mesh MakeObject(int32_t category, Rng& rng);

}  // namespace voxbit::data
