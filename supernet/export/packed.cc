#include "supernet/export/packed.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>

#include "common/config.h"
#include "common/digest.h"
#include "common/files.h"
#include "supernet/quant/codes/packing.h"
#include "supernet/quant/codes/sizes.h"

namespace voxbit::exporter {
namespace {

using quant::Coding;

// "VXBP", version, bytes of the compressed header, bytes of its text: then the header, the parts
// of the tensors without gaps, and the SHA-256 of all of that.
constexpr std::string_view kMagic = "VXBP";
constexpr size_t kPrefixBytes = 16;
constexpr size_t kSealBytes = 32;
constexpr size_t kMaxHeaderText = size_t{4} << 20;
constexpr int64_t kMaxValues = int64_t{1} << 40;
constexpr size_t kMaxRank = 8;
constexpr size_t kMaxName = 255;
constexpr int64_t kFloatBytes = 4;

// A tensor's entry in the header. Keys that a coding does not use are left out.
struct Row {
  std::string name;  // not in the entry: the path to it
  std::string coding = "f32";
  std::vector<int64_t> shape;
  int64_t bits = 0;     // linear, codebook
  int64_t scales = 0;   // linear: how many
  bool zeros = false;   // linear: one for each scale is stored
  double zero = 0;      // linear: else this one
  int64_t entries = 0;  // codebook: how many
  bool masked = false;  // codebook
};

struct CodingName {
  Coding coding;
  const char* name;
};
constexpr std::array<CodingName, 4> kCodings = {{{Coding::kLinear, "linear"},
                                                 {Coding::kCodebook, "codebook"},
                                                 {Coding::kHalf, "f16"},
                                                 {Coding::kFloat, "f32"}}};

Status ParseShape(const Json& found, const std::string& pointer, Row& out) {
  if (!found.is_array() || found.size() > kMaxRank) {
    return ExpectedError(pointer, "a list of at most 8 sizes", found);
  }
  int64_t values = 1;
  for (const Json& dim : found) {
    if (!dim.is_number_integer() || dim < 0 || dim > kMaxValues ||
        std::max<int64_t>(dim.get<int64_t>(), 1) > kMaxValues / values) {
      return FieldError(pointer, "no shape of at most 2^40 values: " + found.dump());
    }
    out.shape.push_back(dim.get<int64_t>());
    values *= std::max<int64_t>(out.shape.back(), 1);
  }
  return OkStatus();
}

Fields<Row> MakeRowFields() {
  std::vector<std::string> codings;
  codings.reserve(kCodings.size());
  for (const CodingName& known : kCodings) codings.emplace_back(known.name);
  Fields<Row> fields;
  fields.Text("coding", &Row::coding, codings, "");
  fields.Custom("shape", "list", "", ParseShape, [](const Row& in) { return Json(in.shape); })
      .Required();
  fields.Int("bits", &Row::bits, {.min = 1, .max = 16}, "", "")
      .Int("scales", &Row::scales, {.min = 0, .max = kMaxValues}, "", "")
      .Bool("zeros", &Row::zeros, "")
      .Number("zero", &Row::zero, {.min = 0, .max = 65535}, "", "")
      .Int("entries", &Row::entries, {.min = 0, .max = 65536}, "", "")
      .Bool("masked", &Row::masked, "");
  return fields;
}

const Fields<Row>& RowFields() {
  static const Fields<Row> kFields = MakeRowFields();
  return kFields;
}

// What the fields by themselves cannot say.
Status CheckRow(const Row& row) {
  const bool printable =
      std::all_of(row.name.begin(), row.name.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (row.name.empty() || row.name.size() > kMaxName || !printable) {
    return InvalidArgument("its name is not 1 to 255 printable ASCII characters");
  }
  const bool is_linear = row.coding == "linear";
  const bool is_codebook = row.coding == "codebook";
  const bool has_codes = is_linear || is_codebook;
  if (has_codes ? !(quant::IsWidth(row.bits) && row.bits <= 16) : row.bits != 0) {
    return InvalidArgument(row.coding + " of " + std::to_string(row.bits) + " bits");
  }
  if (!is_linear && (row.scales != 0 || row.zeros || row.zero != 0)) {
    return InvalidArgument(row.coding + " has no scales and zeros");
  }
  if (is_linear && row.scales != 1 && (row.shape.empty() || row.scales != row.shape[0])) {
    return InvalidArgument(std::to_string(row.scales) + " scales do not fit its shape");
  }
  if (row.zeros && row.zero != 0) return InvalidArgument("both zeros and a zero");
  if (!is_codebook && (row.entries != 0 || row.masked)) {
    return InvalidArgument(row.coding + " has no codebook and no mask");
  }
  if (is_codebook && row.entries > int64_t{1} << row.bits) {
    return InvalidArgument(std::to_string(row.entries) + " entries for " +
                           std::to_string(row.bits) + " bits");
  }
  return OkStatus();
}

Row RowOf(const PackedView& view) {
  Row row;
  row.name = view.name;
  row.coding = std::find_if(kCodings.begin(), kCodings.end(), [&](const CodingName& known) {
                 return known.coding == view.coding;
               })->name;
  row.shape = view.shape;
  if (view.coding == Coding::kLinear || view.coding == Coding::kCodebook) row.bits = view.bits;
  row.scales = static_cast<int64_t>(view.scales.size()) / kFloatBytes;
  row.zeros = !view.zeros.empty();
  row.zero = view.zero;
  row.entries = static_cast<int64_t>(view.codebook.size()) / kFloatBytes;
  row.masked = !view.mask.empty();
  return row;
}

// What is said of the tensor, without its parts.
PackedView ViewOf(const Row& row) {
  PackedView view;
  view.name = row.name;
  view.coding = std::find_if(kCodings.begin(), kCodings.end(), [&](const CodingName& known) {
                  return known.name == row.coding;
                })->coding;
  view.bits = view.coding == Coding::kFloat ? 32 : view.coding == Coding::kHalf ? 16 : row.bits;
  view.shape = row.shape;
  view.zero = row.zero;
  return view;
}

Json RowJson(const Row& row) {
  static const Json kDefaults = RowFields().ToJson({});
  Json json = RowFields().ToJson(row);
  for (const auto& [key, value] : kDefaults.items()) {
    if (key != "shape" && json[key] == value) json.erase(key);
  }
  return json;
}

// "a.b.weight" as a, b, weight.
std::vector<std::string> PathOf(const std::string& name) {
  std::vector<std::string> path(1);
  for (const char c : name) {
    if (c == '.') {
      path.emplace_back();
    } else {
      path.back() += c;
    }
  }
  return path;
}

// Whether a node of the tree of tensors is one: a module called "shape" is an object, not a list.
bool IsEntry(const Json& node) { return node.contains("shape") && node["shape"].is_array(); }

// Puts an entry at its place in the tree. INVALID_ARGUMENT when something is there.
Status Place(const Row& row, Json& tree) {
  Json* node = &tree;
  for (const std::string& key : PathOf(row.name)) {
    if (IsEntry(*node)) return InvalidArgument("tensor \"" + row.name + "\": within another one");
    node = &(*node)[key];
  }
  if (!node->is_null()) return InvalidArgument("tensor \"" + row.name + "\": it is there twice");
  *node = RowJson(row);
  return OkStatus();
}

void AppendNumber(uint64_t number, std::string& bytes) {
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>((number >> (8 * i)) & 0xFF));
}

uint32_t NumberAt(std::string_view bytes, size_t at) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) {
    number |= uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  }
  return number;
}

