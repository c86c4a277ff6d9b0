// From a study to labels of new files: search-server, search-client export, search-worker predict.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/files.h"
#include "tests/integration/study_fixture.h"

namespace voxbit::testing {
namespace {

using ::testing::HasSubstr;

constexpr Milliseconds kStudyPatience{240'000};

// The JSON in what a program has printed among other lines.
Json JsonIn(const std::string& text) {
  const size_t begin = text.find("{\n");
  const size_t end = text.rfind("}\n");
  if (begin == std::string::npos || end == std::string::npos) return nullptr;
  return Json::parse(text.substr(begin, end - begin + 1), nullptr, /*allow_exceptions=*/false);
}

class PredictIntegrationTest : public ::testing::Test {
 protected:
  // A study on a folder of scans, and its best candidate exported.
  void SetUp() override {
    const Finished synth =
        RunProgram({"search-worker", "synth", "--out", data_, "--train", "2", "--val", "2", "--set",
                    "beams=16", "--set", "azimuth_steps=128"});
    ASSERT_EQ(synth.code, 0) << synth.output;
    Json study = SmallStudy("labels", 4);
    study["dataset"] = {{"kind", "semantic_kitti"}, {"root", data_}, {"voxel_m", 0.8}};
    study["search"]["population"] = 4;
    const std::string config = WriteConfig(dir_, study, "127.0.0.1:0", 1);
    Process server({.arguments = {"search-server", "--config", config},
                    .output = dir_.path() + "/server.log",
                    .max_file_bytes = {},
                    .bound_by_modes = false});
    const std::string address = AddressOf(dir_, server);
    ASSERT_NE(address, "") << ReadText(dir_.path() + "/server.log");
    const Finished watched = RunProgram(
        {"search-client", "--server", address, "study", "watch", "labels"}, kStudyPatience);
    ASSERT_EQ(watched.code, 0) << watched.output << ReadText(dir_.path() + "/server.log");
    const Finished exported = RunProgram({"search-client", "--server", address, "export", "labels",
                                          "--best", "miou", "--out", dir_.path() + "/export"});
    ASSERT_EQ(exported.code, 0) << exported.output;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path() + "/export")) {
      bundle_ = entry.path().string();
    }
  }

  Finished Predict(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"search-worker", "predict",   "--bundle",
                                          bundle_,         "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunProgram(std::move(arguments));
  }

