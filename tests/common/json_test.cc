#include "common/json.h"

#include <gtest/gtest.h>

namespace voxbit {
namespace {

TEST(JsonTest, AKeyThatAnObjectHasTwiceIsNamedByItsPointer) {
  const auto message = [](const char* text) {
    const Result<Json> json = ParseJson(text);
    EXPECT_EQ(json.status().code(), StatusCode::kInvalidArgument) << text;
    return json.status().message();
  };
  EXPECT_EQ(message(R"({"a": 1, "b": 2, "a": 3})"),
            "/a: this key is given twice; keep one of the two");
  const auto starts = [&](const char* text, const std::string& pointer) {
    EXPECT_EQ(message(text).rfind(pointer + ": ", 0), 0U) << message(text);
  };
  starts(R"({"s": [1, [], {"x": {}}, {"x": {"y": 1, "z": [], "y": {}}}]})", "/s/3/x/y");
  starts(R"([{"a": 1}, {"a": 1, /* again */ "a": 1}])", "/1/a");
  starts(R"({"a/b": 1, "a/b": 1})", "/a~1b");
  starts(R"({"": 1, "": 1})", "/");
}

TEST(JsonTest, TheSameKeyInDifferentObjectsIsFine) {
  EXPECT_TRUE(ParseJson(R"({"a": {"a": [{"a": 1}, {"a": 1}]}, "b": {"a": 2}})").ok());
}

TEST(JsonTest, WhatIsNoJsonNamesLineAndColumn) {
  EXPECT_EQ(ParseJson("{\"a\": 1,\n  nope}").status().message().rfind("line 2, column ", 0), 0U);
  EXPECT_FALSE(ParseJson("{\"a\": 1e999}").ok());
}

TEST(JsonTest, TextThatIsNestedTooDeeplyIsRefused) {
  const auto nested = [](size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  EXPECT_TRUE(ParseJson(nested(kMaxJsonDepth)).ok());
  for (const size_t levels : {kMaxJsonDepth + 1, size_t{1'000'000}}) {
    const Status status = ParseJson(nested(levels)).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), "not valid JSON: nested more than 64 levels deep");
  }
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_EQ(ParseJson(objects).status().message(), ParseJson(nested(65)).status().message());
}

}  // namespace
}  // namespace voxbit