// SHA-256 as 32 bytes.
std::string SealOf(std::string_view bytes) {
  const std::string hex = Sha256Hex(bytes);
  std::string seal;
  for (size_t i = 0; i < hex.size(); i += 2) {
    seal.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return seal;
}

const Bytef* AsZlib(std::string_view bytes) { return reinterpret_cast<const Bytef*>(bytes.data()); }

std::string Deflate(const std::string& text) {
  uLongf size = compressBound(static_cast<uLong>(text.size()));
  std::string bytes(size, '\0');
  const int code = compress2(reinterpret_cast<Bytef*>(bytes.data()), &size, AsZlib(text),
                             static_cast<uLong>(text.size()), Z_BEST_COMPRESSION);
  VOXBIT_CHECK(code == Z_OK, "zlib");
  bytes.resize(size);
  return bytes;
}

Status Broken(const std::string& what) { return DataLoss("packed file: " + what); }

Status BrokenTensor(const std::string& name, const std::string& what) {
  return Broken("tensor \"" + name + "\": " + what);
}

// The text of a zlib stream that fills `stream` exactly.
Result<std::string> Inflate(std::string_view stream, size_t text_bytes) {
  std::string text(text_bytes, '\0');
  uLongf size = static_cast<uLongf>(text_bytes);
  uLong used = static_cast<uLong>(stream.size());
  const int code = uncompress2(reinterpret_cast<Bytef*>(text.data()), &size, AsZlib(stream), &used);
  if (code != Z_OK || size != text_bytes || used != stream.size()) {
    return Broken("its header is no zlib stream of " + std::to_string(text_bytes) + " bytes");
  }
  return text;
}

Result<Json> ParseHeader(std::string_view text) {
  Result<Json> header = ParseJson(text);
  if (!header.ok()) return Broken("its header: " + header.status().message());
  if (!header->is_object() || header->size() != 2 || !header->contains("metadata") ||
      !(*header)["metadata"].is_object() || !header->contains("tensors") ||
      !(*header)["tensors"].is_object()) {
    return Broken("its header is not the JSON of two objects, \"metadata\" and \"tensors\"");
  }
  return header;
}

// Cuts parts off the front of the payload.
class Payload {
 public:
  explicit Payload(std::string_view bytes) : rest_(bytes) {}

  bool Take(int64_t size, std::string_view* part) {
    if (static_cast<uint64_t>(size) > rest_.size()) return false;
    *part = rest_.substr(0, static_cast<size_t>(size));
    rest_.remove_prefix(static_cast<size_t>(size));
    return true;
  }
  size_t size() const { return rest_.size(); }

 private:
  std::string_view rest_;
};

int64_t CountBits(std::string_view bytes) {
  int64_t count = 0;
  for (const char byte : bytes) count += std::popcount(static_cast<unsigned char>(byte));
  return count;
}

// Cuts the parts of `row` off `payload`.
Result<PackedView> TakeTensor(const Row& row, Payload& payload) {
  PackedView view = ViewOf(row);
  int64_t values = 1;
  for (const int64_t dim : row.shape) values *= dim;
  const bool has_codes = row.bits > 0;
  bool fits = payload.Take(has_codes ? 0 : values * view.bits / 8, &view.values) &&
              payload.Take(row.masked ? quant::PackedBytes(values, 1) : 0, &view.mask);
  int64_t num_codes = has_codes ? values : 0;
  if (fits && row.masked) {
    num_codes = CountBits(view.mask);
    if (values % 8 != 0 && (static_cast<unsigned char>(view.mask.back()) >> (values % 8)) != 0) {
      return BrokenTensor(row.name, "its mask is longer than its shape");
    }
  }
  fits = fits &&
         payload.Take(has_codes ? quant::PackedBytes(num_codes, row.bits) : 0, &view.codes) &&
         payload.Take(row.entries * kFloatBytes, &view.codebook) &&
         payload.Take(row.scales * kFloatBytes, &view.scales) &&
         payload.Take(row.zeros ? row.scales * kFloatBytes : 0, &view.zeros);
  if (!fits) return BrokenTensor(row.name, "it reaches beyond the end of the file");
  return view;
}

// The entries below a node, in the order of the file. `prefix` is the name of the node and a dot.
Status CollectRows(const Json& node, const std::string& prefix, std::vector<Row>& rows) {
  const std::string name = prefix.substr(0, prefix.rfind('.'));
  if (!node.is_object()) {
    return Broken(ExpectedError("/tensors/" + name, "an object", node).message());
  }
  if (IsEntry(node)) {
    const auto row = RowFields().Parse(node, "/tensors/" + name);
    if (!row.ok()) return Broken(row.status().message());
    rows.push_back(*row);
    rows.back().name = name;
    return OkStatus();
  }
  for (const auto& [key, child] : node.items()) {
    if (key.find('.') != std::string::npos) return Broken("a dot in the key \"" + key + "\"");
    VOXBIT_RETURN_IF_ERROR(CollectRows(child, prefix + key + ".", rows));
  }
  return OkStatus();
}

Result<std::vector<PackedView>> TakeTensors(const Json& tree, std::string_view bytes) {
  std::vector<Row> rows;
  VOXBIT_RETURN_IF_ERROR(CollectRows(tree, "", rows));
  Payload payload(bytes);
  std::vector<PackedView> tensors;
  tensors.reserve(rows.size());
  for (const Row& row : rows) {
    const Status checked = CheckRow(row);
    if (!checked.ok()) return BrokenTensor(row.name, checked.message());
    VOXBIT_ASSIGN_OR_RETURN(PackedView view, TakeTensor(row, payload));
    tensors.push_back(std::move(view));
  }
  if (payload.size() != 0) {
    return Broken(std::to_string(payload.size()) + " bytes belong to no tensor");
  }
  return tensors;
}

}  // namespace

