#include "common/base64.h"

#include <gtest/gtest.h>

namespace voxbit {
namespace {

TEST(Base64Test, ExamplesOfTheStandard) {
  const std::vector<std::pair<std::string, std::string>> examples = {{"", ""},
                                                                     {"f", "Zg=="},
                                                                     {"fo", "Zm8="},
                                                                     {"foo", "Zm9v"},
                                                                     {"foob", "Zm9vYg=="},
                                                                     {"fooba", "Zm9vYmE="},
                                                                     {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : examples) {
    EXPECT_EQ(EncodeBase64(bytes), text);
    EXPECT_EQ(DecodeBase64(text).value(), bytes);
  }
}

TEST(Base64Test, EveryByteComesBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  for (size_t size = 250; size <= 256; ++size) {
    const std::string part = bytes.substr(0, size);
    EXPECT_EQ(DecodeBase64(EncodeBase64(part)).value(), part);
  }
}

TEST(Base64Test, RefusesWhatItWouldNotWrite) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "====", "Zm9v\n", "Zm 9",
                           "Zh==", "Zm9=", "Z=8=", "Zm9*"}) {
    EXPECT_EQ(DecodeBase64(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace voxbit
