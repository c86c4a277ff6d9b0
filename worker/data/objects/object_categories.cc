#include "worker/data/objects/object_categories.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "common/number_text.h"
#include "worker/data/files/text_rows.h"
#include "worker/data/scan.h"

namespace voxbit::data {
namespace {

constexpr std::string_view kPartHeader = "category\tpart_id\tname";
// Rows of points are read as float32, which holds whole numbers up to here.
constexpr int32_t kMaxPartId = (1 << 24) - 1;

std::optional<int32_t> ParsePartId(std::string_view text) {
  int32_t id = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && id >= 0 && id <= kMaxPartId ? std::optional(id) : std::nullopt;
}

class PartTableReader {
 public:
  // One line "category<tab>id<tab>name".
  Status Add(std::string_view text, int64_t line) {
    const std::vector<std::string_view> columns = SplitAt(text, '\t');
    if (columns.size() != 3 || columns[0].empty() || columns[2].empty()) {
      return InvalidArgument(
          "expected a category, the id of a part and its name, separated by tabs");
    }
    const std::optional<int32_t> id = ParsePartId(columns[1]);
    if (!id) {
      return InvalidArgument("expected the id of a part from 0 to " + std::to_string(kMaxPartId) +
                             ", found \"" + std::string(columns[1]) + "\"");
    }
    // Scores are told by this name.
    const std::string name = std::string(columns[0]) + " " + std::string(columns[2]);
    const auto [same_id, new_id] = line_of_id_.emplace(*id, line);
    if (!new_id) return Twice("the id " + std::to_string(*id), same_id->second);
    const auto [same_name, new_name] = line_of_name_.emplace(name, line);
    if (!new_name) return Twice("the part \"" + name + "\"", same_name->second);
    Own(columns[0]).push_back({*id, std::string(columns[2])});
    return OkStatus();
  }

  PartTable Take() {
    PartTable table;
    for (const auto& [name, parts] : categories_) {
      table.categories.push_back({name, "", static_cast<int32_t>(table.ids.size()), {}});
      for (const auto& [id, part] : parts) {
        table.ids.push_back(id);
        table.categories.back().parts.push_back(part);
      }
    }
    return table;
  }

 private:
  using Parts = std::vector<std::pair<int32_t, std::string>>;

  static Status Twice(const std::string& what, int64_t line) {
    return InvalidArgument(what + " is listed already in line " + std::to_string(line));
  }

  Parts& Own(std::string_view category) {
    const auto found = std::find_if(categories_.begin(), categories_.end(),
                                    [&](const auto& known) { return known.first == category; });
    if (found != categories_.end()) return found->second;
    return categories_.emplace_back(category, Parts()).second;
  }

  std::vector<std::pair<std::string, Parts>> categories_;
  std::map<int32_t, int64_t> line_of_id_;
  std::map<std::string, int64_t> line_of_name_;
};

}  // namespace

int32_t PartTable::CategoryOf(int32_t part) const {
  for (size_t i = 0; i < categories.size(); ++i) {
    if (categories[i].HasPart(part)) return static_cast<int32_t>(i);
  }
  return -1;
}

int32_t PartTable::PartWithId(double id) const {
  const auto found = std::find_if(ids.begin(), ids.end(),
                                  [id](int32_t known) { return static_cast<double>(known) == id; });
  return found == ids.end() ? -1 : static_cast<int32_t>(found - ids.begin());
}

std::vector<std::string> PartTable::PartNames() const {
  std::vector<std::string> names;
  for (const ObjectCategory& category : categories) {
    for (const std::string& part : category.parts) names.push_back(category.name + " " + part);
  }
  return names;
}

const PartTable& ShapeNetParts() {
  static const PartTable table = [] {
    PartTable parts;
    parts.categories = {
        {"Airplane", "02691156", 0, {"body", "wing", "tail", "engine"}},
        {"Bag", "02773838", 4, {"handle", "body"}},
        {"Cap", "02954340", 6, {"panels", "peak"}},
        {"Car", "02958343", 8, {"roof", "hood", "wheel", "body"}},
        {"Chair", "03001627", 12, {"back", "seat", "leg", "arm"}},
        {"Earphone", "03261776", 16, {"earcup", "headband", "wire"}},
        {"Guitar", "03467517", 19, {"head", "neck", "body"}},
        {"Knife", "03624134", 22, {"blade", "handle"}},
        {"Lamp", "03636649", 24, {"base", "shade", "bracket", "stem"}},
        {"Laptop", "03642806", 28, {"keyboard", "screen"}},
        {"Motorbike", "03790512", 30, {"tank", "seat", "wheel", "handlebar", "light", "frame"}},
        {"Mug", "03797390", 36, {"handle", "cup"}},
        {"Pistol", "03948459", 38, {"barrel", "handle", "trigger"}},
        {"Rocket", "04099429", 41, {"body", "fin", "nose"}},
        {"Skateboard", "04225987", 44, {"wheel", "deck", "belt"}},
        {"Table", "04379243", 47, {"top", "leg", "drawer"}},
    };
    parts.ids.resize(parts.PartNames().size());
    std::iota(parts.ids.begin(), parts.ids.end(), 0);
    return parts;
  }();
  return table;
}

const std::vector<ObjectCategory>& ShapeNetCategories() { return ShapeNetParts().categories; }

Result<PartTable> ParsePartTable(std::string_view table, const std::string& source) {
  PartTableReader parts;
  RowReader reader(table, source);
  bool first = true;
  for (std::string_view line; reader.NextLine(line); first = false) {
    if (first && line == kPartHeader) continue;
    const Status added = parts.Add(line, reader.line());
    if (!added.ok()) return reader.Error(added.message());
  }
  PartTable read = parts.Take();
  if (read.ids.size() < 2 || read.ids.size() > static_cast<size_t>(kIgnoredLabel)) {
    return InvalidArgument(source + ": " + Counted(read.ids.size(), "part") + "; expected 2 to " +
                           std::to_string(kIgnoredLabel));
  }
  return read;
}

}  // namespace voxbit::data
