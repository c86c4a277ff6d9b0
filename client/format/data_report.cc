#include "client/format/data_report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>
#include <vector>

#include "client/format/text.h"

namespace voxbit::client {
namespace {

const Json& Member(const Json& json, const std::string& key) {
  static const Json none;
  const auto found = json.is_object() ? json.find(key) : json.end();
  return json.is_object() && found != json.end() ? *found : none;
}

double Number(const Json& json, const std::string& key) {
  const Json& value = Member(json, key);
  return value.is_number() ? value.get<double>() : 0;
}

std::string Word(const Json& json, const std::string& key) {
  const Json& value = Member(json, key);
  return value.is_string() ? value.get<std::string>() : "";
}

std::vector<Json> Rows(const Json& json, const std::string& key) {
  const Json& value = Member(json, key);
  return value.is_array() ? std::vector<Json>(value.begin(), value.end()) : std::vector<Json>();
}

std::string ShortNumber(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", value);
  return text;
}

Cell CountOf(const Json& json, const std::string& key) {
  const double value = Number(json, key);
  return {HumanCount(value), value, Tone::kPlain};
}

Cell ShareCell(double part, double whole) {
  if (whole == 0) return EmptyCell();
  const double share = part / whole;
  char text[32];
  std::snprintf(text, sizeof(text), share > 0 && share < 0.001 ? "%.2g %%" : "%.1f %%",
                100 * share);
  return {text, share, Tone::kPlain};
}

Cell ValueOf(const Json& json, const std::string& key) {
  const double value = Number(json, key);
  return {ShortNumber(value), value, Tone::kPlain};
}

std::string ReadText(const Json& split) {
  const Json scans = Member(split, "scans");
  const Json read = Member(split, "read");
  const std::string text = CanonicalJson(scans);
  return scans == read ? text : text + " (" + CanonicalJson(read) + " read)";
}

std::vector<Cell> SplitCells(const Json& split, const std::string& counted, bool has_left_out) {
  const double points = Number(split, "points");
  const double left_out = Number(split, "left_out");
  const double whole = counted == "objects" ? Number(split, "read") : points - left_out;
  std::vector<Cell> cells = {TextCell(Word(split, "name")),
                             {ReadText(split), Member(split, "scans"), Tone::kPlain},
                             CountOf(split, "points")};
  if (has_left_out) cells.push_back(ShareCell(left_out, points));
  cells.insert(cells.end(),
               {ShareCell(Number(split, "labelled"), whole),
                CountOf(split, "unlabelled_scans"),
                ShareCell(Number(split, "at_origin"), points - left_out),
                CountOf(split, "fewest_points"),
                CountOf(split, "most_points"),
                {HumanBytes(Number(split, "bytes")), Number(split, "bytes"), Tone::kPlain}});
  return cells;
}

// What the settings leave out has a column where there is any.
Table SplitTable(const std::vector<Json>& splits, const std::string& counted) {
  const bool has_left_out = std::any_of(splits.begin(), splits.end(), [](const Json& split) {
    return Number(split, "left_out") > 0;
  });
  std::vector<Column> columns = {{"name", "split", false, 0, 0},
                                 {"scans", "scans", true, 0, 0},
                                 {"points", "points", true, 0, 0}};
  if (has_left_out) columns.push_back({"left_out", "left out", true, 0, 0});
  columns.insert(columns.end(), {{"labelled", "labelled", true, 0, 0},
                                 {"unlabelled_scans", "unlabelled scans", true, 2, 0},
                                 {"at_origin", "at origin", true, 1, 0},
                                 {"fewest_points", "fewest", true, 3, 0},
                                 {"most_points", "most points", true, 3, 0},
                                 {"bytes", "size", true, 4, 0}});
  Table table(std::move(columns));
  for (const Json& split : splits) table.AddRow(SplitCells(split, counted, has_left_out));
  return table;
}

std::array<Column, 2> CountColumns(const std::string& split, const std::string& counted) {
  return {Column{split + ".count", split + " " + counted, true, 1, 0},
          Column{split + ".share", split + " share", true, 0, 0}};
}

// A count and a share for each split.
Table CountTable(const std::vector<Json>& rows, const std::vector<Json>& splits,
                 const std::string& title, const std::string& counted) {
  std::vector<Column> columns = {{"name", title, false, 0, 12}};
  for (const Json& split : splits) {
    for (Column& column : CountColumns(Word(split, "name"), counted)) {
      columns.push_back(std::move(column));
    }
  }
  Table table(std::move(columns));
  for (const Json& row : rows) {
    std::vector<Cell> cells = {TextCell(Word(row, "name"))};
    for (const Json& split : splits) {
      const std::string name = Word(split, "name");
      const Json& counts = Member(row, name);
      cells.push_back(CountOf(counts, "count"));
      cells.push_back(ShareCell(Number(counts, "share"), 1));
    }
    table.AddRow(std::move(cells));
  }
  return table;
}

Table FeatureTable(const std::vector<Json>& features) {
  Table table({{"name", "feature", false, 0, 0},
               {"min", "least", true, 0, 0},
               {"max", "largest", true, 0, 0},
               {"most", "99 % within", true, 0, 0}});
  for (const Json& feature : features) {
    table.AddRow({TextCell(Word(feature, "name")), ValueOf(feature, "min"), ValueOf(feature, "max"),
                  ValueOf(feature, "most")});
  }
  return table;
}

void AddCounts(const Json& overview, const std::string& key, const std::string& title,
               const std::string& counted, const DataReportStyle& style, std::string& text) {
  const std::vector<Json> rows = Rows(overview, key);
  if (rows.empty()) return;
  if (rows.size() > style.max_classes) {
    text += "\n" + std::to_string(rows.size()) + " " + key + "; -o json lists them\n";
    return;
  }
  text += "\n" + RenderText(CountTable(rows, Rows(overview, "splits"), title, counted), style.text);
}

}  // namespace

std::string DataReport(const Json& overview, const DataReportStyle& style) {
  const std::vector<Json> splits = Rows(overview, "splits");
  if (splits.empty()) return "";
  const std::string counted = Word(overview, "counted");
  std::string text = RenderText(SplitTable(splits, counted), style.text);
  AddCounts(overview, "classes", "class", counted, style, text);
  AddCounts(overview, "categories", "category", "objects", style, text);
  if (const auto features = Rows(overview, "features"); style.has_features && !features.empty()) {
    text += "\n" + RenderText(FeatureTable(features), style.text);
  }
  const std::vector<Json> warnings = Rows(overview, "warnings");
  if (!warnings.empty()) text += "\n";
  for (const Json& warning : warnings) {
    if (!warning.is_string()) continue;
    text += Paint("warning:", Tone::kBad, style.text.color) + " " +
            OneLine(warning.get<std::string>()) + "\n";
  }
  return text;
}

std::string DataReportTotals(const Json& overview) {
  double scans = 0;
  double points = 0;
  for (const Json& split : Rows(overview, "splits")) {
    scans += Number(split, "read");
    points += Number(split, "points");
  }
  return HumanCount(scans) + (scans == 1 ? " scan, " : " scans, ") + HumanCount(points) +
         (points == 1 ? " point" : " points") + ", read in " +
         ShortNumber(Number(overview, "seconds")) + " s";
}

}  // namespace voxbit::client
