// The weight generator of the recordings whose large matrices are stored as a recipe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "supernet/export/tensor_io.h"
#include "tests/golden/golden_case.h"

namespace voxbit::golden {

// `count` values in [lo, hi): FNV-1a of `key` seeds splitmix64; the top 24 bits of each draw.
// Source: README of the recordings.
std::vector<float> Generate(const std::string& key, int64_t count, double lo, double hi);

// The state of the case's network by its original names: the tensors "state.*" and those of the
// recipe in the metadata entry "procgen". Fails the comparison when a generated tensor has not the
// sum and the first values that were recorded.
exporter::TensorMap RecordedState(Comparison& comparison);

}  // namespace voxbit::golden