Result<PackedFile> PackedFile::Parse(std::string bytes) {
  PackedFile file(std::move(bytes));
  const std::string_view all = *file.bytes_;
  if (all.size() < kPrefixBytes + kSealBytes) {
    return Broken(std::to_string(all.size()) + " bytes are too few");
  }
  if (all.substr(0, kMagic.size()) != kMagic) return Broken("it does not begin with VXBP");
  const std::string_view sealed = all.substr(0, all.size() - kSealBytes);
  if (SealOf(sealed) != all.substr(sealed.size())) {
    return Broken("damaged or cut off: its SHA-256 is another than the one at its end");
  }
  if (const uint32_t version = NumberAt(all, 4); version != kPackedVersion) {
    return InvalidArgument("packed file: version " + std::to_string(version) +
                           " of the format; known: " + std::to_string(kPackedVersion));
  }
  const size_t header_bytes = NumberAt(all, 8);
  const size_t text_bytes = NumberAt(all, 12);
  if (header_bytes > sealed.size() - kPrefixBytes || text_bytes > kMaxHeaderText) {
    return Broken("a header of " + std::to_string(header_bytes) + " bytes, " +
                  std::to_string(text_bytes) + " as text, in a file of " +
                  std::to_string(all.size()));
  }
  VOXBIT_ASSIGN_OR_RETURN(const std::string text,
                          Inflate(sealed.substr(kPrefixBytes, header_bytes), text_bytes));
  VOXBIT_ASSIGN_OR_RETURN(Json header, ParseHeader(text));
  VOXBIT_ASSIGN_OR_RETURN(
      file.tensors_, TakeTensors(header["tensors"], sealed.substr(kPrefixBytes + header_bytes)));
  file.metadata_ = std::move(header["metadata"]);
  return file;
}

