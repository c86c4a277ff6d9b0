#include "client/format/scatter_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "client/format/text.h"
#include "common/text.h"

namespace voxbit::client {
namespace {

using search::Direction;

// The plot area within the 960 x 640 units of the picture.
constexpr double kLeft = 92;
constexpr double kRight = 930;
constexpr double kTop = 108;
constexpr double kBottom = 556;

// Okabe and Ito's colour-blind safe palette; the front also differs in shape and size.
constexpr const char* kFrontColor = "#0072B2";
constexpr const char* kOtherColor = "#8C96A3";
constexpr const char* kText = "#1F2933";
constexpr const char* kSoftText = "#5B6773";
constexpr const char* kGrid = "#E4E8EC";
// Hover texts of more points than this make the file heavy.
constexpr size_t kMaxHoverTexts = 5000;

std::string Fixed(double value, int decimals = 2) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value);
  std::string text = buffer.data();
  return text == "-0" || text == "-0.00" ? text.substr(1) : text;
}

std::string Escape(const std::string& text) {
  std::string escaped;
  for (const char c : Printable(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

bool IsFinite(const PlotPoint& point) { return std::isfinite(point.x) && std::isfinite(point.y); }

bool IsHidden(const ScatterPlot& plot, const PlotPoint& point) {
  return (plot.x.is_log && point.x <= 0) || (plot.y.is_log && point.y <= 0);
}

// Those that the picture can show.
std::vector<PlotPoint> Shown(const ScatterPlot& plot, const std::vector<PlotPoint>& points) {
  std::vector<PlotPoint> shown;
  std::copy_if(points.begin(), points.end(), std::back_inserter(shown),
               [&plot](const PlotPoint& p) { return IsFinite(p) && !IsHidden(plot, p); });
  return shown;
}

// One axis: data range, ticks and the decimal prefix that its numbers share.
struct Scale {
  double low = 0;
  double high = 1;
  double factor = 1;  // a value is divided by this before it is printed
  std::string label;  // "macs [G]"
  std::vector<double> ticks;
  int decimals = 0;
  double from = 0;  // SVG coordinate of `low`
  double to = 1;    // SVG coordinate of `high`
  bool is_log = false;
  bool has_prefixes = false;  // large numbers are written with k, M, G

  double At(double value) const {
    const double part =
        is_log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + part * (to - from);
  }
  std::string Print(double value) const {
    return is_log ? PrintOfAnySize(value) : Fixed(value / factor, decimals);
  }

  // Logarithmic ticks have nothing in common: each has digits and a prefix of its own.
  std::string PrintOfAnySize(double value) const {
    if (has_prefixes) return HumanCount(value);
    std::array<char, 64> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.6g", value);
    return buffer.data();
  }
};

void ChoosePrefix(const PlotAxis& axis, Scale& scale) {
  struct Prefix {
    double factor;
    const char* name;
  };
  static constexpr std::array<Prefix, 4> kPrefixes = {
      {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}};
  const std::string unit = axis.unit == "1" ? "" : axis.unit == "byte" ? "B" : axis.unit;
  std::string shown = unit;
  scale.has_prefixes = axis.unit != "ms";
  if (scale.has_prefixes && !scale.is_log) {
    const double size = std::max(std::abs(scale.low), std::abs(scale.high));
    for (const Prefix& prefix : kPrefixes) {
      if (size < prefix.factor) continue;
      scale.factor = prefix.factor;
      shown = prefix.name + unit;
      break;
    }
  }
  std::string name = axis.key;
  const size_t bracket = name.find('[');
  if (bracket != std::string::npos && name.back() == ']') {
    name = name.substr(0, bracket) + " on " + name.substr(bracket + 1, name.size() - bracket - 2);
  }
  scale.label = name + (shown.empty() ? "" : " [" + shown + "]");
}

// Padded by the same share of the axis as a linear one. Requires: values above 0.
Scale MakeLogScale(const PlotAxis& axis, const std::vector<double>& values, Scale scale) {
  scale.low = 1;
  scale.high = 10;
  if (!values.empty()) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    const double ratio = *high / *low;
    const double pad = ratio > 1 + 1e-9 ? std::pow(ratio, 0.07) : 1.1;
    scale.low = *low / pad;
    scale.high = *high * pad;
  }
  ChoosePrefix(axis, scale);
  scale.ticks = LogTicks(scale.low, scale.high);
  return scale;
}

Scale MakeScale(const PlotAxis& axis, std::vector<double> values, double from, double to) {
  Scale scale;
  scale.from = from;
  scale.to = to;
  scale.is_log = axis.is_log;
  if (scale.is_log) return MakeLogScale(axis, values, std::move(scale));
  if (!values.empty()) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    const double span = *high - *low;
    // Equal values still need an axis; a relative floor keeps rounding noise from filling it.
    const double size = std::max(std::abs(*low), std::abs(*high));
    const double pad = span > size * 1e-9 ? span * 0.07 : (size > 0 ? size * 0.1 : 1);
    scale.low = *low - pad;
    scale.high = *high + pad;
    // No value here is negative by nature: an axis that starts just below 0 would mislead.
    if (*low >= 0) scale.low = std::max(scale.low, 0.0);
  }
  ChoosePrefix(axis, scale);
  scale.ticks = NiceTicks(scale.low, scale.high);
  if (scale.ticks.size() >= 2) {
    const double step = (scale.ticks[1] - scale.ticks[0]) / scale.factor;
    scale.decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 12);
  }
  return scale;
}

