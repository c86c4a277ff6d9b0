#include "supernet/export/safetensors.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "common/files.h"
#include "common/json.h"

namespace voxbit::exporter {
namespace {

struct DTypeRow {
  DType dtype;
  std::string_view name;
  int64_t bytes;
};

constexpr std::array<DTypeRow, 5> kDTypes = {{{DType::kF32, "F32", 4},
                                              {DType::kF16, "F16", 2},
                                              {DType::kI64, "I64", 8},
                                              {DType::kI32, "I32", 4},
                                              {DType::kU8, "U8", 1}}};
constexpr size_t kPrefixBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference implementation
constexpr const char* kMetadata = "__metadata__";

const DTypeRow& RowOf(DType dtype) {
  return *std::find_if(kDTypes.begin(), kDTypes.end(),
                       [dtype](const DTypeRow& row) { return row.dtype == dtype; });
}

Status Broken(const std::string& what) { return DataLoss("safetensors: " + what); }

Status BrokenTensor(const std::string& name, const std::string& what) {
  return Broken("tensor \"" + name + "\": " + what);
}

// A number of the header as a size; false when it is not a non-negative integer.
bool ReadSize(const Json& json, int64_t* out) {
  if (!json.is_number_integer()) return false;
  if (json.is_number_unsigned() &&
      json.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return false;
  }
  *out = json.get<int64_t>();
  return *out >= 0;
}

// Bytes of a tensor, or -1 when the product overflows.
int64_t SizeOf(const std::vector<int64_t>& shape, int64_t value_bytes) {
  int64_t size = value_bytes;
  for (const int64_t dim : shape) {
    if (dim < 0 || (dim > 0 && size > std::numeric_limits<int64_t>::max() / dim)) return -1;
    size *= dim;
  }
  return size;
}

struct ParsedEntry {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  int64_t begin = 0;
  int64_t end = 0;
};

Result<ParsedEntry> ParseEntry(const std::string& name, const Json& json) {
  ParsedEntry entry;
  if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") ||
      !json.contains("data_offsets")) {
    return BrokenTensor(name, "needs dtype, shape and data_offsets");
  }
  const Json& dtype = json["dtype"];
  const auto row = std::find_if(kDTypes.begin(), kDTypes.end(), [&](const DTypeRow& known) {
    return dtype.is_string() && dtype.get_ref<const std::string&>() == known.name;
  });
  if (row == kDTypes.end()) return BrokenTensor(name, "unknown dtype " + Describe(dtype));
  entry.dtype = row->dtype;
  if (!json["shape"].is_array()) return BrokenTensor(name, "shape must be a list");
  for (const Json& dim : json["shape"]) {
    int64_t value = 0;
    if (!ReadSize(dim, &value)) return BrokenTensor(name, "bad dimension " + Describe(dim));
    entry.shape.push_back(value);
  }
  const Json& offsets = json["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2 || !ReadSize(offsets[0], &entry.begin) ||
      !ReadSize(offsets[1], &entry.end) || entry.begin > entry.end) {
    return BrokenTensor(name, "data_offsets must be two ascending sizes");
  }
  const int64_t expected = SizeOf(entry.shape, row->bytes);
  if (expected != entry.end - entry.begin) {
    return BrokenTensor(name, "its shape needs " + std::to_string(expected) + " bytes, its " +
                                  "data_offsets span " + std::to_string(entry.end - entry.begin));
  }
  return entry;
}

Status ParseMetadata(const Json& json, std::map<std::string, std::string>* metadata) {
  if (!json.is_object()) return Broken("__metadata__ must be an object of texts");
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) return Broken("__metadata__ \"" + key + "\" must be text");
    (*metadata)[key] = value.get<std::string>();
  }
  return OkStatus();
}

// The data must be covered exactly: no overlap, no hole, nothing behind the last tensor.
Status CheckCover(std::vector<std::pair<int64_t, int64_t>> spans, int64_t data_bytes) {
  std::sort(spans.begin(), spans.end());
  int64_t at = 0;
  for (const auto& [begin, end] : spans) {
    if (begin != at) {
      return Broken(begin < at ? "tensors overlap at byte " + std::to_string(begin)
                               : "unused bytes at " + std::to_string(at));
    }
    at = end;
  }
  if (at != data_bytes) {
    return Broken("the tensors need " + std::to_string(at) + " bytes of data, the file has " +
                  std::to_string(data_bytes));
  }
  return OkStatus();
}

}  // namespace

