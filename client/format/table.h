// Rows for people (fitted to the terminal) and for programs (CSV, JSON).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/json.h"
#include "common/status.h"

namespace voxbit::client {

// Meaning of a cell, shown as a colour where colours are allowed.
enum class Tone { kPlain, kGood, kBad, kBusy, kDim };

inline constexpr int kCsvOnly = -1;

struct Column {
  std::string key;      // flat name in CSV and JSON: "measured.miou"
  std::string title;    // in the table
  bool number = false;  // numbers stand right-aligned
  // Too narrow a terminal drops the columns of the largest rank first; rank 0 stays. kCsvOnly:
  // never in the table for people.
  int rank = 0;
  // May be cut down to this width, or to its title where that is longer, before anything is
  // dropped; to the shorter one of both when nothing is left to drop; 0: never cut.
  size_t min_width = 0;
};

struct Cell {
  std::string text;  // as people read it
  Json value;        // at full precision; null where there is none
  Tone tone = Tone::kPlain;
};

// A cell of text, shown as it is.
Cell TextCell(std::string text, Tone tone = Tone::kPlain);
// A whole number, shown with all its digits.
Cell IntCell(int64_t value);
// "-" in the table, nothing in CSV, null in JSON.
Cell EmptyCell();
// A number shown with three digits and a prefix; EmptyCell where there is none.
Cell NumberCell(const std::optional<double>& value);

// null where there is none.
Json NumberJson(const std::optional<double>& value);

struct TextStyle {
  static constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();

  size_t width = 80;  // kUnlimited: nothing is cut or left out
  bool color = false;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);

  // Requires: as many cells as columns.
  void AddRow(std::vector<Cell> cells);
  const std::vector<Column>& columns() const { return columns_; }
  const std::vector<std::vector<Cell>>& rows() const { return rows_; }

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// The columns that `names` lists, in that order and each as important as the first; a name is that
// of CSV or the title. INVALID_ARGUMENT for a name that is neither, with what there is.
Result<Table> SelectColumns(const Table& table, const std::vector<std::string>& names);

// Lines of at most `style.width` columns: the titles, then one for each row.
std::string RenderText(const Table& table, const TextStyle& style);
// Titles of the columns that RenderText has to leave out.
std::vector<std::string> HiddenColumns(const Table& table, const TextStyle& style);
// RFC 4180 with "\n" line ends: a line of keys, then one line per row.
std::string RenderCsv(const Table& table);
// An array with one object per row.
Json RenderJson(const Table& table);

// "name   value" lines with aligned values; only the table form has this shape.
struct Field {
  std::string title;
  Cell cell;
};
std::string RenderFields(const std::vector<Field>& fields, const TextStyle& style);

// Nested objects and arrays as flat names, in the order of the document:
// {"a": {"b": [1]}} gives a.b.0 = 1.
std::vector<std::pair<std::string, Json>> Flatten(const Json& json);

// `text` in the colour of `tone`, or as it is.
std::string Paint(std::string_view text, Tone tone, bool color);
std::string Bold(std::string_view text, bool color);

}  // namespace voxbit::client
