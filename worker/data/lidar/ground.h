// Height of every point above the ground under it, from the points alone.
#pragma once

#include <vector>

namespace voxbit::data {

// Estimates the ground and returns each point's height above it in metres, [N].
//   points  [N,4] float32, x, y, z in metres, intensity (not read)
//
// 1. Lowest point of every cell of a horizontal 2 m grid, the lowest 2 % of a cell left out as
//    outliers; unknown where that point lies more than 1 m below all others of its cell and of
//    those around it, or alone among empty cells: a stray return. Where the extent exceeds 1 km,
//    groups of points with gaps of more than 250 m between them are scans of their own; only a
//    group above 1 km gets larger cells, a 500th of its extent.
// 2. Lower envelope of those minima: the highest surface below them that is nowhere steeper than
//    15 %. A roof wider than a cell is thereby seen to float above the ground beside it.
// 3. Cells within 0.3 m of the envelope are ground; all others (under buildings, in shadows) are
//    filled from the ground around them, coarse to fine, each level relaxed towards a smooth
//    surface.
// 4. Bilinear between the centres of cells.
//
// A roof that fills the scan to its edge looks like ground: nothing lower is near it.
// Requires: finite coordinates. Deterministic. O(N log N).
std::vector<float> HeightAboveGround(const std::vector<float>& points);

}  // namespace voxbit::data
