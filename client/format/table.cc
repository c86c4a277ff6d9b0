#include "client/format/table.h"

#include <algorithm>
#include <utility>

#include "client/format/text.h"
#include "common/check.h"
#include "common/known_names.h"
#include "common/text.h"

namespace voxbit::client {
namespace {

constexpr size_t kGap = 2;

struct Layout {
  std::vector<size_t> shown;   // indices of the columns that are shown
  std::vector<size_t> widths;  // of every column
};

std::vector<size_t> NaturalWidths(const Table& table) {
  std::vector<size_t> widths;
  for (size_t i = 0; i < table.columns().size(); ++i) {
    size_t width = DisplayWidth(table.columns()[i].title);
    for (const auto& row : table.rows()) width = std::max(width, DisplayWidth(row[i].text));
    widths.push_back(width);
  }
  return widths;
}

size_t TotalWidth(const Layout& layout) {
  size_t total = 0;
  for (const size_t i : layout.shown) total += layout.widths[i] + kGap;
  return total == 0 ? 0 : total - kGap;
}

// Narrows the widest column that may be cut, until the line fits or nothing can be cut. `hard`:
// down to the title, or down to min_width where the title is longer.
void Shrink(const std::vector<Column>& columns, size_t limit, bool hard, Layout& layout) {
  while (TotalWidth(layout) > limit) {
    size_t widest = columns.size();
    for (const size_t i : layout.shown) {
      const size_t title = std::max<size_t>(DisplayWidth(columns[i].title), 1);
      const size_t floor =
          hard ? std::min(columns[i].min_width, title) : std::max(columns[i].min_width, title);
      if (columns[i].min_width == 0 || layout.widths[i] <= floor) continue;
      if (widest == columns.size() || layout.widths[i] > layout.widths[widest]) widest = i;
    }
    if (widest == columns.size()) return;
    --layout.widths[widest];
  }
}

Layout Fit(const Table& table, size_t limit) {
  const std::vector<Column>& columns = table.columns();
  Layout layout;
  const std::vector<size_t> natural = NaturalWidths(table);
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].rank != kCsvOnly) layout.shown.push_back(i);
  }
  while (true) {
    layout.widths = natural;
    Shrink(columns, limit, false, layout);
    if (TotalWidth(layout) <= limit) return layout;
    // The last one of the largest rank goes.
    auto victim = layout.shown.end();
    for (auto it = layout.shown.begin(); it != layout.shown.end(); ++it) {
      if (columns[*it].rank == 0) continue;
      if (victim == layout.shown.end() || columns[*it].rank >= columns[*victim].rank) victim = it;
    }
    if (victim == layout.shown.end()) {
      Shrink(columns, limit, true, layout);
      return layout;
    }
    layout.shown.erase(victim);
  }
}

std::string Aligned(std::string_view text, const Column& column, size_t width, bool last) {
  const std::string clipped = Clip(text, width);
  if (column.number) return PadLeft(clipped, width);
  return last ? clipped : PadRight(clipped, width);
}

std::string CsvField(const Json& value) {
  if (value.is_null()) return "";
  const std::string raw = value.is_string() ? value.get<std::string>() : CanonicalJson(value);
  std::string text = PrintableLines(raw);
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

void FlattenInto(const Json& json, const std::string& prefix,
                 std::vector<std::pair<std::string, Json>>& out) {
  const std::string dot = prefix.empty() ? "" : prefix + ".";
  if (json.is_object() && !json.empty()) {
    for (const auto& [key, value] : json.items()) FlattenInto(value, dot + key, out);
  } else if (json.is_array() && !json.empty()) {
    for (size_t i = 0; i < json.size(); ++i) FlattenInto(json[i], dot + std::to_string(i), out);
  } else if (json.is_structured()) {
    out.emplace_back(prefix, nullptr);
  } else {
    out.emplace_back(prefix, json);
  }
}

}  // namespace

Cell TextCell(std::string text, Tone tone) {
  std::string shown = OneLine(text);
  if (shown.empty()) shown = "-";
  return {std::move(shown), std::move(text), tone};
}

Cell IntCell(int64_t value) { return {std::to_string(value), value, Tone::kPlain}; }

Cell EmptyCell() { return {"-", nullptr, Tone::kDim}; }

Json NumberJson(const std::optional<double>& value) {
  return value.has_value() ? Json(*value) : Json();
}

Cell NumberCell(const std::optional<double>& value) {
  if (!value.has_value()) return EmptyCell();
  return {HumanCount(*value), *value, Tone::kPlain};
}

// Titles and cells are written nowhere but from here: no text of a peer reaches the terminal as it
// is.
Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (Column& column : columns_) column.title = OneLine(column.title);
}

void Table::AddRow(std::vector<Cell> cells) {
  VOXBIT_CHECK(cells.size() == columns_.size(), "a row needs one cell per column");
  for (Cell& cell : cells) cell.text = OneLine(cell.text);
  rows_.push_back(std::move(cells));
}

