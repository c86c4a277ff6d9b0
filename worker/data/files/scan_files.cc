#include "worker/data/files/scan_files.h"

#include <bit>
#include <cstring>
#include <utility>

#include "common/files.h"
#include "common/number_text.h"

namespace voxbit::data {
namespace {

static_assert(std::endian::native == std::endian::little, "the files are little-endian");

// Values of type T in the file at `path`. DATA_LOSS when its size is no multiple of `row_bytes`.
template <class T>
Result<std::vector<T>> ReadValues(const std::string& path, size_t row_bytes) {
  VOXBIT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  if (bytes.size() % row_bytes != 0) {
    return DataLoss(path + ": " + Counted(bytes.size(), "byte") +
                    (bytes.size() == 1 ? " is" : " are") + " not a multiple of the " +
                    Counted(row_bytes, "byte") +
                    " of a point; the file is cut short or of another format");
  }
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace

Result<std::vector<float>> ReadPoints(const std::string& path) {
  return ReadValues<float>(path, 4 * sizeof(float));
}

Result<std::vector<int32_t>> ReadLabels(const std::string& path, const ClassMap& map,
                                        const Scan& scan) {
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<uint32_t> raw,
                          ReadValues<uint32_t>(path, sizeof(uint32_t)));
  if (raw.size() != static_cast<size_t>(scan.num_points())) {
    return InvalidArgument(path + ": " + Counted(raw.size(), "label") + " for " +
                           Counted(scan.num_points(), "point") + " of " + scan.source);
  }
  return MapLabels(map, raw, path);
}

Status AddReturns(const std::string& path, Scan& scan) {
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<uint8_t> raw, ReadValues<uint8_t>(path, 2));
  const auto num_points = static_cast<size_t>(scan.num_points());
  if (raw.size() != 2 * num_points) {
    return InvalidArgument(path + ": " + Counted(raw.size() / 2, "row") + " for " +
                           Counted(num_points, "point") + " of " + scan.source);
  }
  ExtraChannel returns{"returns", std::vector<float>(num_points)};
  ExtraChannel ratio{"return_ratio", std::vector<float>(num_points)};
  for (size_t i = 0; i < num_points; ++i) {
    const int number = raw[2 * i];
    const int count = raw[2 * i + 1];
    if (number < 1 || count < number) {
      return InvalidArgument(path + ": point " + std::to_string(i) + " is return " +
                             std::to_string(number) + " of " + std::to_string(count));
    }
    returns.values[i] = static_cast<float>(count - 1);
    ratio.values[i] = static_cast<float>(number) / static_cast<float>(count);
  }
  scan.extra.push_back(std::move(returns));
  scan.extra.push_back(std::move(ratio));
  return OkStatus();
}

}  // namespace voxbit::data
