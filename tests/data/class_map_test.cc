#include "worker/data/files/class_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/data/dataset.h"

namespace voxbit::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kHeader[] = "raw_id\ttrain_id\tname\n";

TEST(ClassMapTest, NamesAClassByTheFirstLineOfItsTrainId) {
  const auto map =
      ParseClassMap(std::string(kHeader) + "10\t0\tcar\n40\t1\troad\n252\t0\tmoving-car\n", "t");
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_THAT(map->names, ElementsAre("car", "road"));
  EXPECT_EQ(map->raw_to_train.at(252), 0);
}

TEST(ClassMapTest, TakesCommentsBlankLinesAndTablesWithoutAHeader) {
  for (const std::string begin :
       {"", "# raw_id train_id name\r\n", "\r\nraw_id\ttrain_id\tname\r\n"}) {
    const auto map =
        ParseClassMap(begin + "0\t255\t\r\n# next\r\n\r\n 10\t 0\tcar \r\n11\t1\tC#\n", "t");
    ASSERT_TRUE(map.ok()) << map.status();
    EXPECT_THAT(map->names, ElementsAre("car", "C#"));
    EXPECT_EQ(map->raw_to_train.size(), 3U);
  }
}

TEST(ClassMapTest, ClassesOfOneNameAreToldApartByTheirNumber) {
  const auto map = ParseClassMap("1\t0\tfloor\n2\t1\tother\n3\t0\tother\n4\t2\tother\n", "t");
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_THAT(map->names, ElementsAre("floor", "other", "other"));
  EXPECT_THAT(ToldApart(map->names), ElementsAre("floor", "other (class 1)", "other (class 2)"));
  EXPECT_THAT(ToldApart({"a", "a", "a (class 1)"}),
              ElementsAre("a (class 0)", "a (class 1) (class 1)", "a (class 1) (class 2)"));
}

TEST(ClassMapTest, RefusesWrongTablesNamingFileAndLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"raw,train,name\n", "classes.tsv: line 1: expected the header"},
      {"1\t0\n", "classes.tsv: line 2: expected 3 columns"},
      {"1\t0\t\t\n", "classes.tsv: line 2: expected 3 columns"},
      {"# a comment\nx\t0\ta\n", "classes.tsv: line 3: expected a raw id"},
      {"1\t0\ta\nx\t1\tb\n", "classes.tsv: line 3: expected a raw id"},
      {"1\t256\ta\n", "classes.tsv: line 2: expected a train id from 0 to 255, found \"256\""},
      {"1\t-1\ta\n", "found \"-1\""},
      {"65536\t0\ta\n", "found \"65536\""},
      {"1\t0\ta\n1\t1\tb\n", "line 3: raw id 1 is listed already"},
      {"1\t0\ta\n2\t2\tb\n", "train ids have a gap: 1 is missing"},
      {"1\t255\tvoid\n", "no class with a train id below 255"},
  };
  for (const auto& [text, message] : cases) {
    const bool has_header = text.rfind("raw", 0) == 0;
    const auto map = ParseClassMap((has_header ? "" : kHeader) + text, "classes.tsv");
    ASSERT_FALSE(map.ok()) << text;
    EXPECT_EQ(map.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(map.status().message(), HasSubstr(message));
  }
}

TEST(ClassMapTest, OfficialAndSpvnasMapsDifferInBusRailsAndLaneMarking) {
  const ClassMap spvnas = SemanticKittiClassMap("spvnas");
  const ClassMap official = SemanticKittiClassMap("official");
  EXPECT_EQ(spvnas.names.size(), 19U);
  EXPECT_EQ(spvnas.names, official.names);
  ASSERT_EQ(official.raw_to_train.size(), 34U);
  ASSERT_EQ(spvnas.raw_to_train.size(), 34U);
  std::vector<uint32_t> different;
  for (const auto& [raw, train] : official.raw_to_train) {
    if (spvnas.raw_to_train.at(raw) == train) continue;
    different.push_back(raw);
    EXPECT_EQ(spvnas.raw_to_train.at(raw), kIgnoredLabel);
    EXPECT_EQ(train, raw == 60 ? 8 : 4) << raw;
  }
  EXPECT_THAT(different, ElementsAre(13, 16, 60, 256, 257));
}

TEST(ClassMapTest, DropsTheInstanceIdInTheUpperBits) {
  const auto labels = MapLabels(SemanticKittiClassMap("spvnas"), {10, (3U << 16) + 252, 1}, "f");
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, ElementsAre(0, 0, kIgnoredLabel));
}

TEST(ClassMapTest, NamesFilePointAndIdOfALabelOutOfTheMap) {
  const auto labels = MapLabels(SemanticKittiClassMap("spvnas"), {10, 77}, "000.label");
  ASSERT_FALSE(labels.ok());
  EXPECT_EQ(labels.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(labels.status().message(),
              HasSubstr("000.label: label out of map: point 1 has the raw id 77"));
}

}  // namespace
}  // namespace voxbit::data
