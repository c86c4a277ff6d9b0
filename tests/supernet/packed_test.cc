#include "supernet/export/packed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <sstream>

#include "common/digest.h"
#include "common/files.h"
#include "common/rng.h"
#include "supernet/quant/codes/packing.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"

namespace voxbit::exporter {
namespace {

using quant::Coding;
using ::testing::HasSubstr;

std::string Floats(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::string Codes(const std::vector<uint16_t>& codes, int64_t bits) {
  const auto num = static_cast<int64_t>(codes.size());
  std::string bytes(static_cast<size_t>(quant::PackedBytes(num, bits)), '\0');
  quant::PackCodes(codes.data(), num, bits, reinterpret_cast<uint8_t*>(bytes.data()));
  return bytes;
}

// Views and the bytes that they point into.
struct Model {
  Json metadata = {{"supernet", {{"kind", "toy"}}}, {"in_channels", 3}};
  std::vector<PackedView> tensors;
  std::deque<std::string> parts;

  std::string_view Keep(std::string bytes) { return parts.emplace_back(std::move(bytes)); }
  PackedView& Add(std::string name, Coding coding, int64_t bits, std::vector<int64_t> shape) {
    PackedView& view = tensors.emplace_back();
    view.name = std::move(name);
    view.coding = coding;
    view.bits = bits;
    view.shape = std::move(shape);
    return view;
  }
};

// One tensor of every coding and option, in the order of the file.
Model SmallModel() {
  Model model;
  PackedView& book = model.Add("conv.kernel", Coding::kCodebook, 2, {2, 3});
  book.mask = model.Keep(Codes({1, 1, 0, 1, 1, 1}, 1));
  book.codes = model.Keep(Codes({0, 2, 1, 1, 0}, 2));
  book.codebook = model.Keep(Floats({-0.5F, 0.25F, 1}));
  model.Add("empty", Coding::kFloat, 32, {0, 5});
  PackedView& linear = model.Add("fc.weight", Coding::kLinear, 3, {2, 2});
  linear.codes = model.Keep(Codes({0, 3, 6, 4}, 3));
  linear.scales = model.Keep(Floats({0.5F, 0.125F}));
  linear.zero = 3;
  PackedView& affine = model.Add("fc2.weight", Coding::kLinear, 16, {2});
  affine.codes = model.Keep(Codes({65535, 1}, 16));
  affine.scales = model.Keep(Floats({0.5F}));
  affine.zeros = model.Keep(Floats({7}));
  model.Add("half", Coding::kHalf, 16, {3}).values = model.Keep("abcdef");
  // A module may be called as the key of an entry.
  model.Add("scalar.shape", Coding::kFloat, 32, {}).values = model.Keep(Floats({4}));
  return model;
}

std::string BytesOf(const Model& model) {
  const Result<std::string> bytes = SerializePacked(model.metadata, model.tensors);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value();
}

std::string Number(size_t number) {
  std::string bytes;
  for (size_t i = 0; i < 4; ++i) bytes += static_cast<char>(number >> (8 * i) & 255);
  return bytes;
}

std::string Sealed(std::string bytes) {
  const std::string hex = Sha256Hex(bytes);
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string Compressed(const std::string& text) {
  uLongf size = compressBound(text.size());
  std::string bytes(size, '\0');
  compress(reinterpret_cast<Bytef*>(bytes.data()), &size,
           reinterpret_cast<const Bytef*>(text.data()), text.size());
  bytes.resize(size);
  return bytes;
}

// A file whose seal is right, whatever it says.
std::string File(const std::string& header, const std::string& payload) {
  const std::string stream = Compressed(header);
  return Sealed("VXBP" + Number(2) + Number(stream.size()) + Number(header.size()) + stream +
                payload);
}

std::string WithTensors(const std::string& entries, const std::string& payload = "") {
  return File(R"({"metadata":{},"tensors":{)" + entries + "}}", payload);
}

// With one tensor, called "a".
std::string WithTensor(const std::string& entry, const std::string& payload = "") {
  return WithTensors("\"a\":" + entry, payload);
}

void ExpectDataLoss(const std::string& bytes, const std::string& why) {
  const Result<PackedFile> file = PackedFile::Parse(bytes);
  ASSERT_FALSE(file.ok()) << why;
  EXPECT_EQ(file.status().code(), StatusCode::kDataLoss) << file.status();
  EXPECT_THAT(file.status().message(), HasSubstr(why));
}

// The layers of a Point Transformer, batch norms included, with 2 to 4 bits.
Model RealisticModel() {
  Model model;
  Rng rng(5);
  const auto random = [&](size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng.Below(256));
    return model.Keep(std::move(bytes));
  };
  const auto plain = [&](const std::string& name, int64_t size) {
    model.Add(name, Coding::kFloat, 32, {size}).values = random(static_cast<size_t>(4 * size));
  };
  const auto layer = [&](const std::string& name, int64_t out, int64_t in) {
    const auto bits = 2 + rng.Below(3);
    PackedView& view = model.Add(name + ".weight", Coding::kCodebook, bits, {out, in});
    view.codes = random(static_cast<size_t>(quant::PackedBytes(out * in, bits)));
    view.codebook = random(size_t{4} << bits);
    plain(name + ".bias", out);
  };
  for (int64_t i = 0; i < 9; ++i) {
    const std::string stage = "transformers." + std::to_string(i) + ".";
    const int64_t width = int64_t{32} << (i % 4);
    layer(stage + "fc1", 128, width);
    layer(stage + "fc2", width, 128);
    for (const char* name :
         {"fc_delta.0", "fc_delta.2", "fc_gamma.0", "fc_gamma.2", "w_qs", "w_ks", "w_vs"}) {
      layer(stage + name, 96, 96);
    }
    for (int64_t j = 0; j < 4; ++j) {
      const std::string down = "backbone.transition_downs." + std::to_string(i) + ".sa.mlp_";
      layer(down + "convs." + std::to_string(j), width, 24);
      const std::string norm = down + "bns." + std::to_string(j) + ".";
      for (const char* name : {"weight", "bias", "running_mean", "running_var"}) {
        plain(norm + name, width / 4);
      }
    }
  }
  model.metadata = {{"candidate", Json::array()},
                    {"in_channels", 22},
                    {"num_classes", 50},
                    {"space_digest", Sha256Hex("space")},
                    {"supernet",
                     {{"kind", "point_transformer"},
                      {"task", "segmentation"},
                      {"num_points", 1024},
                      {"num_blocks", 4},
                      {"num_neighbours", 16},
                      {"model_dim", 512},
                      {"quantization",
                       {{"weight_bits", {2, 3, 4}},
                        {"weight_quantizer", "kmeans"},
                        {"activation_quantizer", "wave"},
                        {"pinned", {"first", "last"}}}}}}};
  for (int i = 0; i < 114; ++i) model.metadata["candidate"].push_back(rng.Below(3));
  return model;
}

TEST(PackedTest, WrittenFileReadsBack) {
  const Model model = SmallModel();
  const testing::TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir.File("a.vxb"), BytesOf(model)).ok());
  Result<PackedFile> file = PackedFile::Read(dir.File("a.vxb"));
  ASSERT_TRUE(file.ok()) << file.status();
  const PackedFile moved = std::move(file).value();
  EXPECT_EQ(moved.metadata(), model.metadata);
  EXPECT_EQ(moved.tensors(), model.tensors);
}

TEST(PackedTest, TheOrderOfTheTensorsDoesNotMatter) {
  Model model = SmallModel();
  std::reverse(model.tensors.begin(), model.tensors.end());
  EXPECT_EQ(BytesOf(model), BytesOf(SmallModel()));
}

TEST(PackedTest, EqualInputGivesEqualBytes) {
  EXPECT_EQ(BytesOf(SmallModel()), BytesOf(SmallModel()));
  EXPECT_EQ(BytesOf(RealisticModel()), BytesOf(RealisticModel()));
}

TEST(PackedTest, TheExampleOfTheDocumentationReadsAsItSays) {
  const std::string page = ReadFile(testing::SourceDir() + "/docs/packed_format.md").value();
  const std::string fence = "```\n";
  const size_t begin = page.find(fence) + fence.size();
  std::istringstream words(page.substr(begin, page.find(fence, begin) - begin));
  std::string bytes;
  for (std::string word; words >> word;) {
    bytes += static_cast<char>(std::stoi(word, nullptr, 16));
  }
  EXPECT_EQ(bytes.size(), 234U);
  const Result<PackedFile> file = PackedFile::Parse(bytes);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata(), Json({{"in_channels", 2}}));
  const Model model = SmallModel();
  ASSERT_EQ(file->tensors().size(), 3U);
  EXPECT_EQ(file->tensors()[0], model.tensors[0]);
  EXPECT_EQ(file->tensors()[1].values, Floats({0.75F, -2}));
  EXPECT_EQ(file->tensors()[2], model.tensors[2]);
}

