// Triangle meshes, and points drawn from their surface.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/rng.h"
#include "common/status.h"
#include "worker/data/geometry/vec3.h"

namespace voxbit::data {

struct Mesh {
  std::vector<Vec3> vertices;
  std::vector<std::array<int32_t, 3>> triangles;  // counter-clockwise, seen from outside
  std::vector<int32_t> parts;                     // of each triangle; empty: none
};

// Sum of the areas of the triangles.
double Area(const Mesh& mesh);

struct SurfacePoint {
  Vec3 position;
  Vec3 normal;  // of its triangle, length 1
  int32_t part = -1;
};

// `num` points, evenly distributed over the surface, in random order.
// Requires: Area(mesh) > 0 and finite. Deterministic in the generator's state.
// Source: Osada et al., Shape Distributions (ACM TOG 2002), sec. 4.1.
std::vector<SurfacePoint> SampleSurface(const Mesh& mesh, int64_t num, Rng& rng);

// Reads an OFF file as different tools write it: in any case, with ST, C or N (textures, colours,
// normals of vertices, which are skipped) before "OFF" or without that word, the counts behind it,
// in some files of ModelNet even without a blank, or on the next line, with or without the number
// of edges. A vertex or a face may go over several lines; colours of faces are skipped. Polygons
// are cut into triangles from their first vertex, faces of fewer than three corners left out.
// Errors name the file and, but for faces without any area, the line. INVALID_ARGUMENT for what
// contradicts the format, a coordinate that is not finite, a face that names a vertex there is not,
// faces without any area; DATA_LOSS for a file that is cut short.
Result<Mesh> ReadOff(const std::string& path);

}  // namespace voxbit::data
