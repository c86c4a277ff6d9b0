// A scatter plot of two metrics with the front highlighted, as one self-contained SVG file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "search/domain/metric.h"

namespace voxbit::client {

struct PlotPoint {
  int64_t number = 0;  // of the trial
  double x = 0;
  double y = 0;
};

struct PlotAxis {
  std::string key;   // "latency_ms[local]"
  std::string unit;  // "ms", "byte", "1"
  search::Direction direction = search::Direction::kLower;
  bool is_log = false;  // logarithmic: values of 0 and less are left out
};

// The axis of a metric key, with unit and direction of search/domain/metric.h. A metric that the
// table does not have gets its unit from the end of its name (_ms, _bytes), and less is better.
PlotAxis AxisOf(const std::string& key);

struct ScatterPlot {
  std::string title;
  std::string subtitle;
  PlotAxis x;
  PlotAxis y;
  std::vector<PlotPoint> front;      // connected by a step line where no other one is better in
                                     // both of the two metrics
  std::vector<PlotPoint> dominated;  // the other compared trials
};

// UTF-8 SVG 1.1 of 960 x 640 units; no script, no reference outside itself. Points with a value
// that is not finite are left out.
std::string RenderSvg(const ScatterPlot& plot);
// Points that are left out because an axis is logarithmic.
size_t NumHidden(const ScatterPlot& plot);

// Ascending 1, 2 and 5 times powers of ten inside [low, high], thinned to powers of ten where those
// would be more than nine; NiceTicks where [low, high] has less than two. Requires: low > 0.
std::vector<double> LogTicks(double low, double high);

// Ascending multiples of 1, 2 or 5 times a power of ten inside [low, high]: between 4 and 9 for
// high > low.
std::vector<double> NiceTicks(double low, double high);

}  // namespace voxbit::client
