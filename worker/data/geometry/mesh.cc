#include "worker/data/geometry/mesh.h"

#include <algorithm>
#include <boost/algorithm/string/case_conv.hpp>
#include <cmath>
#include <iterator>
#include <string_view>

#include "common/check.h"
#include "common/number_text.h"
#include "worker/data/files/text_rows.h"

namespace voxbit::data {
namespace {

// Twice the area long.
Vec3 AreaVector(const Mesh& mesh, const std::array<int32_t, 3>& triangle) {
  const auto corner = [&](size_t i) { return mesh.vertices[static_cast<size_t>(triangle[i])]; };
  return Cross(corner(1) - corner(0), corner(2) - corner(0));
}

// What may stand before "OFF" and how many values of each vertex it announces at least: textures,
// colours (some tools write an alpha value, some none), normals.
struct OffKind {
  std::string_view letters;
  size_t values;
};
constexpr OffKind kOffKinds[] = {{"ST", 2}, {"C", 3}, {"N", 3}};

// A vertex or a face begins on a line of its own and ends with the line on which it has all its
// numbers; what that line has more is skipped.
class OffReader {
 public:
  OffReader(std::string_view text, const std::string& path) : rows_(text, path), path_(path) {}

  Result<Mesh> Read() {
    VOXBIT_RETURN_IF_ERROR(ReadHeader());
    for (int64_t i = 0; i < num_vertices_; ++i) VOXBIT_RETURN_IF_ERROR(ReadVertex(i));
    for (int64_t i = 0; i < num_faces_; ++i) VOXBIT_RETURN_IF_ERROR(ReadFace(i));
    VOXBIT_RETURN_IF_ERROR(CheckEnd());
    const double area = Area(mesh_);
    if (!(area > 0 && std::isfinite(area))) {
      return InvalidArgument(path_ + ": the faces of the mesh have no area");
    }
    return std::move(mesh_);
  }

 private:
  // Reads on until the record has `least` numbers.
  Status Extend(const std::string& what, size_t least) {
    while (record_.size() < least) {
      const int64_t line = rows_.line();
      VOXBIT_ASSIGN_OR_RETURN(const bool more, rows_.Next(row_));
      if (!more) {
        return rows_.Error("the file is cut short: expected " + what + ", " +
                               Counted(least, "number") + ", found " +
                               std::to_string(record_.size()) + ShortLine(),
                           StatusCode::kDataLoss);
      }
      if (!record_.empty() && short_line_ == 0) short_line_ = line;
      record_.insert(record_.end(), row_.begin(), row_.end());
    }
    return OkStatus();
  }

  // A number that is missing in one line shifts all the lines behind it.
  std::string ShortLine() const {
    if (short_line_ == 0) return "";
    return "; line " + std::to_string(short_line_) +
           " has too few numbers, so its record was read on in the next one";
  }

  Status CheckEnd() {
    std::string_view line;
    if (short_line_ == 0 || !rows_.NextLine(line)) return OkStatus();
    return rows_.Error("lines are left behind the last face" + ShortLine());
  }

  Status ReadHeader() {
    std::string_view line;
    if (!rows_.NextLine(line)) return InvalidArgument(path_ + ": the file is empty");
    VOXBIT_RETURN_IF_ERROR(ReadWord(line));
    VOXBIT_RETURN_IF_ERROR(rows_.Parse(line, record_));
    VOXBIT_RETURN_IF_ERROR(Extend("the numbers of vertices and faces", 2));
    short_line_ = 0;
    VOXBIT_ASSIGN_OR_RETURN(num_vertices_, Integer(record_[0], "a number of vertices", 1, kMany));
    VOXBIT_ASSIGN_OR_RETURN(num_faces_, Integer(record_[1], "a number of faces", 1, kMany));
    // The number of edges, which nobody needs, may be missing or on the next line.
    RowReader ahead = rows_;
    const Result<bool> more = record_.size() == 2 ? ahead.Next(row_) : false;
    if (more.ok() && *more && row_.size() == 1) rows_ = ahead;
    return OkStatus();
  }

  // Removes the word "OFF", which may be missing, and what stands before it.
  Status ReadWord(std::string_view& line) {
    const std::string upper = boost::algorithm::to_upper_copy(std::string(line));
    const size_t off = upper.find("OFF");
    if (off == std::string::npos && line[0] >= '0' && line[0] <= '9') return OkStatus();
    // In capitals "nOFF" has points of n numbers, "NOFF" normals.
    const bool plain = off != std::string::npos && upper.find("BINARY") == std::string::npos &&
                       (line[off] == 'o' || line.substr(0, off).find('n') == line.npos);
    if (!plain || !AddKinds(std::string_view(upper).substr(0, off))) {
      return rows_.Error("expected \"OFF\", perhaps behind ST, C or N, found \"" +
                         std::string(line.substr(0, 20)) + "\"");
    }
    line.remove_prefix(off + 3);
    return OkStatus();
  }

  // Adds the values of kOffKinds, in any order. False for other letters.
  bool AddKinds(std::string_view letters) {
    while (!letters.empty()) {
      const auto* kind = std::find_if(
          std::begin(kOffKinds), std::end(kOffKinds),
          [&](const OffKind& k) { return letters.substr(0, k.letters.size()) == k.letters; });
      if (kind == std::end(kOffKinds)) return false;
      vertex_values_ += kind->values;
      letters.remove_prefix(kind->letters.size());
    }
    return true;
  }

  Status ReadVertex(int64_t i) {
    record_.clear();
    VOXBIT_RETURN_IF_ERROR(Extend("vertex " + std::to_string(i), vertex_values_));
    mesh_.vertices.push_back({record_[0], record_[1], record_[2]});
    return OkStatus();
  }

  // One of fewer than three corners has no area and no triangles.
  Status ReadFace(int64_t i) {
    const std::string face = "face " + std::to_string(i);
    record_.clear();
    VOXBIT_RETURN_IF_ERROR(Extend(face, 1));
    VOXBIT_ASSIGN_OR_RETURN(const int64_t corners,
                            Integer(record_[0], face + " to have corners, a number", 1, kMany));
    VOXBIT_RETURN_IF_ERROR(Extend(face, static_cast<size_t>(corners) + 1));
    std::array<int32_t, 3> triangle{};
    for (int64_t corner = 0; corner < corners; ++corner) {
      VOXBIT_ASSIGN_OR_RETURN(const int64_t vertex,
                              Integer(record_[static_cast<size_t>(corner) + 1],
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
                       std::to_string(max) + ", found " + NumberText(value) + ShortLine());
  }

  static constexpr int64_t kMany = 100'000'000;

  RowReader rows_;
  const std::string& path_;
  std::vector<double> row_;     // the last line
  std::vector<double> record_;  // the counts, a vertex or a face
  size_t vertex_values_ = 3;    // the least that a vertex has
  int64_t short_line_ = 0;      // the first one whose record goes on in the next
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
  VOXBIT_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  return OffReader(text, path).Read();
}

}  // namespace voxbit::data