double Turned(double value, Direction direction) {
  return direction == Direction::kHigher ? value : -value;
}

// The front's points that nothing beats in the two shown metrics, from the best x on.
std::vector<PlotPoint> Skyline(const ScatterPlot& plot, std::vector<PlotPoint> points) {
  std::sort(points.begin(), points.end(), [&plot](const PlotPoint& a, const PlotPoint& b) {
    const double ax = Turned(a.x, plot.x.direction);
    const double bx = Turned(b.x, plot.x.direction);
    if (ax != bx) return ax > bx;
    return Turned(a.y, plot.y.direction) > Turned(b.y, plot.y.direction);
  });
  std::vector<PlotPoint> line;
  for (const PlotPoint& point : points) {
    if (line.empty() ||
        Turned(point.y, plot.y.direction) > Turned(line.back().y, plot.y.direction)) {
      line.push_back(point);
    }
  }
  return line;
}

struct Box {
  double left, top, right, bottom;
  bool Overlaps(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

// Draws one picture.
class Painter {
 public:
  explicit Painter(const ScatterPlot& plot)
      : plot_(plot), front_(Shown(plot, plot.front)), dominated_(Shown(plot, plot.dominated)) {
    std::vector<double> xs;
    std::vector<double> ys;
    for (const auto* points : {&front_, &dominated_}) {
      for (const PlotPoint& point : *points) {
        xs.push_back(point.x);
        ys.push_back(point.y);
      }
    }
    x_ = MakeScale(plot.x, std::move(xs), kLeft, kRight);
    y_ = MakeScale(plot.y, std::move(ys), kBottom, kTop);
    line_ = Skyline(plot, front_);
  }

  std::string Render() {
    Header();
    if (front_.empty() && dominated_.empty()) {
      Empty();
    } else {
      Grid();
      Area();
      Others();
      StepLine();
      FrontPoints();
      Labels();
    }
    AxisTitles();
    Legend();
    return svg_ + "</svg>\n";
  }

 private:
  void Add(const std::string& line) { svg_ += line + "\n"; }

  void Text(double x, double y, const std::string& style, const std::string& text) {
    Add("<text x=\"" + Fixed(x) + "\" y=\"" + Fixed(y) + "\" " + style + ">" + Escape(text) +
        "</text>");
  }

  void Line(double x1, double y1, double x2, double y2, const std::string& style) {
    Add("<line x1=\"" + Fixed(x1) + "\" y1=\"" + Fixed(y1) + "\" x2=\"" + Fixed(x2) + "\" y2=\"" +
        Fixed(y2) + "\" " + style + "/>");
  }

  void Header() {
    Add("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 640\" width=\"960\" "
        "height=\"640\" role=\"img\" font-family=\"'Helvetica Neue', Helvetica, Arial, "
        "'Liberation Sans', 'DejaVu Sans', sans-serif\">");
    Add("<title>" + Escape(plot_.title) + "</title>");
    Add("<rect width=\"960\" height=\"640\" fill=\"#FFFFFF\"/>");
    Text(kLeft, 42, "font-size=\"22\" font-weight=\"600\" fill=\"" + std::string(kText) + "\"",
         plot_.title);
    Text(kLeft, 66, "font-size=\"14\" fill=\"" + std::string(kSoftText) + "\"", plot_.subtitle);
  }

  void Empty() {
    Add("<rect x=\"" + Fixed(kLeft) + "\" y=\"" + Fixed(kTop) + "\" width=\"" +
        Fixed(kRight - kLeft) + "\" height=\"" + Fixed(kBottom - kTop) +
        "\" fill=\"none\" stroke=\"" + kGrid + "\"/>");
    Text((kLeft + kRight) / 2, (kTop + kBottom) / 2,
         "text-anchor=\"middle\" font-size=\"16\" fill=\"" + std::string(kSoftText) + "\"",
         "no succeeded trial has both metrics yet");
  }

  void Grid() {
    const std::string grid = std::string("stroke=\"") + kGrid + "\" stroke-width=\"1\"";
    const std::string tick_text = std::string("font-size=\"13\" fill=\"") + kSoftText + "\"";
    for (const double tick : x_.ticks) {
      Line(x_.At(tick), kTop, x_.At(tick), kBottom, grid);
      Text(x_.At(tick), kBottom + 20, "text-anchor=\"middle\" " + tick_text, x_.Print(tick));
    }
    for (const double tick : y_.ticks) {
      Line(kLeft, y_.At(tick), kRight, y_.At(tick), grid);
      Text(kLeft - 10, y_.At(tick) + 4.5, "text-anchor=\"end\" " + tick_text, y_.Print(tick));
    }
    const std::string axis = std::string("stroke=\"") + kSoftText + "\" stroke-width=\"1.2\"";
    Line(kLeft, kBottom, kRight, kBottom, axis);
    Line(kLeft, kTop, kLeft, kBottom, axis);
  }

  // Corner points of the boundary of what the front dominates, in SVG units.
  std::vector<std::pair<double, double>> Steps() const {
    std::vector<std::pair<double, double>> steps;
    for (size_t i = 0; i < line_.size(); ++i) {
      if (i > 0) steps.emplace_back(x_.At(line_[i].x), y_.At(line_[i - 1].y));
      steps.emplace_back(x_.At(line_[i].x), y_.At(line_[i].y));
    }
    return steps;
  }

  double WorstX() const { return plot_.x.direction == Direction::kLower ? kRight : kLeft; }
  double WorstY() const { return plot_.y.direction == Direction::kLower ? kTop : kBottom; }

  std::string Path(const std::vector<std::pair<double, double>>& corners) const {
    std::string path;
    for (const auto& [x, y] : corners) {
      path += (path.empty() ? "M" : " L") + Fixed(x) + " " + Fixed(y);
    }
    return path;
  }

  // The dominated side, lightly tinted.
  void Area() {
    auto corners = Steps();
    if (corners.empty()) return;
    corners.insert(corners.begin(), {corners.front().first, WorstY()});
    corners.emplace_back(WorstX(), corners.back().second);
    corners.emplace_back(WorstX(), WorstY());
    Add("<path d=\"" + Path(corners) + " Z\" fill=\"" + kFrontColor + "\" fill-opacity=\"0.05\"/>");
  }

  void StepLine() {
    auto corners = Steps();
    if (corners.empty()) return;
    const std::string style = std::string("\" fill=\"none\" stroke=\"") + kFrontColor +
                              "\" stroke-linejoin=\"round\" stroke-width=\"";
    Add("<path d=\"" + Path({{corners.front().first, WorstY()}, corners.front()}) + style +
        "1.2\" stroke-dasharray=\"4 4\" stroke-opacity=\"0.6\"/>");
    Add("<path d=\"" + Path({corners.back(), {WorstX(), corners.back().second}}) + style +
        "1.2\" stroke-dasharray=\"4 4\" stroke-opacity=\"0.6\"/>");
    if (corners.size() > 1) Add("<path d=\"" + Path(corners) + style + "2\"/>");
  }

  void Dot(const PlotPoint& point, double radius, const std::string& style, bool hover) {
    std::string dot = "<circle cx=\"" + Fixed(x_.At(point.x)) + "\" cy=\"" + Fixed(y_.At(point.y)) +
                      "\" r=\"" + Fixed(radius, 1) + "\" " + style;
    if (!hover) return Add(dot + "/>");
    Add(dot + "><title>" +
        Escape("trial " + std::to_string(point.number) + ": " + plot_.x.key + " " +
               HoverNumber(point.x) + ", " + plot_.y.key + " " + HoverNumber(point.y)) +
        "</title></circle>");
  }

  static std::string HoverNumber(double value) {
    std::array<char, 64> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.6g", value);
    return buffer.data();
  }

  void Others() {
    const std::string style = std::string("fill=\"") + kOtherColor + "\" fill-opacity=\"0.5\"";
    for (const PlotPoint& point : dominated_) {
      Dot(point, 3.6, style, dominated_.size() <= kMaxHoverTexts);
    }
  }

  void FrontPoints() {
    const std::string style =
        std::string("fill=\"") + kFrontColor + "\" stroke=\"#FFFFFF\" stroke-width=\"1.6\"";
    for (const PlotPoint& point : front_) Dot(point, 6, style, true);
  }

  // Puts each number where it covers neither a front point, a line nor another number; the free
  // side of the front is tried first. A number without room is left out (hovering shows it).
  void Labels() {
    std::vector<Box> taken;
    for (const PlotPoint& point : front_) {
      const double x = x_.At(point.x);
      const double y = y_.At(point.y);
      taken.push_back({x - 6, y - 6, x + 6, y + 6});
    }
    const auto corners = Steps();
    for (size_t i = 1; i < corners.size(); ++i) {
      const auto [xa, xb] = std::minmax(corners[i - 1].first, corners[i].first);
      const auto [ya, yb] = std::minmax(corners[i - 1].second, corners[i].second);
      taken.push_back({xa - 1, ya - 1, xb + 1, yb + 1});
    }
    const double sx = plot_.x.direction == Direction::kLower ? -1 : 1;
    const double sy = plot_.y.direction == Direction::kLower ? 1 : -1;
    std::vector<PlotPoint> order = front_;
    std::stable_sort(order.begin(), order.end(),
                     [](const PlotPoint& a, const PlotPoint& b) { return a.x < b.x; });
    for (const PlotPoint& point : order) PlaceLabel(point, sx, sy, taken);
  }

  void PlaceLabel(const PlotPoint& point, double sx, double sy, std::vector<Box>& taken) {
    const std::string text = std::to_string(point.number);
    const double width = 7.4 * static_cast<double>(text.size());
    const double height = 12;
    struct Offset {
      double x, y;
    };
    const std::array<Offset, 7> offsets = {
        {{sx, sy}, {0, sy}, {sx, 0}, {-sx, sy}, {sx, -sy}, {-sx, 0}, {0, -sy}}};
    for (const Offset& offset : offsets) {
      // Diagonal places may sit closer, because the dot is round.
      const bool diagonal = offset.x != 0 && offset.y != 0;
      const double away = diagonal ? 4.5 : 8;
      const double cx = x_.At(point.x) + offset.x * (away + width / 2);
      const double cy = y_.At(point.y) + offset.y * (away + height / 2);
      const Box box{cx - width / 2 - 1, cy - height / 2, cx + width / 2 + 1, cy + height / 2};
      const bool inside = box.left > kLeft && box.right < kRight + 20 && box.top > kTop - 14 &&
                          box.bottom < kBottom;
      // Its own dot does not count against a diagonal place.
      const double x = x_.At(point.x);
      const double y = y_.At(point.y);
      const bool free = std::none_of(taken.begin(), taken.end(), [&](const Box& other) {
        const bool own = std::abs((other.left + other.right) / 2 - x) < 0.01 &&
                         std::abs((other.top + other.bottom) / 2 - y) < 0.01;
        return !own && box.Overlaps(other);
      });
      if (!inside || !free) continue;
      taken.push_back(box);
      Text(cx, cy + 4.5,
           std::string("class=\"label\" text-anchor=\"middle\" font-size=\"12.5\" "
                       "font-weight=\"600\" fill=\"") +
               kFrontColor + "\"",
           text);
      return;
    }
  }

  // Also right for the y axis: turned text reads upwards, so "→" points up.
  static std::string Hint(const PlotAxis& axis) {
    return axis.direction == Direction::kHigher ? "higher is better →" : "← lower is better";
  }

  void AxisTitles() {
    const std::string name =
        std::string("font-size=\"15\" font-weight=\"600\" fill=\"") + kText + "\"";
    const std::string hint = std::string("font-size=\"13\" fill=\"") + kSoftText + "\"";
    Text(kLeft, kBottom + 52, name, x_.label);
    Text(kRight, kBottom + 52, "text-anchor=\"end\" " + hint, Hint(plot_.x));
    const std::string turn = "transform=\"rotate(-90 26 " + Fixed(kBottom) + ")\" ";
    Text(26, kBottom, turn + name, y_.label);
    const std::string turn_top = "transform=\"rotate(-90 26 " + Fixed(kTop) + ")\" ";
    Text(26, kTop, turn_top + "text-anchor=\"end\" " + hint, Hint(plot_.y));
  }

  void Legend() {
    const std::string text = std::string("font-size=\"13\" fill=\"") + kText + "\"";
    const double y = 90;
    Line(kLeft, y, kLeft + 28, y, std::string("stroke=\"") + kFrontColor + "\" stroke-width=\"2\"");
    Add("<circle cx=\"" + Fixed(kLeft + 14) + "\" cy=\"" + Fixed(y) + "\" r=\"6\" fill=\"" +
        kFrontColor + "\" stroke=\"#FFFFFF\" stroke-width=\"1.6\"/>");
    Text(kLeft + 36, y + 4.5, text,
         "front (" + std::to_string(front_.size()) + "), labelled by trial");
    Add("<circle cx=\"" + Fixed(kLeft + 236) + "\" cy=\"" + Fixed(y) + "\" r=\"3.6\" fill=\"" +
        kOtherColor + "\" fill-opacity=\"0.5\"/>");
    Text(kLeft + 248, y + 4.5, text,
         "other compared trials (" + std::to_string(dominated_.size()) + ")");
  }

  const ScatterPlot& plot_;
  std::vector<PlotPoint> front_;
  std::vector<PlotPoint> dominated_;
  std::vector<PlotPoint> line_;
  Scale x_;
  Scale y_;
  std::string svg_;
};

}  // namespace

PlotAxis AxisOf(const std::string& key) {
  const std::string name = key.substr(0, key.find('['));
  const Result<search::Metric> metric = search::FindMetric(name);
  if (!metric.ok()) {
    const std::string unit = name.ends_with("_ms") ? "ms" : name.ends_with("_bytes") ? "byte" : "1";
    return {key, unit, Direction::kLower};
  }
  return {key, std::string(metric->unit), metric->direction};
}

std::vector<double> NiceTicks(double low, double high) {
  if (!(high > low)) return {low};
  const double raw = (high - low) / 7;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double nice : {1.0, 2.0, 5.0}) {
    if (nice * power >= raw * 0.8) {
      step = nice * power;
      break;
    }
  }
  const double first = std::ceil(low / step - 1e-9);
  const auto count = static_cast<int>(std::floor(high / step + 1e-9) - first) + 1;
  std::vector<double> ticks;
  ticks.reserve(static_cast<size_t>(std::max(count, 0)));
  for (int k = 0; k < count; ++k) ticks.push_back((first + k) * step);
  return ticks;
}

