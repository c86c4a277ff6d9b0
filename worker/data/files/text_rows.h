// Lines of text files and numbers in them, as different tools write them, with errors that name
// file and line.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/status.h"

namespace voxbit::data {

// The text in the file at `path` without a byte order mark; a carriage return that no line feed
// follows has become one. INVALID_ARGUMENT for UTF-16; what ReadFile says otherwise.
Result<std::string> ReadText(const std::string& path);

// Walks through the lines of a text that say something: blank lines are left out, and so is what
// follows a "#" or "//" at the beginning of a line or a "#" behind a blank.
class RowReader {
 public:
  // `path` is for messages. `text` must outlive the reader.
  RowReader(std::string_view text, std::string path) : rest_(text), path_(std::move(path)) {}

  // The next line without its comment and the blanks and tabs around it. False at the end.
  bool NextLine(std::string_view& line);
  // The numbers of the next line that has any. They are separated by blanks, tabs, commas or
  // semicolons; a "#" ends them. False at the end. INVALID_ARGUMENT for what is no finite number;
  // one that is too small for T becomes the nearest that there is. T: float or double.
  template <class T>
  Result<bool> Next(std::vector<T>& numbers);
  // The same from a line that was read already.
  template <class T>
  Status Parse(std::string_view line, std::vector<T>& numbers) const;

  // From now on what stands in these columns of a line is not judged: it is NaN where it is no
  // finite number.
  void LeaveUnjudged(std::vector<bool> columns) { unjudged_ = std::move(columns); }

  // Of the last line read, from 1.
  int64_t line() const { return line_; }
  // "<path>: line <n>: <message>".
  Status Error(const std::string& message, StatusCode code = StatusCode::kInvalidArgument) const;

 private:
  std::string_view rest_;
  std::string path_;
  int64_t line_ = 0;
  std::vector<bool> unjudged_;
};

// The fields of a line, separated by `separator`, without the blanks around each; at least one.
std::vector<std::string_view> SplitAt(std::string_view line, char separator);

// Rows of numbers and where each of them was found.
struct Table {
  std::vector<float> values;   // [rows, columns] row-major
  std::vector<int64_t> lines;  // of each row, from 1
};

// The table in `text`, which is of the file at `path`; `columns` names them. Stops after
// `max_rows`. DATA_LOSS for a row that is too short, INVALID_ARGUMENT for one that is too long, for
// what is no finite number and for no row at all, all naming file and line, with kEmptyScanReason
// for no row. Columns named in `unused` are not judged: their values are NaN where they are no
// finite numbers.
Result<Table> ParseTable(std::string_view text, const std::string& path,
                         const std::vector<std::string>& columns,
                         int64_t max_rows = std::numeric_limits<int64_t>::max(),
                         const std::vector<std::string>& unused = {});

// The same of the text in the file at `path`; what ReadText says otherwise.
Result<Table> ReadTable(const std::string& path, const std::vector<std::string>& columns,
                        int64_t max_rows = std::numeric_limits<int64_t>::max(),
                        const std::vector<std::string>& unused = {});

}  // namespace voxbit::data
