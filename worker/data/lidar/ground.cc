#include "worker/data/lidar/ground.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <utility>

namespace voxbit::data {
namespace {

constexpr double kCellM = 2;
constexpr double kMaxCellsPerSide = 500;
constexpr double kMaxSlope = 0.15;
constexpr double kToleranceM = 0.3;
constexpr double kOutlierShare = 0.02;
constexpr double kLoneDropM = 1;
constexpr double kGapM = 250;
constexpr int kRelaxations = 8;
constexpr double kUnknown = std::numeric_limits<double>::infinity();

// A horizontal raster of heights; kUnknown where there is none.
struct Raster {
  int64_t width = 0;
  int64_t depth = 0;
  std::vector<double> z;

  Raster(int64_t w, int64_t d) : width(w), depth(d), z(static_cast<size_t>(w * d), kUnknown) {}
  double& At(int64_t x, int64_t y) { return z[static_cast<size_t>(y * width + x)]; }
  double At(int64_t x, int64_t y) const { return z[static_cast<size_t>(y * width + x)]; }
  double Clamped(int64_t x, int64_t y) const {
    return At(std::clamp<int64_t>(x, 0, width - 1), std::clamp<int64_t>(y, 0, depth - 1));
  }
  // At fractional cell coordinates; cell centres lie at integers.
  double Bilinear(double x, double y) const {
    const double fx = std::floor(x);
    const double fy = std::floor(y);
    const auto ix = static_cast<int64_t>(fx);
    const auto iy = static_cast<int64_t>(fy);
    const double wx = x - fx;
    const double wy = y - fy;
    return (1 - wy) * ((1 - wx) * Clamped(ix, iy) + wx * Clamped(ix + 1, iy)) +
           wy * ((1 - wx) * Clamped(ix, iy + 1) + wx * Clamped(ix + 1, iy + 1));
  }
};

struct Grid {
  double min_x = 0;
  double min_y = 0;
  double cell = kCellM;
  int64_t width = 0;
  int64_t depth = 0;
};

Grid MakeGrid(const std::vector<float>& points) {
  double min_x = kUnknown, min_y = kUnknown, max_x = -kUnknown, max_y = -kUnknown;
  for (size_t i = 0; i < points.size(); i += 4) {
    min_x = std::min<double>(min_x, points[i]);
    max_x = std::max<double>(max_x, points[i]);
    min_y = std::min<double>(min_y, points[i + 1]);
    max_y = std::max<double>(max_y, points[i + 1]);
  }
  const double extent = std::max(max_x - min_x, max_y - min_y);
  Grid grid{min_x, min_y, std::max(kCellM, extent / kMaxCellsPerSide), 0, 0};
  grid.width = static_cast<int64_t>((max_x - min_x) / grid.cell) + 1;
  grid.depth = static_cast<int64_t>((max_y - min_y) / grid.cell) + 1;
  return grid;
}

struct InCell {
  int64_t cell;  // y * width + x
  float z;
  friend bool operator<(const InCell& a, const InCell& b) {
    return a.cell != b.cell ? a.cell < b.cell : a.z < b.z;
  }
};

// Sorted by cell, then by height.
std::vector<InCell> ByCell(const std::vector<float>& points, const Grid& grid) {
  std::vector<InCell> by_cell;
  by_cell.reserve(points.size() / 4);
  for (size_t i = 0; i < points.size(); i += 4) {
    const auto x = static_cast<int64_t>((points[i] - grid.min_x) / grid.cell);
    const auto y = static_cast<int64_t>((points[i + 1] - grid.min_y) / grid.cell);
    by_cell.push_back({y * grid.width + x, points[i + 2]});
  }
  std::sort(by_cell.begin(), by_cell.end());
  return by_cell;
}

// Whether a point of the cells around reaches down to within kLoneDropM of `low`, the lowest point
// of `cell`. By cell in `lowest`: its lowest height.
bool HasCompany(const Raster& lowest, int64_t cell, double low) {
  const int64_t x = cell % lowest.width;
  const int64_t y = cell / lowest.width;
  for (int64_t ny = std::max<int64_t>(y - 1, 0); ny <= std::min(y + 1, lowest.depth - 1); ++ny) {
    for (int64_t nx = std::max<int64_t>(x - 1, 0); nx <= std::min(x + 1, lowest.width - 1); ++nx) {
      if ((nx != x || ny != y) && lowest.At(nx, ny) <= low + kLoneDropM) return true;
    }
  }
  return false;
}

// The height of the ground in each cell as its own points have it; unknown where the lowest of them
// has no other point near its height or below, in the cell or around: a stray one.
Raster CellMinima(const std::vector<float>& points, const Grid& grid) {
  const std::vector<InCell> by_cell = ByCell(points, grid);
  Raster lowest(grid.width, grid.depth);
  for (const InCell& point : by_cell) {
    double& low = lowest.z[static_cast<size_t>(point.cell)];
    low = std::min<double>(low, point.z);
  }
  Raster ground(grid.width, grid.depth);
  bool known = false;
  for (size_t begin = 0; begin < by_cell.size();) {
    const int64_t cell = by_cell[begin].cell;
    size_t end = begin;
    while (end < by_cell.size() && by_cell[end].cell == cell) ++end;
    const auto skipped = static_cast<size_t>(kOutlierShare * static_cast<double>(end - begin));
    const float low = by_cell[begin + skipped].z;
    const bool alone =
        begin + skipped + 1 == end || by_cell[begin + skipped + 1].z > low + kLoneDropM;
    if (!alone || HasCompany(lowest, cell, low)) {
      ground.z[static_cast<size_t>(cell)] = low;
      known = true;
    }
    begin = end;
  }
  // Points that are all far from one another have nothing but themselves for a ground.
  return known ? ground : lowest;
}

// Two-pass chamfer transform: each cell takes the least of its neighbours plus the rise allowed
// over their distance.
Raster LowerEnvelope(Raster surface, double cell) {
  const double straight = kMaxSlope * cell;
  const double diagonal = straight * std::sqrt(2.0);
  const auto lower = [&surface](int64_t x, int64_t y, int64_t dx, int64_t dy, double rise) {
    const int64_t nx = x + dx;
    const int64_t ny = y + dy;
    if (nx < 0 || ny < 0 || nx >= surface.width || ny >= surface.depth) return;
    surface.At(x, y) = std::min(surface.At(x, y), surface.At(nx, ny) + rise);
  };
  for (int64_t y = 0; y < surface.depth; ++y) {
    for (int64_t x = 0; x < surface.width; ++x) {
      lower(x, y, -1, 0, straight);
      lower(x, y, 0, -1, straight);
      lower(x, y, -1, -1, diagonal);
      lower(x, y, 1, -1, diagonal);
    }
  }
  for (int64_t y = surface.depth - 1; y >= 0; --y) {
    for (int64_t x = surface.width - 1; x >= 0; --x) {
      lower(x, y, 1, 0, straight);
      lower(x, y, 0, 1, straight);
      lower(x, y, 1, 1, diagonal);
      lower(x, y, -1, 1, diagonal);
    }
  }
  return surface;
}

// Half the resolution: the mean of the known cells of each 2 x 2 block.
Raster Coarser(const Raster& fine) {
  Raster coarse((fine.width + 1) / 2, (fine.depth + 1) / 2);
  for (int64_t y = 0; y < coarse.depth; ++y) {
    for (int64_t x = 0; x < coarse.width; ++x) {
      double sum = 0;
      int known = 0;
      for (int64_t k = 0; k < 4; ++k) {
        const int64_t fx = 2 * x + k % 2;
        const int64_t fy = 2 * y + k / 2;
        if (fx >= fine.width || fy >= fine.depth || fine.At(fx, fy) == kUnknown) continue;
        sum += fine.At(fx, fy);
        ++known;
      }
      if (known > 0) coarse.At(x, y) = sum / known;
    }
  }
  return coarse;
}

// Fills unknown cells from the coarser levels. Requires: at least one known cell.
void Fill(Raster& raster) {
  std::vector<std::pair<int64_t, int64_t>> unknown;
  for (int64_t y = 0; y < raster.depth; ++y) {
    for (int64_t x = 0; x < raster.width; ++x) {
      if (raster.At(x, y) == kUnknown) unknown.emplace_back(x, y);
    }
  }
  if (unknown.empty()) return;
  Raster coarse = Coarser(raster);
  Fill(coarse);
  for (const auto& [x, y] : unknown) {
    raster.At(x, y) = coarse.Bilinear((static_cast<double>(x) - 0.5) / 2,  //
                                      (static_cast<double>(y) - 0.5) / 2);
  }
  for (int pass = 0; pass < kRelaxations; ++pass) {
    for (const auto& [x, y] : unknown) {
      raster.At(x, y) = (raster.Clamped(x - 1, y) + raster.Clamped(x + 1, y) +
                         raster.Clamped(x, y - 1) + raster.Clamped(x, y + 1)) /
                        4;
    }
  }
}

// The rows of points in the groups that gaps of more than kGapM or twice that separate: squares of
// that side with points in them, joined where they touch.
std::vector<std::vector<size_t>> Islands(const std::vector<float>& points) {
  // Of any float, however far out.
  const auto square = [](float position) {
    return static_cast<int64_t>(std::clamp(std::floor(position / kGapM), -1e15, 1e15));
  };
  std::map<std::pair<int64_t, int64_t>, std::vector<size_t>> squares;
  for (size_t i = 0; i < points.size() / 4; ++i) {
    squares[{square(points[4 * i]), square(points[4 * i + 1])}].push_back(i);
  }
  std::vector<std::vector<size_t>> islands;
  while (!squares.empty()) {
    std::vector<size_t>& island = islands.emplace_back();
    std::vector<std::pair<int64_t, int64_t>> open = {squares.begin()->first};
    while (!open.empty()) {
      const auto [x, y] = open.back();
      open.pop_back();
      const auto found = squares.find({x, y});
      if (found == squares.end()) continue;
      island.insert(island.end(), found->second.begin(), found->second.end());
      squares.erase(found);
      for (int64_t k = 0; k < 9; ++k) open.emplace_back(x + k % 3 - 1, y + k / 3 - 1);
    }
    std::sort(island.begin(), island.end());
  }
  return islands;
}

std::vector<float> HeightsOn(const std::vector<float>& points, const Grid& grid) {
  std::vector<float> heights(points.size() / 4);
  Raster ground = CellMinima(points, grid);
  const Raster envelope = LowerEnvelope(ground, grid.cell);
  for (size_t i = 0; i < ground.z.size(); ++i) {
    if (ground.z[i] > envelope.z[i] + kToleranceM) ground.z[i] = kUnknown;
  }
  Fill(ground);
  for (size_t i = 0; i < heights.size(); ++i) {
    const double x = (points[4 * i] - grid.min_x) / grid.cell - 0.5;
    const double y = (points[4 * i + 1] - grid.min_y) / grid.cell - 0.5;
    heights[i] = static_cast<float>(points[4 * i + 2] - ground.Bilinear(x, y));
  }
  return heights;
}

}  // namespace

std::vector<float> HeightAboveGround(const std::vector<float>& points) {
  if (points.empty()) return {};
  const Grid grid = MakeGrid(points);
  if (grid.cell <= kCellM) return HeightsOn(points, grid);
  // Cells would become larger. A few stray points are no reason for that.
  std::vector<float> heights(points.size() / 4);
  for (const std::vector<size_t>& island : Islands(points)) {
    std::vector<float> own;
    own.reserve(4 * island.size());
    for (const size_t row : island) {
      const auto point = points.begin() + static_cast<std::ptrdiff_t>(4 * row);
      own.insert(own.end(), point, point + 4);
    }
    const std::vector<float> own_heights = HeightsOn(own, MakeGrid(own));
    for (size_t i = 0; i < island.size(); ++i) heights[island[i]] = own_heights[i];
  }
  return heights;
}

}  // namespace voxbit::data