TEST(PackedTest, TheHeaderIsBelowOnePercentOfASmallNetwork) {
  const Model model = RealisticModel();
  ASSERT_GE(model.tensors.size(), 350U);
  size_t payload = 0;
  for (const std::string& part : model.parts) payload += part.size();
  const size_t file = BytesOf(model).size();
  ASSERT_NEAR(static_cast<double>(payload), 400e3, 50e3);
  EXPECT_LT(static_cast<double>(file), 1.01 * static_cast<double>(payload));
  RecordProperty("tensors", static_cast<int>(model.tensors.size()));
  RecordProperty("payload_bytes", static_cast<int>(payload));
  RecordProperty("overhead_bytes", static_cast<int>(file - payload));
}

TEST(PackedTest, EveryFlippedBitIsDetected) {
  const std::string bytes = BytesOf(SmallModel());
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    ASSERT_EQ(PackedFile::Parse(damaged).status().code(), StatusCode::kDataLoss) << "bit " << bit;
  }
}

TEST(PackedTest, FlippedBitsOfALargeFileAreDetected) {
  const std::string bytes = BytesOf(RealisticModel());
  std::vector<size_t> places;
  for (size_t i = 0; i < 64; ++i) {
    places.push_back(i);                     // prefix, begin of the header
    places.push_back(bytes.size() - 1 - i);  // end of the parts, SHA-256
  }
  for (size_t i = 64; i < bytes.size(); i += 997) places.push_back(i);
  for (const size_t place : places) {
    std::string damaged = bytes;
    damaged[place] = static_cast<char>(damaged[place] ^ 1 << place % 8);
    ASSERT_EQ(PackedFile::Parse(std::move(damaged)).status().code(), StatusCode::kDataLoss)
        << "byte " << place;
  }
}