std::vector<double> LogTicks(double low, double high) {
  constexpr size_t kMostTicks = 9;
  std::vector<double> ticks;
  std::vector<double> powers;
  const auto last = static_cast<int>(std::floor(std::log10(high)));
  for (auto k = static_cast<int>(std::floor(std::log10(low))); k <= last; ++k) {
    for (const double nice : {1.0, 2.0, 5.0}) {
      const double tick = nice * std::pow(10, k);
      if (tick < low || tick > high) continue;
      ticks.push_back(tick);
      if (nice == 1.0) powers.push_back(tick);
    }
  }
  if (ticks.size() < 2) return NiceTicks(low, high);
  if (ticks.size() <= kMostTicks) return ticks;
  std::vector<double> thinned;
  const size_t step = (powers.size() + kMostTicks - 1) / kMostTicks;
  for (size_t i = 0; i < powers.size(); i += step) thinned.push_back(powers[i]);
  return thinned;
}

size_t NumHidden(const ScatterPlot& plot) {
  size_t hidden = 0;
  for (const auto* points : {&plot.front, &plot.dominated}) {
    hidden += static_cast<size_t>(std::count_if(
        points->begin(), points->end(),
        [&plot](const PlotPoint& point) { return IsFinite(point) && IsHidden(plot, point); }));
  }
  return hidden;
}

std::string RenderSvg(const ScatterPlot& plot) { return Painter(plot).Render(); }

}  // namespace voxbit::client
