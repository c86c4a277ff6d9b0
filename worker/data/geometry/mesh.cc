#include "worker/data/geometry/mesh.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "common/check.h"
#include "common/files.h"
#include "common/json.h"
#include "worker/data/files/text_rows.h"

namespace voxbit::data {
namespace {

// Twice the area long.
Vec3 AreaVector(const Mesh& mesh, const std::array<int32_t, 3>& triangle) {
  const auto corner = [&](size_t i) { return mesh.vertices[static_cast<size_t>(triangle[i])]; };
  return Cross(corner(1) - corner(0), corner(2) - corner(0));
}

class OffReader {
 public:
  OffReader(std::string_view text, const std::string& path) : rows_(text, path), path_(path) {}

  Result<Mesh> Read() {
    VOXBIT_RETURN_IF_ERROR(ReadHeader());
    for (int64_t i = 0; i < num_vertices_; ++i) VOXBIT_RETURN_IF_ERROR(ReadVertex(i));
    for (int64_t i = 0; i < num_faces_; ++i) VOXBIT_RETURN_IF_ERROR(ReadFace(i));
    const double area = Area(mesh_);
    if (!(area > 0 && std::isfinite(area))) {
      return InvalidArgument(path_ + ": the faces of the mesh have no area");
    }
    return std::move(mesh_);
  }

 private:
  // The next line with numbers, at least `least`.
  Status NextRow(const std::string& what, size_t least) {
    row_.clear();
    while (row_.empty()) {
      VOXBIT_ASSIGN_OR_RETURN(const bool more, rows_.Next(row_));
      if (!more) {
        return rows_.Error("the file is cut short: expected " + what, StatusCode::kDataLoss);
      }
    }
    return CheckRow(what, least);
  }

  Status CheckRow(const std::string& what, size_t least) const {
    if (row_.size() >= least) return OkStatus();
    return rows_.Error("expected " + what + ", " + std::to_string(least) + " numbers, found " +
                           std::to_string(row_.size()) + "; the file is cut short or malformed",
                       StatusCode::kDataLoss);
  }

  Status ReadHeader() {
    const std::string what = "the numbers of vertices, faces and edges";
    std::string_view line;
    while (line.empty()) {
      if (!rows_.NextLine(line)) return InvalidArgument(path_ + ": the file is empty");
    }
    if (line.substr(0, 3) != "OFF") {
      return rows_.Error("expected \"OFF\", found \"" + std::string(line.substr(0, 20)) + "\"");
    }
    VOXBIT_RETURN_IF_ERROR(rows_.Parse(line.substr(3), row_));
    VOXBIT_RETURN_IF_ERROR(row_.empty() ? NextRow(what, 3) : CheckRow(what, 3));
    VOXBIT_ASSIGN_OR_RETURN(num_vertices_, Integer(row_[0], "a number of vertices", 1, kMany));
    VOXBIT_ASSIGN_OR_RETURN(num_faces_, Integer(row_[1], "a number of faces", 1, kMany));
    return OkStatus();
  }

  Status ReadVertex(int64_t i) {
    VOXBIT_RETURN_IF_ERROR(NextRow("vertex " + std::to_string(i), 3));
    mesh_.vertices.push_back({row_[0], row_[1], row_[2]});
    return OkStatus();
  }

  // Colours may follow the indices.
  Status ReadFace(int64_t i) {
    const std::string face = "face " + std::to_string(i);
    VOXBIT_RETURN_IF_ERROR(NextRow(face, 1));
    VOXBIT_ASSIGN_OR_RETURN(const int64_t corners,
                            Integer(row_[0], face + " to have corners, a number", 3, kMany));
    VOXBIT_RETURN_IF_ERROR(CheckRow(face, static_cast<size_t>(corners) + 1));
    std::array<int32_t, 3> triangle{};
    for (int64_t corner = 0; corner < corners; ++corner) {
      VOXBIT_ASSIGN_OR_RETURN(const int64_t vertex,
                              Integer(row_[static_cast<size_t>(corner) + 1],
                                      face + " to name a vertex", 0, num_vertices_ - 1));
      triangle[corner == 0 ? 0 : 2] = static_cast<int32_t>(vertex);
      if (corner >= 2) mesh_.triangles.push_back(triangle);
      if (corner >= 1) triangle[1] = static_cast<int32_t>(vertex);
    }
    return OkStatus();
  }

  Result<int64_t> Integer(double value, const std::string& what, int64_t min, int64_t max) const {
    if (value == std::floor(value) && value >= static_cast<double>(min) &&
        value <= static_cast<double>(max)) {
      return static_cast<int64_t>(value);
    }
    return rows_.Error("expected " + what + " from " + std::to_string(min) + " to " +
                       std::to_string(max) + ", found " + CanonicalJson(value));
  }

  static constexpr int64_t kMany = 100'000'000;

  RowReader rows_;
  const std::string& path_;
  std::vector<double> row_;
  int64_t num_vertices_ = 0;
  int64_t num_faces_ = 0;
  Mesh mesh_;
};

}  // namespace

double Area(const Mesh& mesh) {
  double area = 0;
  for (const auto& triangle : mesh.triangles) area += Length(AreaVector(mesh, triangle)) / 2;
  return area;
}

std::vector<SurfacePoint> SampleSurface(const Mesh& mesh, int64_t num, Rng& rng) {
  std::vector<double> area_up_to;
  area_up_to.reserve(mesh.triangles.size());
  double total = 0;
  for (const auto& triangle : mesh.triangles) {
    total += Length(AreaVector(mesh, triangle));
    area_up_to.push_back(total);
  }
  VOXBIT_CHECK(total > 0 && std::isfinite(total), "points need a surface with an area");
  std::vector<SurfacePoint> points;
  points.reserve(static_cast<size_t>(num));
  while (points.size() < static_cast<size_t>(num)) {
    // The first triangle that exceeds the draw has an area of its own.
    const auto found =
        std::upper_bound(area_up_to.begin(), area_up_to.end(), rng.Uniform(0, total));
    if (found == area_up_to.end()) continue;  // the draw was rounded up to the total
    const auto index = static_cast<size_t>(found - area_up_to.begin());
    const auto& triangle = mesh.triangles[index];
    const double root = std::sqrt(rng.Uniform());
    const double along = rng.Uniform();
    const auto corner = [&](size_t i) { return mesh.vertices[static_cast<size_t>(triangle[i])]; };
    points.push_back(
        {(1 - root) * corner(0) + root * (1 - along) * corner(1) + root * along * corner(2),
         Normalised(AreaVector(mesh, triangle)), mesh.parts.empty() ? -1 : mesh.parts[index]});
  }
  return points;
}

Result<Mesh> ReadOff(const std::string& path) {
  VOXBIT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return OffReader(text, path).Read();
}

}  // namespace voxbit::data
