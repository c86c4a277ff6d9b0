// The safetensors format: 8 bytes of little-endian header length, a JSON header, raw data. The
// format of checkpoints and float weights, because nothing in it can run.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace voxbit::exporter {

enum class DType { kF32, kF16, kI64, kI32, kU8 };

// "F32", ...; bytes of one value.
std::string_view DTypeName(DType dtype);
int64_t DTypeBytes(DType dtype);

// One tensor: row-major, little-endian, contiguous. `data` may be unaligned.
struct TensorView {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::string_view data;
};

// A parsed file; owns its bytes. Immutable; thread-safe.
class Safetensors {
 public:
  // DATA_LOSS for anything that is not a complete and consistent file: truncated, bad JSON, an
  // unknown dtype, a size that does not fit the shape, offsets that overlap, leave holes or leave
  // the file.
  static Result<Safetensors> Parse(std::string bytes);
  // The same; the error names the path. NOT_FOUND when there is no such file.
  static Result<Safetensors> Read(const std::string& path);

  std::vector<std::string> Names() const;
  bool Contains(const std::string& name) const { return entries_.count(name) > 0; }
  // NOT_FOUND names the tensor. The view lives as long as this object.
  Result<TensorView> Find(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  struct Entry {
    DType dtype;
    std::vector<int64_t> shape;
    size_t begin;  // in bytes_
    size_t size;
  };

  std::string bytes_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

// The bytes of a file with these tensors, in order of name; equal input gives equal bytes.
// INVALID_ARGUMENT when the size of a tensor's data does not fit its shape or a name is reserved.
Result<std::string> SerializeSafetensors(const std::map<std::string, TensorView>& tensors,
                                         const std::map<std::string, std::string>& metadata);

}  // namespace voxbit::exporter
