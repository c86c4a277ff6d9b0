// Numbers in lines of text, with errors that name file and line.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/status.h"

namespace voxbit::data {

// Walks through the lines of a text. Numbers are separated by blanks, tabs or commas; what follows
// a "#" is a comment.
class RowReader {
 public:
  // `path` is for messages. `text` must outlive the reader.
  RowReader(std::string_view text, std::string path) : rest_(text), path_(std::move(path)) {}

  // The next line without its comment and the blanks around it. False at the end.
  bool NextLine(std::string_view& line);
  // The numbers of the next line, which may be none. False at the end. INVALID_ARGUMENT for what is
  // no finite number. T: float or double.
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

// The table in the file at `path`, [rows, columns] row-major; `columns` names them. Row i is line
// i + 1; only the end may be blank. Stops after `max_rows`. DATA_LOSS for a row that is too short,
// INVALID_ARGUMENT for one that is too long, for what is no finite number and for no row at all,
// all naming file and line, with kEmptyScanReason for no row; what ReadFile says otherwise. Columns
// named in `unused` are not judged: their values are NaN where they are no finite numbers.
Result<std::vector<float>> ReadTable(const std::string& path,
                                     const std::vector<std::string>& columns,
                                     int64_t max_rows = std::numeric_limits<int64_t>::max(),
                                     const std::vector<std::string>& unused = {});

}  // namespace voxbit::data