std::string_view DTypeName(DType dtype) { return RowOf(dtype).name; }

int64_t DTypeBytes(DType dtype) { return RowOf(dtype).bytes; }

Result<Safetensors> Safetensors::Parse(std::string bytes) {
  if (bytes.size() < kPrefixBytes) return Broken("shorter than its 8-byte prefix");
  uint64_t header_bytes = 0;
  for (size_t i = 0; i < kPrefixBytes; ++i) {
    header_bytes |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  if (header_bytes > kMaxHeaderBytes || header_bytes > bytes.size() - kPrefixBytes) {
    return Broken("a header of " + std::to_string(header_bytes) + " bytes in a file of " +
                  std::to_string(bytes.size()));
  }
  const std::string_view text(bytes.data() + kPrefixBytes, static_cast<size_t>(header_bytes));
  const Result<Json> parsed = ParseJson(text);
  if (!parsed.ok()) return Broken("the header: " + parsed.status().message());
  const Json& header = *parsed;
  if (!header.is_object()) return Broken("the header is not a JSON object");
  Safetensors file;
  const size_t data_begin = kPrefixBytes + static_cast<size_t>(header_bytes);
  std::vector<std::pair<int64_t, int64_t>> spans;
  for (const auto& [name, json] : header.items()) {
    if (name == kMetadata) {
      VOXBIT_RETURN_IF_ERROR(ParseMetadata(json, &file.metadata_));
      continue;
    }
    VOXBIT_ASSIGN_OR_RETURN(ParsedEntry entry, ParseEntry(name, json));
    spans.emplace_back(entry.begin, entry.end);
    file.entries_[name] = {entry.dtype, std::move(entry.shape),
                           data_begin + static_cast<size_t>(entry.begin),
                           static_cast<size_t>(entry.end - entry.begin)};
  }
  VOXBIT_RETURN_IF_ERROR(
      CheckCover(std::move(spans), static_cast<int64_t>(bytes.size() - data_begin)));
  file.bytes_ = std::move(bytes);
  return file;
}

Result<Safetensors> Safetensors::Read(const std::string& path) {
  VOXBIT_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
  Result<Safetensors> file = Parse(std::move(bytes));
  if (!file.ok()) return file.status().Annotate(path);
  return file;
}

std::vector<std::string> Safetensors::Names() const {
  std::vector<std::string> names;
  names.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

Result<TensorView> Safetensors::Find(const std::string& name) const {
  const auto it = entries_.find(name);
  if (it == entries_.end()) return NotFound("no tensor \"" + name + "\"");
  const Entry& entry = it->second;
  return TensorView{entry.dtype, entry.shape,
                    std::string_view(bytes_.data() + entry.begin, entry.size)};
}

Result<std::string> SerializeSafetensors(const std::map<std::string, TensorView>& tensors,
                                         const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  size_t at = 0;
  for (const auto& [name, tensor] : tensors) {
    if (name == kMetadata) return InvalidArgument("a tensor may not be called __metadata__");
    const int64_t expected = SizeOf(tensor.shape, DTypeBytes(tensor.dtype));
    if (expected < 0 || static_cast<size_t>(expected) != tensor.data.size()) {
      return InvalidArgument("tensor \"" + name + "\": its shape needs " +
                             std::to_string(expected) + " bytes, it has " +
                             std::to_string(tensor.data.size()));
    }
    header[name] = {{"dtype", DTypeName(tensor.dtype)},
                    {"shape", tensor.shape},
                    {"data_offsets", {at, at + tensor.data.size()}}};
    at += tensor.data.size();
  }
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // keeps the data aligned to 8 bytes
  std::string bytes;
  bytes.reserve(kPrefixBytes + text.size() + at);
  for (size_t i = 0; i < kPrefixBytes; ++i) {
    bytes.push_back(static_cast<char>((text.size() >> (8 * i)) & 0xFF));
  }
  bytes += text;
  for (const auto& [name, tensor] : tensors) bytes += tensor.data;
  return bytes;
}

}  // namespace voxbit::exporter
