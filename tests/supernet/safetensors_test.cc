#include "supernet/export/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace voxbit::exporter {
namespace {

using ::testing::HasSubstr;

std::string RawFile(const std::string& header, const std::string& data) {
  std::string bytes;
  for (size_t i = 0; i < 8; ++i)
    bytes.push_back(static_cast<char>((header.size() >> (8 * i)) & 255));
  return bytes + header + data;
}

void ExpectRefused(const std::string& bytes, const std::string& why) {
  const Result<Safetensors> file = Safetensors::Parse(bytes);
  ASSERT_FALSE(file.ok()) << why;
  EXPECT_EQ(file.status().code(), StatusCode::kDataLoss);
  EXPECT_THAT(file.status().message(), HasSubstr(why));
}

TEST(SafetensorsTest, WrittenFileReadsBack) {
  const std::string floats(24, 'a');
  const std::string longs(8, 'b');
  const std::map<std::string, TensorView> tensors = {{"w", {DType::kF32, {2, 3}, floats}},
                                                     {"n", {DType::kI64, {1}, longs}},
                                                     {"empty", {DType::kU8, {0, 4}, ""}}};
  const Result<std::string> bytes = SerializeSafetensors(tensors, {{"key", "value"}});
  ASSERT_TRUE(bytes.ok());
  const Result<Safetensors> file = Safetensors::Parse(*bytes);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->Names(), ::testing::ElementsAre("empty", "n", "w"));
  EXPECT_EQ(file->metadata().at("key"), "value");
  const TensorView w = file->Find("w").value();
  EXPECT_EQ(w.dtype, DType::kF32);
  EXPECT_THAT(w.shape, ::testing::ElementsAre(2, 3));
  EXPECT_EQ(w.data, floats);
  EXPECT_EQ(file->Find("x").status().code(), StatusCode::kNotFound);
}

TEST(SafetensorsTest, EveryTruncationIsDataLoss) {
  const std::string data(16, 'x');
  const std::string bytes = SerializeSafetensors({{"w", {DType::kF32, {4}, data}}}, {}).value();
  for (size_t n = 0; n < bytes.size(); ++n) {
    const Result<Safetensors> file = Safetensors::Parse(bytes.substr(0, n));
    ASSERT_FALSE(file.ok()) << n << " bytes";
    EXPECT_EQ(file.status().code(), StatusCode::kDataLoss);
  }
}

TEST(SafetensorsTest, BrokenFilesAreDataLossWithTheReason) {
  const std::string four(4, 'x');
  ExpectRefused(std::string(7, '\0'), "prefix");
  ExpectRefused(std::string(8, '\xFF') + "{}", "header");
  ExpectRefused(RawFile("not json", ""), "JSON");
  ExpectRefused(RawFile("[1]", ""), "JSON object");
  ExpectRefused(RawFile(R"({"a":{"dtype":"F32","shape":[1]}})", four), "data_offsets");
  ExpectRefused(RawFile(R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", four),
                "dtype");
  ExpectRefused(RawFile(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", four),
                "8 bytes");
  ExpectRefused(RawFile(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", four),
                "dimension");
  ExpectRefused(RawFile(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", four),
                "ascending");
  ExpectRefused(RawFile(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", ""),
                "4 bytes");
  ExpectRefused(RawFile(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", four + four),
                "the file has 8");
  ExpectRefused(
      RawFile(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}})",
              four),
      "shape");
  ExpectRefused(RawFile(R"({"__metadata__":{"a":1}})", ""), "text");
}

TEST(SafetensorsTest, OverlapAndHoleAreDataLoss) {
  const std::string data(12, 'x');
  ExpectRefused(RawFile(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                        R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                        data),
                "overlap");
  ExpectRefused(RawFile(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                        R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
                        data),
                "unused");
}

TEST(SafetensorsTest, WriterRefusesDataThatDoesNotFitTheShape) {
  EXPECT_EQ(SerializeSafetensors({{"w", {DType::kF32, {2}, "abcd"}}}, {}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(SerializeSafetensors({{"__metadata__", {DType::kU8, {0}, ""}}}, {}).status().code(),
            StatusCode::kInvalidArgument);
}

TEST(SafetensorsTest, MissingFileIsNotFound) {
  EXPECT_EQ(Safetensors::Read("/nonexistent/x.safetensors").status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace voxbit::exporter