  TempDir dir_;
  const std::string data_ = dir_.path() + "/data";
  std::string bundle_;
};

TEST_F(PredictIntegrationTest, LabelsFilesAndScoresAsTheStudyDid) {
  const Finished split = Predict({"--split", "val", "-o", "json"});
  ASSERT_EQ(split.code, 0) << split.output;
  const Json score = JsonIn(split.output).at("scores").at(0);
  EXPECT_EQ(score.at("metric"), "miou");
  EXPECT_EQ(score.at("value"), score.at("recorded"));

  // The same scans as files of a folder that the training never saw, first without their labels.
  const std::string val = ReadFile(data_ + "/val.txt").value();
  const std::string name = val.substr(0, val.find('\n'));
  const std::string scan = dir_.path() + "/new/" + name + ".bin";
  std::filesystem::create_directories(dir_.path() + "/new");
  std::filesystem::copy_file(data_ + "/velodyne/" + name + ".bin", scan);
  std::filesystem::rename(data_, data_ + ".away");
  const std::string out = dir_.path() + "/out";
  const Finished files = Predict({scan, "--out", out, "-o", "json"});
  ASSERT_EQ(files.code, 0) << files.output;
  EXPECT_TRUE(JsonIn(files.output).at("scores").empty());
  const std::string labels = ReadFile(out + "/" + name + ".label").value();
  EXPECT_EQ(labels.size() * 4, std::filesystem::file_size(scan));
  for (size_t i = 0; i < labels.size(); i += 4) {
    ASSERT_GE(labels[i], 1) << "raw ids begin at 1";
    ASSERT_EQ(labels[i + 1], 0);
  }

  EXPECT_EQ(Predict({scan, "--out", out}).code, 2) << "labels are there already";
  EXPECT_EQ(Predict({scan, "--out", out, "--force"}).code, 0);
  std::filesystem::copy_file(out + "/" + name + ".label", dir_.path() + "/new/" + name + ".label");
  const Finished truth = Predict({dir_.path() + "/new", "--out", out, "--force", "-o", "json"});
  ASSERT_EQ(truth.code, 0) << truth.output;
  EXPECT_EQ(JsonIn(truth.output).at("scores").at(0).at("value"), 1);
  EXPECT_EQ(Predict({scan, "--out", dir_.path() + "/new", "--force"}).code, 2)
      << "no input is overwritten";
}

TEST_F(PredictIntegrationTest, SaysWhatIsWrongAndGoesOn) {
  const std::string folder = dir_.path() + "/new/";
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(WriteFileAtomically(folder + "cut.bin", "12345").ok());
  std::filesystem::copy(data_ + "/velodyne", folder);
  const std::string out = dir_.path() + "/out";
  const Finished cut = Predict({folder, "--out", out});
  EXPECT_EQ(cut.code, 1);
  EXPECT_THAT(cut.output, HasSubstr("cut.bin: 5 bytes are not a multiple"));
  EXPECT_THAT(cut.output, HasSubstr("1 scan could not be labelled"));
  EXPECT_THAT(cut.output, HasSubstr("labels of 4 scans are in " + out));
  const Finished again = Predict({folder, "--out", out, "--force", "-o", "json"});
  EXPECT_EQ(again.code, 1);
  EXPECT_EQ(JsonIn(again.output).at("failures").at(0).at("file"), folder + "cut.bin");

  ASSERT_TRUE(WriteFileAtomically(folder + "x.txt", "0 0 0\n").ok());
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{}, "expected FILE... to label, or --split"},
      {{folder + "x.txt", "--out", out}, "x.txt: this network reads .bin files"},
      {{folder + "no.bin", "--out", out}, "no.bin: no such file"},
      {{folder}, "--out: missing"},
      {{folder, "--out", "/proc/labels"}, "--out: /proc/labels cannot be written"},
      {{folder + "cut.bin", folder + "./cut.bin", "--out", out}, "cut.bin: is given twice"},
      {{folder, "--split", "val"}, "found both"},
      {{"--split", "val", "--category", "Mug"}, "--category: needs FILE..."},
      {{folder, "--out", out, "--category", "Mug"}, "tells the class of each point of a scan"},
      {{"--split", "test"}, "--split: the dataset has no scans in the split test"},
      {{"--split", "val", "--dataset", R"({"voxel_m": 0.4})"}, "trained with voxel_m 0.8"},
      {{"--split", "val", "--dataset", R"({"voxel": 0.4})"}, "/dataset/voxel: unknown key"},
      {{"--split", "val", "--dataset", R"({"dataset": 5})"},
       "--dataset: /dataset: expected an object, found 5"},
      {{"--split", "val", "--out", data_ + "/labels", "--force"}, "in the folder of the data"},
      {{"--split", "val", "--device", "cuda:77"}, "--device"}};
  for (const auto& [arguments, message] : wrong) {
    const Finished finished = Predict(arguments);
    EXPECT_EQ(finished.code, 2) << finished.output;
    EXPECT_THAT(finished.output, HasSubstr(message));
  }
  // The manifest of a network that classifies objects.
  Json manifest = ReadJsonFile(bundle_ + "/manifest.json").value();
  manifest["dataset"] = {{"kind", "modelnet40"},
                         {"config", {{"kind", "modelnet40"}, {"root", "r"}}}};
  ASSERT_TRUE(WriteFileAtomically(bundle_ + "/manifest.json", manifest.dump()).ok());
  const Finished classes = Predict({folder + "x.txt", "--category", "Mug"});
  EXPECT_EQ(classes.code, 2) << classes.output;
  EXPECT_THAT(classes.output, HasSubstr("this one tells the class of an object as a whole"));

  const Finished none =
      RunProgram({"search-worker", "predict", "--bundle", folder, "--split", "val"});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.output, HasSubstr("no manifest.json in it"));
}

}  // namespace
}  // namespace voxbit::testing