TEST(PackedTest, EveryTruncationAndAnyAdditionIsDetected) {
  const std::string bytes = BytesOf(SmallModel());
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_EQ(PackedFile::Parse(bytes.substr(0, size)).status().code(), StatusCode::kDataLoss)
        << size << " bytes";
  }
  ExpectDataLoss(bytes + '\0', "SHA-256");
  ExpectDataLoss(bytes + bytes, "SHA-256");
}

TEST(PackedTest, DamageNamesTheFile) {
  const testing::TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir.File("a.vxb"), "").ok());
  const Status status = PackedFile::Read(dir.File("a.vxb")).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("a.vxb: packed file: 0 bytes are too few"));
  EXPECT_EQ(PackedFile::Read(dir.File("b.vxb")).status().code(), StatusCode::kNotFound);
}

TEST(PackedTest, AnotherVersionIsSaid) {
  std::string bytes = BytesOf(SmallModel());
  bytes[4] = 1;
  const Status status = PackedFile::Parse(Sealed(bytes.substr(0, bytes.size() - 32))).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("version 1 of the format; known: 2"));
}

TEST(PackedTest, WrongHeadersAreDataLossWithTheReason) {
  const std::string none = R"({"metadata":{},"tensors":{}})";
  EXPECT_TRUE(PackedFile::Parse(File(none, "")).ok());
  const std::string stream = Compressed(none);
  const auto with_lengths = [&](size_t header, size_t text, const std::string& tail = "") {
    return Sealed("VXBP" + Number(2) + Number(header) + Number(text) + stream + tail);
  };
  ExpectDataLoss(with_lengths(0xFFFFFFFF, none.size()), "a header of 4294967295 bytes");
  ExpectDataLoss(with_lengths(stream.size() + 1, none.size()), "a header of");
  ExpectDataLoss(with_lengths(stream.size(), 0xFFFFFFFF), "4294967295 as text");
  ExpectDataLoss(with_lengths(stream.size(), none.size() + 1), "zlib");
  ExpectDataLoss(with_lengths(stream.size(), none.size() - 1), "zlib");
  ExpectDataLoss(with_lengths(stream.size() + 1, none.size(), "x"), "zlib");
  ExpectDataLoss(with_lengths(0, 0), "zlib");
  // 5 MiB of spaces in a few kilobytes.
  ExpectDataLoss(File(std::string(5 << 20, ' '), ""), "5242880 as text");
  for (const char* text :
       {"", "no JSON", "[]", "{}", R"({"metadata":{},"tensors":[]})",
        R"({"metadata":1,"tensors":{}})", R"({"tensors":{}})",
        R"({"metadata":{},"tensors":{},"more":1})", "{\"metadata\":{\"\xFF\":1}"}) {
    ExpectDataLoss(File(text, ""), "its header");
  }
  for (const char* bracket : {"[", R"({"a":)"}) {
    std::string deep = R"({"tensors":{},"metadata":)";
    for (int i = 0; i < 500'000; ++i) deep += bracket;
    ExpectDataLoss(File(deep, ""), "more than 64 levels deep");
  }
}

TEST(PackedTest, WrongTensorsAreDataLossWithTheReason) {
  const std::string four(4, 'x');
  const std::string good = R"({"coding":"f32","shape":[1]})";
  EXPECT_TRUE(PackedFile::Parse(WithTensor(good, four)).ok());
  EXPECT_TRUE(PackedFile::Parse(WithTensor(R"({"shape":[1]})", four)).ok());
  ExpectDataLoss(WithTensor(good), "beyond the end");
  ExpectDataLoss(WithTensor(good, four + "y"), "1 bytes belong to no tensor");
  ExpectDataLoss(WithTensors(R"("a":)" + good + R"(,"a":)" + good, four + four),
                 "/tensors/a: this key is given twice");
  ExpectDataLoss(WithTensor("1"), "an object");
  ExpectDataLoss(WithTensor(R"({"b":[1]})"), "an object");
  ExpectDataLoss(WithTensors(R"("shape":[1])", four), "printable");
  ExpectDataLoss(WithTensors(R"("":)" + good, four), "printable");
  ExpectDataLoss(WithTensors(R"("a\n":)" + good, four), "printable");
  ExpectDataLoss(WithTensors(R"("a.b":)" + good, four), "a dot in the key");
  ExpectDataLoss(WithTensor(R"({"coding":"f64","shape":[1]})", four), "f64");
  ExpectDataLoss(WithTensor(R"({"coding":"f32","shape":[1],"x":1})", four), "x");
  ExpectDataLoss(WithTensor(R"({"shape":[1],"b":{"shape":[1]}})", four + four), "b");
  for (const char* shape :
       {"1", "[-1]", "[1.5]", "[1e300]", "[18446744073709551615]", "[9223372036854775807]",
        "[4294967296,4294967296]", "[0,1099511627776,2]", "[1,1,1,1,1,1,1,1,1]"}) {
    const bool is_list = shape[0] == '[';
    ExpectDataLoss(WithTensor(R"({"coding":"f32","shape":)" + std::string(shape) + "}", four),
                   is_list ? "shape" : "an object");
  }
  // 2^40 values are a shape, but no file has them.
  ExpectDataLoss(WithTensor(R"({"coding":"f32","shape":[1099511627776]})", four), "beyond the end");
  const auto coded = [&](const std::string& more) {
    return WithTensor(R"({"shape":[2],)" + more + "}", four + four);
  };
  ExpectDataLoss(coded(R"("coding":"f32","bits":8)"), "f32 of 8 bits");
  ExpectDataLoss(coded(R"("coding":"linear","scales":1)"), "linear of 0 bits");
  ExpectDataLoss(coded(R"("coding":"linear","scales":1,"bits":9)"), "linear of 9 bits");
  ExpectDataLoss(coded(R"("coding":"linear","scales":3,"bits":8)"), "3 scales");
  ExpectDataLoss(coded(R"("coding":"linear","bits":8)"), "0 scales");
  ExpectDataLoss(coded(R"("coding":"linear","scales":1,"bits":8,"zeros":true,"zero":1)"), "both");
  ExpectDataLoss(coded(R"("coding":"linear","scales":1,"bits":8,"zero":1e30)"), "zero");
  ExpectDataLoss(coded(R"("coding":"linear","scales":1,"bits":8,"masked":true)"), "mask");
  ExpectDataLoss(coded(R"("coding":"codebook","entries":5,"bits":2)"), "5 entries");
  ExpectDataLoss(coded(R"("coding":"codebook","entries":1,"bits":2,"scales":1)"), "no scales");
  ExpectDataLoss(
      WithTensor(R"({"coding":"codebook","shape":[2],"bits":1,"entries":0,"masked":true})",
                 "\xFF\x01"),
      "mask is longer");
}

// Headers that went through other hands: each is refused or read, and what is read can be written.
TEST(PackedTest, ChangedHeadersNeverDoHarm) {
  const Model model = SmallModel();
  const std::string bytes = BytesOf(model);
  const auto number = [&](size_t at) {
    return size_t{static_cast<unsigned char>(bytes[at])} |
           size_t{static_cast<unsigned char>(bytes[at + 1])} << 8;
  };
  std::string text(number(12), '\0');
  uLongf size = text.size();
  ASSERT_EQ(uncompress(reinterpret_cast<Bytef*>(text.data()), &size,
                       reinterpret_cast<const Bytef*>(bytes.data()) + 16, number(8)),
            Z_OK);
  const std::string payload = bytes.substr(16 + number(8), bytes.size() - 48 - number(8));
  ASSERT_EQ(PackedFile::Parse(File(text, payload))->tensors(), model.tensors);
  constexpr uint64_t kSeed = 11;
  SCOPED_TRACE(kSeed);
  Rng rng(kSeed);
  const auto below = [&](size_t count) {
    return static_cast<size_t>(rng.Below(static_cast<int64_t>(count)));
  };
  const std::string alphabet = "0123456789-.e[]{}\",:truefalsn\x01\xFF";
  int read = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string changed = text;
    const int64_t changes = 1 + rng.Below(3);
    for (int64_t i = 0; i < changes; ++i)
      changed[below(changed.size())] = alphabet[below(alphabet.size())];
    const Result<PackedFile> file = PackedFile::Parse(File(changed, payload));
    if (!file.ok()) continue;
    ++read;
    const auto again = SerializePacked(file->metadata(), file->tensors());
    ASSERT_TRUE(again.ok()) << changed << again.status();
  }
  EXPECT_GT(read, 0);  // names may change, for one
}