Result<PackedFile> PackedFile::Read(const std::string& path) {
  VOXBIT_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
  Result<PackedFile> file = Parse(std::move(bytes));
  if (!file.ok()) return file.status().Annotate(path);
  return file;
}

Result<std::string> SerializePacked(const Json& metadata, std::vector<PackedView> tensors) {
  // As the header's text has them: nlohmann/json sorts the keys of an object.
  std::sort(tensors.begin(), tensors.end(), [](const PackedView& a, const PackedView& b) {
    return PathOf(a.name) < PathOf(b.name);
  });
  Json tree = Json::object();
  std::string payload;
  for (const PackedView& view : tensors) {
    VOXBIT_RETURN_IF_ERROR(Place(RowOf(view), tree));
    for (const std::string_view part :
         {view.values, view.mask, view.codes, view.codebook, view.scales, view.zeros}) {
      payload += part;
    }
  }
  const std::string text = CanonicalJson({{"metadata", metadata}, {"tensors", std::move(tree)}});
  if (text.size() > kMaxHeaderText) {
    return InvalidArgument("a header of " + std::to_string(text.size()) + " bytes; at most " +
                           std::to_string(kMaxHeaderText));
  }
  const std::string header = Deflate(text);
  std::string bytes(kMagic);
  AppendNumber(kPackedVersion, bytes);
  AppendNumber(header.size(), bytes);
  AppendNumber(text.size(), bytes);
  bytes += header;
  bytes += payload;
  bytes += SealOf(bytes);
  // Reading it back is the whole of the check.
  const Result<PackedFile> back = PackedFile::Parse(bytes);
  if (!back.ok()) return InvalidArgument(back.status().message());
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (back->tensors()[i] == tensors[i]) continue;
    return InvalidArgument("tensor \"" + tensors[i].name +
                           "\": its parts do not fit what is said of it");
  }
  return bytes;
}

}  // namespace voxbit::exporter
