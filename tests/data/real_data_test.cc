// The pipeline on recorded scans, against published counts. Needs the shared data folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>

#include "tests/data/object_folders.h"
#include "worker/data/lidar/pipeline.h"

namespace voxbit::data {
namespace {

using ::testing::ElementsAre;

// The shared folder, or nothing in a clone that has none; its absence is a failure in CI.
std::optional<std::string> SharedFolder() {
  // NOLINTBEGIN(concurrency-mt-unsafe): nothing here writes the environment
  const char* shared = std::getenv("VOXBIT_SHARED");
  const char* source = std::getenv("VOXBIT_SOURCE_DIR");
  const char* ci = std::getenv("CI");
  // NOLINTEND(concurrency-mt-unsafe)
  const std::string path =
      shared != nullptr ? shared : std::string(source == nullptr ? "." : source) + "/../shared";
  if (std::filesystem::is_directory(path + "/data")) return path;
  if (ci != nullptr && std::string(ci) == "true") ADD_FAILURE() << path << " is missing";
  return std::nullopt;
}

std::map<int32_t, int64_t> Histogram(const std::vector<int32_t>& labels) {
  std::map<int32_t, int64_t> counts;
  for (const int32_t label : labels) ++counts[label];
  return counts;
}

// The one labelled scan of SemanticKITTI in the layout of the published benchmark.
void LinkAsSequence(const std::string& set, const std::string& root) {
  std::filesystem::create_directories(root + "/sequences");
  std::filesystem::create_directory_symlink(std::filesystem::absolute(set), root + "/sequences/00");
}

TEST(RealDataTest, SemanticKittiScanHasThePublishedLabelsAndVoxels) {
  const auto shared = SharedFolder();
  if (!shared) return;
  const TempFolder folder;
  LinkAsSequence(*shared + "/data/semantickitti", folder.path());
  const auto dataset =
      OpenFolder(folder.path(), {{"train_sequences", {"00"}}, {"val_sequences", {"00"}}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const auto scan = (*dataset)->Load(Split::kVal, 0);
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->num_points(), 123389);
  EXPECT_EQ(Histogram(scan->labels), (std::map<int32_t, int64_t>{{0, 1534},
                                                                 {1, 20},
                                                                 {5, 161},
                                                                 {8, 20975},
                                                                 {9, 84},
                                                                 {10, 30092},
                                                                 {12, 2126},
                                                                 {13, 531},
                                                                 {14, 24514},
                                                                 {15, 3978},
                                                                 {16, 30925},
                                                                 {17, 413},
                                                                 {18, 1112},
                                                                 {255, 6924}}));

  const auto prepared = (*dataset)->Prepare(*scan, nullptr);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->num_rows(), 94625);
  EXPECT_THAT(prepared->origin, ElementsAre(-1592, -1598, -553));
  std::array<int32_t, 3> largest{};
  for (size_t i = 0; i < prepared->coords.size(); ++i) {
    largest[i % 3] = std::max(largest[i % 3], prepared->coords[i]);
  }
  EXPECT_THAT(largest, ElementsAre(3172, 3165, 612));

  Rng rng(1);
  const auto capped = (*dataset)->Prepare(*scan, &rng);
  ASSERT_TRUE(capped.ok());
  EXPECT_EQ(capped->num_rows(), 80000);
}

TEST(RealDataTest, OfficialMapOfSemanticKittiAgreesWithItsClassTable) {
  const auto shared = SharedFolder();
  if (!shared) return;
  const TempFolder published;
  const TempFolder with_table;
  const std::string set = *shared + "/data/semantickitti";
  LinkAsSequence(set, published.path());
  for (const char* part : {"/velodyne", "/labels"}) {
    std::filesystem::create_directory_symlink(std::filesystem::absolute(set + part),
                                              with_table.path() + part);
  }
  WriteText(with_table.path() + "/classes.tsv", *ReadFile(set + "/classes.tsv"));
  WriteText(with_table.path() + "/train.txt", "000000\n");
  WriteText(with_table.path() + "/val.txt", "000000\n");
  const auto official = OpenFolder(
      published.path(),
      {{"train_sequences", {"00"}}, {"val_sequences", {"00"}}, {"class_map", "official"}});
  const auto table = OpenFolder(with_table.path());
  ASSERT_TRUE(official.ok() && table.ok()) << table.status();
  EXPECT_EQ((*official)->Load(Split::kVal, 0)->labels, (*table)->Load(Split::kVal, 0)->labels);
}

TEST(RealDataTest, AirborneTilesHaveThePublishedCountsAndReturns) {
  const auto shared = SharedFolder();
  if (!shared) return;
  const auto dataset =
      OpenFolder(*shared + "/data/ign_lidarhd",
                 {{"features", {"x", "y", "z", "height", "returns"}}, {"voxel_m", 0.4}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(Split::kTrain), 3);
  const auto scan = (*dataset)->Load(Split::kVal, 0);
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(Histogram(scan->labels),
            (std::map<int32_t, int64_t>{
                {0, 22343}, {1, 2497}, {2, 2449}, {3, 17875}, {4, 14908}, {255, 581}}));
  EXPECT_TRUE((*dataset)->Prepare(*scan, nullptr).ok());
}

TEST(RealDataTest, HeightSeparatesGroundFromBuildings) {
  const auto shared = SharedFolder();
  if (!shared) return;
  const auto dataset =
      OpenFolder(*shared + "/data/ign_lidarhd", {{"features", {"height"}}, {"voxel_m", 0.01}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  for (const Split split : {Split::kTrain, Split::kVal}) {
    for (int64_t i = 0; i < (*dataset)->size(split); ++i) {
      const auto scan = (*dataset)->Load(split, i);
      ASSERT_TRUE(scan.ok());
      const auto out = (*dataset)->Prepare(*scan, nullptr);
      ASSERT_TRUE(out.ok());
      double ground = 0, low_ground = 0, building = 0, high_building = 0;
      for (size_t row = 0; row < out->labels.size(); ++row) {
        const float height = out->feats[row];
        ground += out->labels[row] == 0 ? 1 : 0;
        low_ground += out->labels[row] == 0 && height < 1 ? 1 : 0;
        building += out->labels[row] == 4 ? 1 : 0;
        high_building += out->labels[row] == 4 && height > 2 ? 1 : 0;
      }
      RecordProperty(scan->name + "_ground", std::to_string(low_ground / ground));
      RecordProperty(scan->name + "_building", std::to_string(high_building / building));
      EXPECT_GT(low_ground / ground, 0.9) << scan->name;
      EXPECT_GT(high_building / building, 0.9) << scan->name;
    }
  }
}

TEST(RealDataTest, PulsesWithoutAReturnAreDroppedFromTheOffRoadScan) {
  const auto shared = SharedFolder();
  if (!shared) return;
  const TempFolder folder;
  const std::string set = *shared + "/data/rellis3d";
  for (const char* part : {"/velodyne", "/labels"}) {
    std::filesystem::create_directory_symlink(std::filesystem::absolute(set + part),
                                              folder.path() + part);
  }
  WriteText(folder.path() + "/classes.tsv", *ReadFile(set + "/classes.tsv"));
  WriteText(folder.path() + "/train.txt", "000104\n");
  WriteText(folder.path() + "/val.txt", "000104\n");
  const auto dataset = OpenFolder(folder.path(), {{"drop_origin", true}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const auto scan = (*dataset)->Load(Split::kTrain, 0);
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->num_points(), 131072);
  const auto out = (*dataset)->Prepare(*scan, nullptr);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->num_points(), 131072 - 53364);
}

TEST(RealDataTest, CapsOfShapeNetPartHaveThePublishedCounts) {
  const auto shared = SharedFolder();
  if (!shared) return;
  const auto dataset = OpenKind("shapenet_part", {{"root", *shared + "/data/shapenetpart_cap"}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(Split::kTrain), 9);
  std::map<std::string, std::map<int32_t, int64_t>> counts;
  for (const Split split : {Split::kTrain, Split::kVal}) {
    for (int64_t i = 0; i < (*dataset)->size(split); ++i) {
      const auto scan = (*dataset)->Load(split, i);
      ASSERT_TRUE(scan.ok()) << scan.status();
      EXPECT_EQ(scan->category, 2);
      EXPECT_TRUE((*dataset)->Prepare(*scan, nullptr).ok());
      counts[scan->name] = Histogram(scan->labels);
    }
  }
  EXPECT_EQ(counts["cap_test_02"], (std::map<int32_t, int64_t>{{6, 968}, {7, 1768}}));
  EXPECT_EQ(counts["cap_val_01"], (std::map<int32_t, int64_t>{{6, 1269}, {7, 1450}}));
  EXPECT_EQ(counts["cap_val_04"], (std::map<int32_t, int64_t>{{6, 1670}, {7, 1122}}));
}

// One tensor of a safetensors file as values of type T.
template <class T>
std::vector<T> ReadTensor(const std::string& path, const std::string& name) {
  const std::string bytes = *ReadFile(path);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  const Json header = *ParseJson(std::string_view(bytes).substr(8, header_bytes));
  const auto begin = header.at(name).at("data_offsets").at(0).get<uint64_t>();
  const auto end = header.at(name).at("data_offsets").at(1).get<uint64_t>();
  std::vector<T> values((end - begin) / sizeof(T));
  std::memcpy(values.data(), bytes.data() + 8 + header_bytes + begin, end - begin);
  return values;
}

TEST(RealDataTest, QuantizeAgreesWithTorchSparse) {
  const auto shared = SharedFolder();
  if (!shared) return;
  const std::string path = *shared + "/golden/sparse/voxelize.safetensors";
  const Quantized voxels = Quantize(ReadTensor<int32_t>(path, "grid"));
  EXPECT_EQ(voxels.first, ReadTensor<int64_t>(path, "unique_index"));
  EXPECT_EQ(voxels.inverse, ReadTensor<int64_t>(path, "inverse"));
}

}  // namespace
}  // namespace voxbit::data
