#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stop_token>

#include "tests/data/data_folders.h"

namespace voxbit::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// sequences/NN with one scan of three points for each of `numbers`, raw labels 10, 60 and 0.
void WriteSequence(const std::string& root, const std::string& sequence,
                   const std::vector<std::string>& numbers) {
  const std::string folder = root + "/sequences/" + sequence;
  for (const std::string& number : numbers) {
    std::string points = folder;
    points.append("/velodyne/").append(number).append(".bin");
    WriteArray(points, ThreePoints());
    std::string labels = folder;
    labels.append("/labels/").append(number).append(".label");
    WriteArray<uint32_t>(labels, {10, 60, 0});
  }
}

TEST(SemanticKittiTest, ReadsAFolderWithClassTableAndSplitFiles) {
  const TempFolder folder;
  WriteSmallFolder(folder.path());
  const auto dataset = OpenFolder(folder.path());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->class_names(), ElementsAre("ground", "building"));
  EXPECT_EQ((*dataset)->size(Split::kTrain), 1);
  EXPECT_EQ((*dataset)->size(Split::kVal), 1);
  const auto scan = (*dataset)->Load(Split::kVal, 0);
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->name, "b");
  EXPECT_EQ(scan->source, folder.path() + "/velodyne/b.bin");
  EXPECT_EQ(scan->points, ThreePoints());
  EXPECT_THAT(scan->labels, ElementsAre(0, 1, kIgnoredLabel));
  EXPECT_TRUE(scan->extra.empty());
}

TEST(SemanticKittiTest, ReadsThePublishedSequencesInOrder) {
  const TempFolder folder;
  WriteSequence(folder.path(), "00", {"000001", "000000"});
  WriteSequence(folder.path(), "03", {"000000"});
  WriteSequence(folder.path(), "08", {"000002"});
  const auto dataset = OpenFolder(folder.path(), {{"train_sequences", {"00", "03"}}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->num_classes(), 19);
  ASSERT_EQ((*dataset)->size(Split::kTrain), 3);
  EXPECT_EQ((*dataset)->Load(Split::kTrain, 0)->name, "00/000000");
  EXPECT_EQ((*dataset)->Load(Split::kTrain, 1)->name, "00/000001");
  EXPECT_EQ((*dataset)->Load(Split::kTrain, 2)->name, "03/000000");
  EXPECT_EQ((*dataset)->Load(Split::kVal, 0)->name, "08/000002");
}

TEST(SemanticKittiTest, LaneMarkingsAreRoadUnderTheOfficialMapOnly) {
  const TempFolder folder;
  WriteSequence(folder.path(), "08", {"000000"});
  const Json sequences = {{"train_sequences", {"08"}}};
  const auto spvnas = OpenFolder(folder.path(), sequences);
  Json with_map = sequences;
  with_map["class_map"] = "official";
  const auto official = OpenFolder(folder.path(), with_map);
  ASSERT_TRUE(spvnas.ok() && official.ok());
  EXPECT_THAT((*spvnas)->Load(Split::kVal, 0)->labels, ElementsAre(0, 255, 255));
  EXPECT_THAT((*official)->Load(Split::kVal, 0)->labels, ElementsAre(0, 8, 255));
}

TEST(SemanticKittiTest, TakesExtensionsInAnyCaseAndLeavesOutHiddenFiles) {
  const TempFolder folder;
  WriteSequence(folder.path(), "00", {"000000", "000001"});
  WriteSequence(folder.path(), "08", {"000000"});
  const std::string train = folder.path() + "/sequences/00";
  std::filesystem::rename(train + "/velodyne/000001.bin", train + "/velodyne/000001.BIN");
  std::filesystem::rename(train + "/labels/000001.label", train + "/labels/000001.Label");
  WriteText(train + "/velodyne/._000000.bin", "Mac OS X");
  const auto dataset = OpenFolder(folder.path(), {{"train_sequences", {"00"}}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  ASSERT_EQ((*dataset)->size(Split::kTrain), 2);
  const auto scan = (*dataset)->Load(Split::kTrain, 1);
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->name, "00/000001");
}

TEST(SemanticKittiTest, ReadsListsAndTablesAsOtherToolsWriteThem) {
  const TempFolder folder;
  WriteSmallFolder(folder.path());
  WriteText(folder.path() + "/classes.tsv",
            "\xEF\xBB\xBFraw_id\ttrain_id\tname\r\n# none\r\n0\t255\tvoid\r\n\r\n10\t0\tground\r\n"
            "20\t1\tbuilding\r\n");
  WriteText(folder.path() + "/train.txt", "\xEF\xBB\xBF# first\r\n\r\n a \r\n");
  WriteText(folder.path() + "/val.txt", "b\t# second\r");
  std::filesystem::rename(folder.path() + "/velodyne/a.bin", folder.path() + "/velodyne/a.BIN");
  std::filesystem::rename(folder.path() + "/labels/a.label", folder.path() + "/labels/a.LABEL");
  const auto dataset = OpenFolder(folder.path());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->class_names(), ElementsAre("ground", "building"));
  const auto scan = (*dataset)->Load(Split::kTrain, 0);
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->name, "a");
}

