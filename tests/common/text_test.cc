#include "common/text.h"

#include <gtest/gtest.h>

#include "common/json.h"

namespace voxbit {
namespace {

TEST(TextTest, WhatCouldSteerATerminalIsEscaped) {
  EXPECT_EQ(Printable("plain Zürich 漢字 👍"), "plain Zürich 漢字 👍");
  EXPECT_EQ(Printable("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(Printable("\x1b[31mred\x7f"), "\\x1b[31mred\\x7f");
  EXPECT_EQ(Printable(std::string("nul\0", 4)), "nul\\x00");
  EXPECT_EQ(Printable("\xC2\x9b"
                      "31m"),
            "\\u009b31m");                                        // C1: another way to write ESC [
  EXPECT_EQ(Printable("\xE2\x80\xAEgpj.exe"), "\\u202egpj.exe");  // right-to-left override
  EXPECT_EQ(Printable("\xE2\x81\xA6"), "\\u2066");
  EXPECT_EQ(Printable("\xE2\x80\xA8"), "\\u2028");
}

TEST(TextTest, BytesThatAreNotUtf8AreEscaped) {
  EXPECT_EQ(Printable("x\xff"), "x\\xff");
  EXPECT_EQ(Printable("\xC3"), "\\xc3");
  EXPECT_EQ(Printable("\xC0\x8A"), "\\xc0\\x8a");                    // an overlong line break
  EXPECT_EQ(Printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");           // half a surrogate pair
  EXPECT_EQ(Printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
}

TEST(TextTest, LinesMayStay) { EXPECT_EQ(PrintableLines("a\n\tb\x1b[1m"), "a\n\tb\\x1b[1m"); }

TEST(TextTest, EscapedJsonIsTheSameDocument) {
  const Json json = {{"name", "a\n\x1b\x7f\xC2\x9b\xE2\x80\xAE"}};
  const std::string text = PrintableJson(json.dump(2));
  EXPECT_EQ(Json::parse(text), json);
  EXPECT_EQ(text, "{\n  \"name\": \"a\\n\\u001b\\u007f\\u009b\\u202e\"\n}");
}

TEST(TextTest, NamesAreShortUtf8) {
  EXPECT_TRUE(CheckName("a target", "Jetson Orin").ok());
  EXPECT_TRUE(CheckName("a target", "gerät").ok());
  EXPECT_TRUE(CheckName("a target", "a\nb").ok());
  for (const std::string& name : {std::string(), std::string(" a"), std::string("a "),
                                  std::string("a\xff"), std::string(101, 'a')}) {
    EXPECT_EQ(CheckName("a target", name).code(), StatusCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(CheckName("a target", "a\nb ").message(),
            "a target needs 1 to 100 bytes of UTF-8 without a space at either end, found "
            "\"a\\nb \"");
}

TEST(TextTest, ArgumentsAreUtf8) {
  EXPECT_TRUE(CheckArguments({"study", "show", "Zürich"}).ok());
  EXPECT_EQ(CheckArguments({"study", "x\xff"}).message(),
            "argument 2 is not UTF-8 text: \"x\\xff\"");
}

}  // namespace
}  // namespace voxbit