std::string Paint(std::string_view text, Tone tone, bool color) {
  if (!color || tone == Tone::kPlain) return std::string(text);
  const char* code = "";
  switch (tone) {
    case Tone::kPlain:
      break;
    case Tone::kGood:
      code = "\x1b[32m";
      break;
    case Tone::kBad:
      code = "\x1b[31m";
      break;
    case Tone::kBusy:
      code = "\x1b[36m";
      break;
    case Tone::kDim:
      code = "\x1b[2m";
      break;
  }
  return code + std::string(text) + "\x1b[0m";
}

std::string Bold(std::string_view text, bool color) {
  return color ? "\x1b[1m" + std::string(text) + "\x1b[0m" : std::string(text);
}

Result<Table> SelectColumns(const Table& table, const std::vector<std::string>& names) {
  std::vector<std::string> keys;
  for (const Column& column : table.columns()) keys.push_back(column.key);
  std::vector<size_t> chosen;
  std::vector<Column> columns;
  for (const std::string& name : names) {
    const auto found =
        std::find_if(table.columns().begin(), table.columns().end(), [&name](const Column& column) {
          return column.key == name || (!column.title.empty() && column.title == name);
        });
    if (found == table.columns().end()) {
      return InvalidArgument("there is no column \"" + name + "\"; " + KnownNames(name, keys));
    }
    chosen.push_back(static_cast<size_t>(found - table.columns().begin()));
    columns.push_back(*found);
    columns.back().rank = 0;
    if (columns.back().title.empty()) columns.back().title = columns.back().key;
  }
  Table selected(std::move(columns));
  for (const std::vector<Cell>& row : table.rows()) {
    std::vector<Cell> cells;
    cells.reserve(chosen.size());
    for (const size_t i : chosen) cells.push_back(row[i]);
    selected.AddRow(std::move(cells));
  }
  return selected;
}

std::vector<std::string> HiddenColumns(const Table& table, const TextStyle& style) {
  const std::vector<size_t> shown = Fit(table, style.width).shown;
  std::vector<std::string> hidden;
  for (size_t i = 0; i < table.columns().size(); ++i) {
    const Column& column = table.columns()[i];
    const bool is_shown = std::find(shown.begin(), shown.end(), i) != shown.end();
    if (column.rank != kCsvOnly && !is_shown) hidden.push_back(column.title);
  }
  return hidden;
}

std::string RenderText(const Table& table, const TextStyle& style) {
  const Layout layout = Fit(table, style.width);
  const std::string gap(kGap, ' ');
  std::string text;
  std::string titles;
  for (size_t k = 0; k < layout.shown.size(); ++k) {
    const size_t i = layout.shown[k];
    titles += (k == 0 ? "" : gap) + Aligned(table.columns()[i].title, table.columns()[i],
                                            layout.widths[i], k + 1 == layout.shown.size());
  }
  text += Bold(titles, style.color) + "\n";
  for (const auto& row : table.rows()) {
    for (size_t k = 0; k < layout.shown.size(); ++k) {
      const size_t i = layout.shown[k];
      const std::string cell =
          Aligned(row[i].text, table.columns()[i], layout.widths[i], k + 1 == layout.shown.size());
      text += (k == 0 ? "" : gap) + Paint(cell, row[i].tone, style.color);
    }
    text += "\n";
  }
  return text;
}

std::string RenderCsv(const Table& table) {
  std::string text;
  for (size_t i = 0; i < table.columns().size(); ++i) {
    text += (i == 0 ? "" : ",") + CsvField(table.columns()[i].key);
  }
  text += "\n";
  for (const auto& row : table.rows()) {
    for (size_t i = 0; i < row.size(); ++i) text += (i == 0 ? "" : ",") + CsvField(row[i].value);
    text += "\n";
  }
  return text;
}

Json RenderJson(const Table& table) {
  Json rows = Json::array();
  for (const auto& row : table.rows()) {
    Json object = Json::object();
    for (size_t i = 0; i < row.size(); ++i) object[table.columns()[i].key] = row[i].value;
    rows.push_back(std::move(object));
  }
  return rows;
}

std::string RenderFields(const std::vector<Field>& fields, const TextStyle& style) {
  size_t title_width = 0;
  for (const Field& field : fields)
    title_width = std::max(title_width, DisplayWidth(OneLine(field.title)));
  std::string text;
  for (const Field& field : fields) {
    text += Bold(PadRight(OneLine(field.title), title_width), style.color) + "  " +
            Paint(OneLine(field.cell.text), field.cell.tone, style.color) + "\n";
  }
  return text;
}

std::vector<std::pair<std::string, Json>> Flatten(const Json& json) {
  std::vector<std::pair<std::string, Json>> flat;
  FlattenInto(json, "", flat);
  return flat;
}

}  // namespace voxbit::client
