#include "worker/data/files/text_rows.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <type_traits>
#include <utility>

#include "common/files.h"
#include "worker/data/scan.h"

namespace voxbit::data {
namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";
constexpr std::string_view kSeparators = " \t\r\v\f,;";

std::string_view Trim(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

// A "#" within a word is part of a name.
std::string_view WithoutComment(std::string_view line) {
  if (line.substr(0, 2) == "//") return {};
  for (size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1)) {
    if (at == 0 || kBlanks.find(line[at - 1]) != std::string_view::npos) return line.substr(0, at);
  }
  return line;
}

// from_chars knows no sign in front of a positive number, and gives nothing for one that is out of
// the range of T, be it too large or too small.
template <class T>
bool ParseNumber(std::string_view word, T& value) {
  if (word.size() > 1 && word[0] == '+' && word[1] != '-') word.remove_prefix(1);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (end != word.data() + word.size()) return false;
  if (error == std::errc::result_out_of_range) {
    const std::string text(word);
    if constexpr (std::is_same_v<T, float>) {
      value = std::strtof(text.c_str(), nullptr);
    } else {
      value = std::strtod(text.c_str(), nullptr);
    }
    return std::isfinite(value);
  }
  return error == std::errc() && std::isfinite(value);
}

}  // namespace

Result<std::string> ReadText(const std::string& path) {
  VOXBIT_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  const std::string_view begin = std::string_view(text).substr(0, 2);
  if (begin == "\xFF\xFE" || begin == "\xFE\xFF") {
    return InvalidArgument(path + ": the text is UTF-16; expected UTF-8, save it as such");
  }
  if (std::string_view(text).substr(0, 3) == "\xEF\xBB\xBF") text.erase(0, 3);
  for (size_t at = text.find('\r'); at != std::string::npos; at = text.find('\r', at + 1)) {
    if (text[std::min(at + 1, text.size() - 1)] != '\n') text[at] = '\n';
  }
  return text;
}

bool RowReader::NextLine(std::string_view& line) {
  while (!rest_.empty()) {
    const size_t end = std::min(rest_.find('\n'), rest_.size());
    line = Trim(WithoutComment(Trim(rest_.substr(0, end))));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++line_;
    if (!line.empty()) return true;
  }
  return false;
}

template <class T>
Status RowReader::Parse(std::string_view line, std::vector<T>& numbers) const {
  numbers.clear();
  line = line.substr(0, line.find('#'));
  for (;;) {
    line.remove_prefix(std::min(line.find_first_not_of(kSeparators), line.size()));
    if (line.empty()) return OkStatus();
    const size_t length = std::min(line.find_first_of(kSeparators), line.size());
    const std::string_view word = line.substr(0, length);
    T value{};
    if (!ParseNumber(word, value)) {
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
  numbers.clear();
  std::string_view line;
  while (numbers.empty()) {
    if (!NextLine(line)) return false;
    VOXBIT_RETURN_IF_ERROR(Parse(line, numbers));
  }
  return true;
}

template Status RowReader::Parse(std::string_view, std::vector<double>&) const;
template Result<bool> RowReader::Next(std::vector<float>&);
template Result<bool> RowReader::Next(std::vector<double>&);

Status RowReader::Error(const std::string& message, StatusCode code) const {
  return {code, path_ + ": line " + std::to_string(line_) + ": " + message};
}

std::vector<std::string_view> SplitAt(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  for (;;) {
    const size_t end = line.find(separator);
    fields.push_back(Trim(line.substr(0, end)));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

Result<Table> ParseTable(std::string_view text, const std::string& path,
                         const std::vector<std::string>& columns, int64_t max_rows,
                         const std::vector<std::string>& unused) {
  std::string expected = std::to_string(columns.size()) + " numbers (";
  for (const std::string& column : columns) {
    expected.append(column).append(&column == &columns.back() ? ")" : " ");
  }
  RowReader reader(text, path);
  std::vector<bool> unjudged;
  unjudged.reserve(columns.size());
  for (const std::string& column : columns) {
    unjudged.push_back(std::find(unused.begin(), unused.end(), column) != unused.end());
  }
  reader.LeaveUnjudged(std::move(unjudged));
  Table table;
  std::vector<float> row;
  while (static_cast<int64_t>(table.lines.size()) < max_rows) {
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
    table.values.insert(table.values.end(), row.begin(), row.end());
    table.lines.push_back(reader.line());
  }
  if (table.lines.empty()) {
    return InvalidArgument(path + ": the file has no points", kEmptyScanReason);
  }
  return table;
}

Result<Table> ReadTable(const std::string& path, const std::vector<std::string>& columns,
                        int64_t max_rows, const std::vector<std::string>& unused) {
  VOXBIT_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  return ParseTable(text, path, columns, max_rows, unused);
}

}  // namespace voxbit::data