TEST(SemanticKittiTest, TakesEveryNthScan) {
  const TempFolder folder;
  WriteSequence(folder.path(), "00", {"000000", "000001", "000002", "000003", "000004"});
  WriteSequence(folder.path(), "08", {"000000"});
  const auto dataset =
      OpenFolder(folder.path(), {{"train_sequences", {"00"}}, {"sample_stride", 2}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(Split::kTrain), 3);
  EXPECT_EQ((*dataset)->Load(Split::kTrain, 2)->name, "00/000004");
}

TEST(SemanticKittiTest, MissingSequencesAreNamedWithTheSettingThatChoosesThem) {
  const TempFolder folder;
  WriteSequence(folder.path(), "00", {"000000"});
  const Status train = OpenFolder(folder.path()).status();
  EXPECT_EQ(train.code(), StatusCode::kNotFound);
  EXPECT_THAT(
      train.message(),
      AllOf(StartsWith("/dataset/train_sequences: "),
            HasSubstr(folder.path() + "/sequences/ for 01, 02, 03, 04, 05, 06, 07, 09, 10;"),
            HasSubstr("there are 00")));
  EXPECT_THAT(OpenFolder(folder.path(), {{"train_sequences", {"00"}}}).status().message(),
              AllOf(StartsWith("/dataset/val_sequences: "), HasSubstr("for 08;")));
  std::filesystem::create_directories(folder.path() + "/sequences/08/velodyne");
  EXPECT_THAT(OpenFolder(folder.path(), {{"train_sequences", {"00"}}}).status().message(),
              HasSubstr("the split val has no scans in the sequences of /dataset/val_sequences"));
}

TEST(SemanticKittiTest, ReadsReturnsWhenAFeatureNeedsThem) {
  const TempFolder folder;
  WriteSmallFolder(folder.path());
  for (const char* returns : {"/returns/a.returns", "/returns/b.returns"}) {
    WriteArray<uint8_t>(folder.path() + returns, {1, 1, 1, 2, 3, 4});
  }
  const auto dataset =
      OpenFolder(folder.path(), {{"features", {"x", "returns", "return_ratio"}}, {"voxel_m", 0.5}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const auto scan = (*dataset)->Load(Split::kTrain, 0);
  ASSERT_TRUE(scan.ok()) << scan.status();
  const auto prepared = (*dataset)->Prepare(*scan, nullptr);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_THAT(prepared->feats, ElementsAre(0, 0, 1, 1, 1, 0.5F, 2, 3, 0.75F));
}

// One thing wrong with an otherwise good folder, and what the user is told about it.
struct BadInput {
  std::string name;
  void (*spoil)(const std::string& root);
  StatusCode code;
  std::string message;
};

class BadInputTest : public ::testing::TestWithParam<BadInput> {};

// Opens the folder and prepares its training scan.
Status Use(const std::string& root, const Json& more) {
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, OpenFolder(root, more));
  VOXBIT_ASSIGN_OR_RETURN(const Scan scan, dataset->Load(Split::kTrain, 0));
  Rng rng(1);
  return dataset->Prepare(scan, &rng).status();
}

TEST_P(BadInputTest, NamesFileAndFault) {
  const TempFolder folder;
  WriteSmallFolder(folder.path());
  for (const char* returns : {"/returns/a.returns", "/returns/b.returns"}) {
    WriteArray<uint8_t>(folder.path() + returns, {1, 1, 1, 2, 2, 2});
  }
  const Json more = {{"features", {"x", "y", "z", "returns"}}};
  ASSERT_TRUE(Use(folder.path(), more).ok());
  GetParam().spoil(folder.path());
  const Status status = Use(folder.path(), more);
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(status.message(), HasSubstr(folder.path()));
  EXPECT_THAT(status.message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadInputTest,
    ::testing::Values(
        BadInput{"MissingFolder", [](const std::string& r) { std::filesystem::remove_all(r); },
                 StatusCode::kNotFound, "/dataset/root: no such folder"},
        BadInput{"UnknownLayout",
                 [](const std::string& r) { std::filesystem::remove_all(r + "/velodyne"); },
                 StatusCode::kNotFound, "neither a folder velodyne/ nor a folder sequences/"},
        BadInput{"MissingSequence",
                 [](const std::string& r) { std::filesystem::create_directory(r + "/sequences"); },
                 StatusCode::kNotFound, "/sequences/ for 00, 01, "},
        BadInput{"MissingClassTable",
                 [](const std::string& r) { std::filesystem::remove(r + "/classes.tsv"); },
                 StatusCode::kNotFound, "/classes.tsv"},
        BadInput{"MissingSplitFile",
                 [](const std::string& r) { std::filesystem::remove(r + "/val.txt"); },
                 StatusCode::kNotFound, "/val.txt: missing split file"},
        BadInput{"EmptySplitFile", [](const std::string& r) { WriteText(r + "/train.txt", "\n"); },
                 StatusCode::kInvalidArgument, "the split train has no scans"},
        BadInput{"ScanListedTwice",
                 [](const std::string& r) { WriteText(r + "/train.txt", "a\n\na\n"); },
                 StatusCode::kInvalidArgument, "/train.txt: line 3: scan \"a\" is listed already"},
        BadInput{"MissingPoints",
                 [](const std::string& r) { std::filesystem::remove(r + "/velodyne/a.bin"); },
                 StatusCode::kNotFound, "/velodyne/a.bin: missing points"},
        BadInput{"MissingLabels",
                 [](const std::string& r) { std::filesystem::remove(r + "/labels/a.label"); },
                 StatusCode::kNotFound, "/labels/a.label: missing labels"},
        BadInput{"MissingReturns",
                 [](const std::string& r) { std::filesystem::remove(r + "/returns/a.returns"); },
                 StatusCode::kNotFound, "/returns/a.returns: missing returns"},
        BadInput{
            "TruncatedPoints",
            [](const std::string& r) { WriteText(r + "/velodyne/a.bin", std::string(47, '\0')); },
            StatusCode::kDataLoss,
            "/velodyne/a.bin: 47 bytes are not a multiple of the 16 bytes of a point"},
        BadInput{"TruncatedLabels",
                 [](const std::string& r) { WriteText(r + "/labels/a.label", "12345"); },
                 StatusCode::kDataLoss, "/labels/a.label: 5 bytes are not a multiple of the 4"},
        BadInput{"LabelCountMismatch",
                 [](const std::string& r) {
                   WriteArray<uint32_t>(r + "/labels/a.label", {10, 10});
                 },
                 StatusCode::kInvalidArgument, "/labels/a.label: 2 labels for 3 points"},
        BadInput{"LabelOutOfMap",
                 [](const std::string& r) {
                   WriteArray<uint32_t>(r + "/labels/a.label", {10, 20, 30});
                 },
                 StatusCode::kInvalidArgument,
                 "/labels/a.label: label out of map: point 2 has the raw id 30"},
        BadInput{"AllIgnored",
                 [](const std::string& r) {
                   WriteArray<uint32_t>(r + "/labels/a.label", {0, 0, 0});
                 },
                 StatusCode::kInvalidArgument, "/velodyne/a.bin: no point of this training scan"},
        BadInput{"EmptyScan",
                 [](const std::string& r) {
                   WriteText(r + "/velodyne/a.bin", "");
                   WriteText(r + "/labels/a.label", "");
                   WriteText(r + "/returns/a.returns", "");
                 },
                 StatusCode::kInvalidArgument, "/velodyne/a.bin: the scan has no points"},
        BadInput{"NanCoordinate",
                 [](const std::string& r) {
                   auto points = ThreePoints();
                   points[5] = std::numeric_limits<float>::quiet_NaN();
                   WriteArray(r + "/velodyne/a.bin", points);
                 },
                 StatusCode::kInvalidArgument,
                 "/velodyne/a.bin: point 1 has a coordinate that is not finite"},
        BadInput{"FarCoordinate",
                 [](const std::string& r) {
                   auto points = ThreePoints();
                   points[8] = 1e9F;
                   WriteArray(r + "/velodyne/a.bin", points);
                 },
                 StatusCode::kInvalidArgument, "/velodyne/a.bin: point 2 lies at"},
        BadInput{"WrongReturns",
                 [](const std::string& r) {
                   WriteArray<uint8_t>(r + "/returns/a.returns", {1, 1, 3, 2, 1, 1});
                 },
                 StatusCode::kInvalidArgument, "/returns/a.returns: point 1 is return 3 of 2"},
        BadInput{"ReturnsCountMismatch",
                 [](const std::string& r) {
                   WriteArray<uint8_t>(r + "/returns/a.returns", {1, 1});
                 },
                 StatusCode::kInvalidArgument, "/returns/a.returns: 1 row for 3 points"}),
    [](const ::testing::TestParamInfo<BadInput>& test) { return test.param.name; });

std::string DigestOf(const std::string& root, const Json& more = Json::object()) {
  const auto dataset = OpenFolder(root, more);
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  return dataset.ok() ? (*dataset)->Describe()["digest"].get<std::string>() : "";
}

TEST(SemanticKittiTest, TheDigestIsThatOfTheFilesWhereverTheyLie) {
  const TempFolder here;
  const TempFolder there;
  WriteSmallFolder(here.path());
  WriteSmallFolder(there.path());
  EXPECT_EQ(DigestOf(here.path()), DigestOf(there.path()));
  EXPECT_EQ(DigestOf(here.path() + "/"), DigestOf(here.path()));
}

TEST(SemanticKittiTest, TheDigestChangesWithEveryFile) {
  const TempFolder folder;
  WriteSmallFolder(folder.path());
  std::vector<std::string> digests = {DigestOf(folder.path())};
  const auto changed = [&] {
    digests.push_back(DigestOf(folder.path()));
    return digests[digests.size() - 1] != digests[digests.size() - 2];
  };
  WriteArray<uint32_t>(folder.path() + "/labels/a.label", {10, 10, 0});
  EXPECT_TRUE(changed());
  auto points = ThreePoints();
  points[0] = 0.5F;
  WriteArray(folder.path() + "/velodyne/b.bin", points);
  EXPECT_TRUE(changed());
  WriteText(folder.path() + "/classes.tsv",
            "raw_id\ttrain_id\tname\n0\t255\tvoid\n10\t1\tbuilding\n20\t0\tground\n");
  EXPECT_TRUE(changed());
  WriteText(folder.path() + "/train.txt", "b\n");
  EXPECT_TRUE(changed());
  EXPECT_FALSE(changed());
}

TEST(SemanticKittiTest, TheDigestOfALargeDatasetRestsOnBothEndsOfEachFile) {
  const TempFolder folder;
  WriteSmallFolder(folder.path());
  const std::string path = folder.path() + "/velodyne/b.bin";
  // Sparse: takes no space, and would take its time to be read as a whole.
  std::filesystem::resize_file(path, uintmax_t{300} << 20);
  const auto write_at = [&](std::streamoff offset) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file << "changed";
  };
  const std::string before = DigestOf(folder.path());
  write_at(std::streamoff{150} << 20);
  EXPECT_EQ(DigestOf(folder.path()), before);
  write_at((std::streamoff{300} << 20) - 100);
  EXPECT_NE(DigestOf(folder.path()), before);
}

TEST(SemanticKittiTest, OpeningStopsWhenAsked) {
  const TempFolder folder;
  WriteSmallFolder(folder.path());
  std::stop_source stop;
  stop.request_stop();
  const Json config = {{"kind", "semantic_kitti"}, {"root", folder.path()}};
  EXPECT_EQ(OpenDataset(BuiltinDatasets(), config, "/dataset", stop.get_token()).status().code(),
            StatusCode::kCancelled);
}

TEST(SemanticKittiTest, IsNoLongerCurrentOnceAFileHasChanged) {
  const std::vector<std::string> files = {"/classes.tsv", "/train.txt", "/velodyne/a.bin",
                                          "/labels/b.label"};
  for (const std::string& file : files) {
    const TempFolder folder;
    WriteSmallFolder(folder.path());
    const auto dataset = OpenFolder(folder.path());
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_TRUE((*dataset)->IsCurrent());
    // The size stays: a time is all that tells.
    const std::string path = folder.path() + file;
    std::filesystem::last_write_time(
        path, std::filesystem::last_write_time(path) + std::chrono::milliseconds(1));
    EXPECT_FALSE((*dataset)->IsCurrent()) << file;
    std::filesystem::remove(path);
    EXPECT_FALSE((*dataset)->IsCurrent()) << file;
  }
}

TEST(SemanticKittiTest, IsNoLongerCurrentOnceASequenceHasGrown) {
  const TempFolder folder;
  WriteSequence(folder.path(), "08", {"000000"});
  const auto dataset = OpenFolder(folder.path(), {{"train_sequences", {"08"}}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const std::string velodyne = folder.path() + "/sequences/08/velodyne";
  const auto before = std::filesystem::last_write_time(velodyne);
  WriteSequence(folder.path(), "08", {"000001"});
  std::filesystem::last_write_time(velodyne, before + std::chrono::milliseconds(1));
  EXPECT_FALSE((*dataset)->IsCurrent());
}

TEST(SemanticKittiTest, AMissingFolderIsNamedByItsAbsolutePath) {
  const Status status = OpenFolder("no/such/folder").status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(),
              HasSubstr((std::filesystem::current_path() / "no/such/folder").string()));
}

TEST(SemanticKittiTest, ChecksTheConfigurationWithoutTouchingFiles) {
  const auto config = ParseDatasetConfig(
      BuiltinDatasets(), {{"kind", "semantic_kitti"}, {"root", "/no/such/folder"}}, "/dataset");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ((*config)["voxel_m"], 0.05);
  EXPECT_EQ((*config)["max_points"], 80000);
  EXPECT_EQ((*config)["train_sequences"].size(), 10U);
}

TEST(SemanticKittiTest, RefusesWrongConfigurationsNamingThePointer) {
  const std::vector<std::pair<Json, std::string>> cases = {
      {{{"root", ""}}, "/dataset/root: expected a folder"},
      {{{"root", "r"}, {"class_map", "mine"}}, "/dataset/class_map"},
      {{{"root", "r"}, {"train_sequences", Json::array()}}, "/dataset/train_sequences"},
      {{{"root", "r"}, {"val_sequences", {"08", "a/b"}}}, "/dataset/val_sequences/1"},
      {{{"root", "r"}, {"sample_stride", 0}}, "/dataset/sample_stride"},
      {Json::object(), "/dataset/root: missing"},
  };
  for (const auto& [fields, message] : cases) {
    Json config = fields;
    config["kind"] = "semantic_kitti";
    const auto parsed = ParseDatasetConfig(BuiltinDatasets(), config, "/dataset");
    ASSERT_FALSE(parsed.ok()) << config;
    EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(parsed.status().message(), HasSubstr(message));
  }
}

}  // namespace
}  // namespace voxbit::data