TEST(PackedTest, WriterRefusesWhatWouldNotReadBack) {
  const auto refused = [](const Model& model, const std::string& why) {
    const Status status = SerializePacked(model.metadata, model.tensors).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr(why));
  };
  Model model = SmallModel();
  model.tensors[1].name = model.tensors[0].name;
  refused(model, "twice");
  model = SmallModel();
  model.tensors[1].name = "conv.kernel.more";
  refused(model, "\"conv.kernel.more\": within another one");
  model = SmallModel();
  model.tensors[1].name = std::string("a") + std::string(100, '.');
  refused(model, "more than 64 levels deep");
  model = SmallModel();
  model.tensors[2].shape = {2, 3};
  refused(model, "");
  // One byte too many here and one too few there.
  model = SmallModel();
  model.tensors[4].values = "abcdefg";
  model.tensors[5].values = "abc";
  refused(model, "\"half\": its parts do not fit");
  model = SmallModel();
  model.tensors[5].bits = 16;
  refused(model, "\"scalar.shape\"");
  model = SmallModel();
  model.metadata = 3;
  refused(model, "metadata");
  model = SmallModel();
  model.metadata["text"] = std::string(5 << 20, 'x');
  refused(model, "at most 4194304");
}

}  // namespace
}  // namespace voxbit::exporter
