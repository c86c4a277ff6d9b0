#include "worker/data/files/text_rows.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "common/files.h"
#include "worker/data/scan.h"

namespace voxbit::data {
namespace {

constexpr std::string_view kSeparators = " \t,\r";

}  // namespace

bool RowReader::NextLine(std::string_view& line) {
  if (rest_.empty()) return false;
  const size_t end = std::min(rest_.find('\n'), rest_.size());
  line = rest_.substr(0, end);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  ++line_;
  line = line.substr(0, line.find('#'));
  line.remove_prefix(std::min(line.find_first_not_of(kSeparators), line.size()));
  line = line.substr(0, line.find_last_not_of(kSeparators) + 1);
  return true;
}

template <class T>
Status RowReader::Parse(std::string_view line, std::vector<T>& numbers) const {
  numbers.clear();
  for (;;) {
    line.remove_prefix(std::min(line.find_first_not_of(kSeparators), line.size()));
    if (line.empty()) return OkStatus();
    const size_t length = std::min(line.find_first_of(kSeparators), line.size());
    const std::string_view word = line.substr(0, length);
    T value{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(value)) {
      const size_t column = numbers.size();
      if (column >= unjudged_.size() || !unjudged_[column]) {
        return Error("expected a finite number, found \"" + std::string(word) + "\"");
      }
      value = std::numeric_limits<T>::quiet_NaN();
    }
    numbers.push_back(value);
    line.remove_prefix(length);
  }
}

template <class T>
Result<bool> RowReader::Next(std::vector<T>& numbers) {
  std::string_view line;
  if (!NextLine(line)) return false;
  VOXBIT_RETURN_IF_ERROR(Parse(line, numbers));
  return true;
}

template Status RowReader::Parse(std::string_view, std::vector<double>&) const;
template Result<bool> RowReader::Next(std::vector<float>&);
template Result<bool> RowReader::Next(std::vector<double>&);

Status RowReader::Error(const std::string& message, StatusCode code) const {
  return {code, path_ + ": line " + std::to_string(line_) + ": " + message};
}

Result<std::vector<float>> ReadTable(const std::string& path,
                                     const std::vector<std::string>& columns, int64_t max_rows,
                                     const std::vector<std::string>& unused) {
  VOXBIT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  std::string expected = std::to_string(columns.size()) + " numbers (";
  for (const std::string& column : columns) {
    expected.append(column).append(&column == &columns.back() ? ")" : " ");
  }
  std::string_view filled = text;
  filled = filled.substr(0, filled.find_last_not_of(" \t\r\n") + 1);
  RowReader reader(filled, path);
  std::vector<bool> unjudged;
  for (const std::string& column : columns) {
    unjudged.push_back(std::find(unused.begin(), unused.end(), column) != unused.end());
  }
  reader.LeaveUnjudged(std::move(unjudged));
  std::vector<float> values;
  std::vector<float> row;
  while (reader.line() < max_rows) {
    VOXBIT_ASSIGN_OR_RETURN(const bool more, reader.Next(row));
    if (!more) break;
    if (row.size() < columns.size()) {
      return reader.Error("expected " + expected + ", found " + std::to_string(row.size()) +
                              "; the file is cut short or of another format",
                          StatusCode::kDataLoss);
    }
    if (row.size() > columns.size()) {
      return reader.Error("expected " + expected + ", found " + std::to_string(row.size()));
    }
    values.insert(values.end(), row.begin(), row.end());
  }
  if (values.empty()) return InvalidArgument(path + ": the file has no points", kEmptyScanReason);
  return values;
}

}  // namespace voxbit::data
