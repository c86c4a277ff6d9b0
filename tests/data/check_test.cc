// What a check of a dataset finds: every fault of every file, whatever the number of threads, and
// what is unwise without being wrong.
#include "worker/data/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <stop_token>
#include <string>
#include <tuple>
#include <vector>

#include "tests/data/object_folders.h"

namespace voxbit::data {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

CheckReport Check(const Json& config, int64_t threads = 2) {
  const auto dataset = OpenIncompleteDataset(BuiltinDatasets(), config, "/dataset");
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  if (!dataset.ok()) return {};
  auto report = CheckDataset(**dataset, {.threads = threads}, {});
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? std::move(report).value() : CheckReport();
}

std::vector<std::string> Messages(const CheckReport& report) {
  std::vector<std::string> messages;
  for (const DataFault& fault : report.faults) messages.push_back(fault.status.message());
  return messages;
}

std::vector<std::string> Warnings(const CheckReport& report) {
  return report.overview.at("warnings").get<std::vector<std::string>>();
}

Json SplitOf(const CheckReport& report, const std::string& name) {
  for (const Json& split : report.overview.at("splits")) {
    if (split.at("name") == name) return split;
  }
  ADD_FAILURE() << "no split " << name;
  return Json();
}

class CheckTest : public ::testing::Test {
 protected:
  // Scans of three points, of the classes ground, building and void; each with other points.
  void WriteLidar(int num_train, int num_val) {
    WriteSmallFolder(root_);
    for (const auto& [list, letter, count] :
         {std::tuple("train", 'a', num_train), std::tuple("val", 'b', num_val)}) {
      std::string names;
      for (int i = 0; i < count; ++i) {
        const std::string name = letter + std::to_string(i);
        names += name + "\n";
        WriteScan(name, Points((letter == 'a' ? 1.0F : 50.0F) + static_cast<float>(i)));
      }
      WriteText(root_ + "/" + list + ".txt", names);
    }
  }
  static std::vector<float> Points(float x) {
    std::vector<float> points = ThreePoints();
    points[0] = x;
    points[1] = points[2] = 1;
    return points;
  }
  void WriteScan(const std::string& name, const std::vector<float>& points,
                 const std::vector<uint32_t>& labels = {10, 20, 0}) {
    WriteArray(PointsOf(name), points);
    WriteArray(LabelsOf(name), labels);
  }
  std::string PointsOf(const std::string& name) { return root_ + "/velodyne/" + name + ".bin"; }
  std::string LabelsOf(const std::string& name) { return root_ + "/labels/" + name + ".label"; }
  Json Lidar(Json more = Json::object()) {
    more["kind"] = "semantic_kitti";
    more["root"] = root_;
    return more;
  }

  const TempFolder folder_;
  const std::string root_ = folder_.path() + "/data";
};

TEST_F(CheckTest, CountsPointsAndSharesOfEveryClassAndSplit) {
  WriteLidar(3, 2);
  const CheckReport report = Check(Lidar());
  EXPECT_THAT(Messages(report), IsEmpty());
  const Json train = SplitOf(report, "train");
  EXPECT_EQ(train.at("scans"), 3);
  EXPECT_EQ(train.at("read"), 3);
  EXPECT_EQ(train.at("files"), 6);
  EXPECT_EQ(train.at("bytes"), 3 * (3 * 16 + 3 * 4));
  EXPECT_EQ(train.at("points"), 9);
  EXPECT_EQ(train.at("labelled"), 6);
  const Json& ground = report.overview.at("classes").at(0);
  EXPECT_EQ(ground.at("name"), "ground");
  EXPECT_EQ(ground.at("train").at("count"), 3);
  EXPECT_EQ(ground.at("val").at("share"), 0.5);
  EXPECT_EQ(report.overview.at("features").size(), 4U);
  EXPECT_TRUE(IsOverviewOf(report.overview, (*OpenFolder(root_))->Describe().at("digest")));
  EXPECT_FALSE(IsOverviewOf(report.overview, std::string(64, '0')));
}

TEST_F(CheckTest, ListsEveryFaultInTheOrderOfTheScansForAnyNumberOfThreads) {
  WriteLidar(20, 20);
  std::filesystem::resize_file(PointsOf("a3"), 40);   // cut within a point
  WriteArray<uint32_t>(LabelsOf("a7"), {10, 99, 0});  // an id that the table lacks
  std::filesystem::remove(PointsOf("b2"));            // both of its files are away
  std::filesystem::remove(LabelsOf("b2"));
  WriteArray<uint32_t>(LabelsOf("b5"), {10, 20});  // a label too few
  std::vector<float> points = ThreePoints();
  points[6] = std::numeric_limits<float>::quiet_NaN();
  WriteArray(PointsOf("b19"), points);
  const CheckReport report = Check(Lidar(), 1);
  EXPECT_THAT(
      Messages(report),
      ElementsAre(HasSubstr("velodyne/a3.bin: 40 bytes"),
                  AllOf(HasSubstr("labels/a7.label"), HasSubstr("point 1"), HasSubstr("99")),
                  HasSubstr("velodyne/b2.bin: No such file"),
                  HasSubstr("labels/b2.label: No such file"), HasSubstr("b5.label: 2 labels"),
                  AllOf(HasSubstr("velodyne/b19.bin"), HasSubstr("point 1"))));
  EXPECT_EQ(report.overview.at("num_faults"), 6);
  EXPECT_EQ(report.overview.at("digest"), "");
  for (const int64_t threads : {2, 3, 8}) {
    CheckReport again = Check(Lidar(), threads);
    EXPECT_EQ(Messages(again), Messages(report)) << threads;
    again.overview["seconds"] = report.overview.at("seconds");
    EXPECT_EQ(again.overview, report.overview) << threads;
  }
}

TEST_F(CheckTest, ScansThatAreScoredAndTrainedOnAreWarnedOf) {
  WriteLidar(4, 3);
  EXPECT_THAT(Warnings(Check(Lidar())), IsEmpty());
  WriteText(root_ + "/val.txt", "b0\na1\nb1\na3\n");
  EXPECT_THAT(Warnings(Check(Lidar())),
              ElementsAre(AllOf(HasSubstr("2 scans of val, of 4, trained on too"),
                                HasSubstr("velodyne/a1.bin"))));
}

TEST_F(CheckTest, TheSameContentUnderTwoNamesIsWarnedOf) {
  WriteLidar(4, 3);
  WriteScan("b2", Points(2));
  WriteScan("a3", Points(1));
  EXPECT_THAT(
      Warnings(Check(Lidar())),
      ElementsAre(AllOf(HasSubstr("1 scan of train"), HasSubstr("a3.bin is "), HasSubstr("a0.bin")),
                  AllOf(HasSubstr("1 scan of val"), HasSubstr("trained on too"),
                        HasSubstr("b2.bin is "), HasSubstr("a1.bin"))));
}

TEST_F(CheckTest, AFeatureThatIsPracticallyZeroOrHugeIsWarnedOf) {
  WriteLidar(3, 2);
  const auto about = [&](double scale) {
    return Warnings(Check(Lidar({{"intensity_scale", scale}})));
  };
  EXPECT_THAT(about(1), IsEmpty());
  EXPECT_THAT(about(0.001), ElementsAre(AllOf(HasSubstr("intensity"), HasSubstr("zero"))));
  EXPECT_THAT(about(65535), ElementsAre(AllOf(HasSubstr("intensity"), HasSubstr("scale"))));
}

TEST_F(CheckTest, PointsAtTheOriginAreCountedAndWarnedOfUntilTheyAreLeftOut) {
  WriteLidar(3, 2);
  WriteScan("a0", {0, 0, 0, 0.5F, 5, 1, 0, 0.5F, 0, 0, 0, 0.25F, 2, 2, 1, 0.5F}, {10, 20, 0, 10});
  const CheckReport kept = Check(Lidar());
  EXPECT_EQ(SplitOf(kept, "train").at("at_origin"), 2);
  EXPECT_THAT(Warnings(kept), ElementsAre(AllOf(HasSubstr("20 % of the points of train"),
                                                HasSubstr("drop_origin"))));
  EXPECT_EQ(SplitOf(kept, "train").at("left_out"), 0);
  EXPECT_EQ(SplitOf(kept, "train").at("labelled"), 7);
  const CheckReport dropped = Check(Lidar({{"drop_origin", true}}));
  EXPECT_EQ(SplitOf(dropped, "train").at("points"), 10);
  EXPECT_EQ(SplitOf(dropped, "train").at("left_out"), 2);
  EXPECT_EQ(SplitOf(dropped, "train").at("at_origin"), 0);
  EXPECT_EQ(SplitOf(dropped, "train").at("labelled"), 6) << "one of the two has a label";
  EXPECT_EQ(dropped.overview.at("classes").at(0).at("train").at("count"), 3);
  EXPECT_THAT(Warnings(dropped), IsEmpty());
  const CheckReport cut = Check(Lidar({{"max_range_m", 4}}));
  EXPECT_EQ(SplitOf(cut, "train").at("left_out"), 1);
  EXPECT_EQ(SplitOf(cut, "train").at("at_origin"), 2);
  EXPECT_THAT(Warnings(cut), Contains(HasSubstr("22.2 % of the points of train lie at exactly")));
}

TEST_F(CheckTest, ObjectsMayHavePointsAtTheOrigin) {
  WriteModelNet(root_);
  const CheckReport report = Check({{"kind", "modelnet40"}, {"root", root_}, {"val_share", 0}});
  EXPECT_GT(SplitOf(report, "train").at("at_origin").get<int64_t>(), 0);
  EXPECT_THAT(Warnings(report), Not(Contains(HasSubstr("lie at exactly"))));
}

TEST_F(CheckTest, UnlabelledPointsThatAreLeftOutDoNotCountAsUnlabelled) {
  WriteLidar(1, 1);
  WriteScan("a0", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0.5F, 2, 3, 4, 0.5F},
            {0, 0, 0, 10, 20});
  EXPECT_THAT(Warnings(Check(Lidar())), Contains(HasSubstr("only 40 % of the points of train")));
  EXPECT_THAT(Warnings(Check(Lidar({{"drop_origin", true}}))),
              Not(Contains(HasSubstr("have a label that counts"))));
}

TEST_F(CheckTest, InvalidPointsThatAreLeftOutAreCountedNotWarnedOf) {
  WriteLidar(3, 2);
  std::vector<float> points = Points(70);
  points[4] = std::numeric_limits<float>::quiet_NaN();
  WriteScan("a1", points);
  const CheckReport report = Check(Lidar({{"drop_invalid", true}}));
  EXPECT_EQ(SplitOf(report, "train").at("left_out"), 1);
  EXPECT_THAT(Warnings(report), IsEmpty());
}

TEST_F(CheckTest, WhatTheReportWarnsOfIsNotLogged) {
  WriteLidar(3, 2);
  WriteScan("a0", {0, 0, 0, 0.5F, 5, 1, 0, 0.5F, 0, 0, 0, 0.25F, 2, 2, 1, 0.5F}, {10, 20, 0, 10});
  const auto dataset = OpenFolder(root_);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  ::testing::internal::CaptureStderr();
  const auto report = CheckDataset(**dataset, {.threads = 2}, {});
  EXPECT_TRUE((*dataset)->Prepare(*(*dataset)->Load(Split::kTrain, 0), nullptr).ok());
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(Warnings(*report), ElementsAre(HasSubstr("lie at exactly")));
}

TEST_F(CheckTest, ScansToBeKnownOfAreCountedAndTheFirstIsNamed) {
  WriteLidar(3, 2);
  std::vector<float> many;
  for (int i = 0; i < 1000; ++i) {
    many.insert(many.end(), {0.01F * static_cast<float>(i), 1, 1, 0.5F});
  }
  std::vector<float> with_stray = many;
  with_stray[0] = 9000;
  const std::vector<uint32_t> labels(1000, 10);
  WriteScan("a0", many, labels);
  WriteScan("a1", with_stray, labels);
  with_stray[1] = 9000;
  WriteScan("a2", with_stray, labels);
  WriteScan("b1", {0, 0, 0, 0.5F, 1, 1, 1, 0.5F, 2, 1, 1, 0.5F});
  many.insert(many.end(), {1, 2, 3, 0.5F});
  WriteScan("b0", many, std::vector<uint32_t>(1001, 10));
  EXPECT_THAT(Warnings(Check(Lidar({{"center", true}}))),
              AllOf(Contains(AllOf(HasSubstr("a1.bin: point 0 lies 8995 m"),
                                   HasSubstr("; the same of 1 more scan of train"))),
                    Contains(AllOf(HasSubstr("b1.bin: 33.3 % (1 of 3)"),
                                   HasSubstr("lie at exactly"), Not(HasSubstr("the same of"))))));
}

TEST_F(CheckTest, AScanOfTwoSplitsIsReadOnceAndItsFaultNamesBoth) {
  WriteMeshes(root_);
  WriteText(root_ + "/bed/test/bed_0003.off", "OFF\n1 1 0\n0 0 0\n3 0 1 2\n");
  const auto dataset = OpenKind("modelnet40", {{"root", root_}, {"val_share", 0}});  // val is test
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  int64_t last = 0;
  const auto report = CheckDataset(
      **dataset, {.threads = 2, .progress = [&](int64_t done, int64_t) { last = done; }}, {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(last, 6);
  EXPECT_THAT(Messages(*report),
              ElementsAre(AllOf(HasSubstr("bed_0003.off"), HasSubstr(" (in val and test)"))));
  EXPECT_EQ(report->faults[0].split, Split::kVal);
  EXPECT_THAT(report->faults[0].also, ElementsAre(Split::kTest));
  EXPECT_EQ(report->overview.at("num_faults"), 1);
  for (const char* split : {"val", "test"}) {
    EXPECT_EQ(SplitOf(*report, split).at("read"), 2) << split;
    EXPECT_EQ(SplitOf(*report, split).at("labelled"), 1) << split;
  }
}

TEST_F(CheckTest, AFileThatTwoListsNameIsOneFault) {
  WriteLidar(3, 2);
  WriteText(root_ + "/val.txt", "b0\na2\n");
  std::filesystem::resize_file(PointsOf("a2"), 40);
  std::filesystem::remove(LabelsOf("b0"));
  EXPECT_THAT(Messages(Check(Lidar())),
              ElementsAre(AllOf(HasSubstr("a2.bin: 40 bytes"), HasSubstr(" (in train and val)")),
                          AllOf(HasSubstr("b0.label"), Not(HasSubstr("(in ")))));
}

TEST_F(CheckTest, EqualSplitsWithoutALabelAreOneFault) {
  WriteLidar(2, 1);
  for (const char* name : {"a0", "a1"}) WriteScan(name, Points(name[1]), {0, 0, 0});
  WriteText(root_ + "/val.txt", "a0\na1\n");
  EXPECT_THAT(Messages(Check(Lidar())),
              ElementsAre(HasSubstr("nothing in the splits train and val has a label")));
}

TEST_F(CheckTest, ClassesThatNothingCanLearnOrScoreAreWarnedOf) {
  WriteLidar(3, 2);
  WriteText(root_ + "/classes.tsv",
            "raw_id\ttrain_id\tname\n0\t255\tvoid\n10\t0\tground\n20\t1\tbuilding\n30\t2\ttree\n"
            "40\t3\tpost\n");
  WriteScan("a2", Points(70), {10, 10, 40});
  WriteScan("b1", Points(80), {10, 20, 30});
  EXPECT_THAT(Warnings(Check(Lidar())),
              ElementsAre(AllOf(HasSubstr("nothing can learn"), HasSubstr("tree")),
                          AllOf(HasSubstr("in val"), HasSubstr("post"))));
  WriteScan("b1", Points(80), {10, 20, 0});
  EXPECT_THAT(Warnings(Check(Lidar())),
              Contains(AllOf(HasSubstr("classes without points"), HasSubstr("tree"))));
}

TEST_F(CheckTest, ClassesOfOneNameAreCountedApartAndWarnedOf) {
  WriteLidar(3, 2);
  WriteText(root_ + "/classes.tsv",
            "raw_id\ttrain_id\tname\n0\t255\tvoid\n10\t0\tother\n20\t1\tother\n");
  const CheckReport report = Check(Lidar());
  EXPECT_THAT(Warnings(report),
              ElementsAre(HasSubstr("of one name: other (class 0), other (class 1);")));
  EXPECT_EQ(report.overview.at("classes").at(1).at("name"), "other (class 1)");
}

TEST_F(CheckTest, AClassWithVeryFewPointsIsNamed) {
  WriteLidar(3, 2);
  std::vector<float> points;
  for (int i = 0; i < 5000; ++i) {
    points.insert(points.end(), {0.01F * static_cast<float>(i), 1, 1, 0.5F});
  }
  WriteText(root_ + "/train.txt", "a0\n");
  std::vector<uint32_t> labels(5000, 10);
  labels[17] = 20;
  WriteScan("a0", points, labels);
  EXPECT_THAT(Warnings(Check(Lidar())),
              ElementsAre(AllOf(HasSubstr("very few points"), HasSubstr("building (1)"))));
}

TEST_F(CheckTest, UnlabelledScansAreCountedAndAnUnlabelledSplitIsAFault) {
  WriteLidar(3, 2);
  WriteScan("a1", Points(70), {0, 0, 0});
  const CheckReport one = Check(Lidar());
  EXPECT_THAT(Messages(one), IsEmpty());
  EXPECT_EQ(SplitOf(one, "train").at("unlabelled_scans"), 1);
  EXPECT_THAT(Warnings(one),
              Contains(AllOf(HasSubstr("1 scan of train without a label"), HasSubstr("a1.bin"))));
  for (const char* name : {"b0", "b1"}) WriteScan(name, Points(name[1]), {0, 0, 0});
  EXPECT_THAT(Messages(Check(Lidar())), ElementsAre(HasSubstr("split val")));
}

TEST_F(CheckTest, EmptyScansAreCountedAndAnEmptySplitIsAFault) {
  WriteLidar(3, 2);
  for (const char* name : {"a1", "b1"}) WriteScan(name, {}, {});
  const CheckReport some = Check(Lidar());
  EXPECT_THAT(Messages(some), IsEmpty());
  EXPECT_EQ(SplitOf(some, "train").at("empty_scans"), 1);
  EXPECT_EQ(SplitOf(some, "val").at("empty_scans"), 1);
  EXPECT_THAT(Warnings(some),
              Contains(AllOf(HasSubstr("1 scan of val without a point"), HasSubstr("b1.bin"))));
  EXPECT_THAT(Warnings(some), Not(Contains(HasSubstr("with the content of"))));
  WriteScan("b0", {}, {});
  EXPECT_THAT(Messages(Check(Lidar())), ElementsAre(HasSubstr("split val")));
}

TEST_F(CheckTest, AScanOfWhichTheSettingsLeaveNoPointIsEmpty) {
  WriteLidar(3, 2);
  WriteScan("b1", std::vector<float>(12, 0));
  const CheckReport report = Check(Lidar({{"drop_origin", true}}));
  EXPECT_THAT(Messages(report), IsEmpty());
  EXPECT_EQ(SplitOf(report, "val").at("empty_scans"), 1);
  EXPECT_EQ(SplitOf(report, "val").at("labelled"), 2);
}

TEST_F(CheckTest, AnObjectFileWithoutARowIsEmpty) {
  WriteShapeNet(root_);
  WriteText(root_ + "/03797390/c.txt", "\n");
  const CheckReport report = Check({{"kind", "shapenet_part"}, {"root", root_}});
  EXPECT_THAT(Messages(report), IsEmpty());
  EXPECT_EQ(SplitOf(report, "train").at("empty_scans"), 1);
  EXPECT_EQ(SplitOf(report, "train").at("fewest_points"), 0);
}

TEST_F(CheckTest, ObjectsWithPartsAreCountedByPartAndCategory) {
  WriteShapeNet(root_);
  WriteText(root_ + "/03797390/d.txt", "0 0 0 1 0 0 36\n1 0 0 1 0 0\n");
  WriteText(root_ + "/03797390/e.txt", "0 0 0 1 0 0 6\n");
  const CheckReport report = Check({{"kind", "shapenet_part"}, {"root", root_}});
  EXPECT_THAT(Messages(report),
              ElementsAre(AllOf(HasSubstr("d.txt: line 2")), AllOf(HasSubstr("e.txt: line 1"))));
  Json mugs;
  for (const Json& category : report.overview.at("categories")) {
    if (category.at("name") == "Mug") mugs = category.at("train");
  }
  EXPECT_EQ(mugs.at("count"), 2);
  EXPECT_EQ(report.overview.at("counted"), "points");
}

TEST_F(CheckTest, ClassesOfObjectsAreCountedInObjects) {
  WriteMeshes(root_);
  WriteText(root_ + "/bed/train/bed_0002.off", "OFF\n1 1 0\n0 0 0\n3 0 1 2\n");
  const CheckReport report = Check({{"kind", "modelnet40"}, {"root", root_}, {"val_share", 0.25}});
  EXPECT_THAT(Messages(report), ElementsAre(HasSubstr("bed_0002.off")));
  EXPECT_EQ(report.overview.at("counted"), "objects");
  EXPECT_EQ(SplitOf(report, "train").at("labelled"), 2);
}

TEST_F(CheckTest, OfGeneratedDataSomeScansAreReadAndSaidSo) {
  const CheckReport report =
      Check({{"kind", "synthetic_objects"}, {"train_objects", 1'000'000}, {"object_points", 64}});
  EXPECT_THAT(Messages(report), IsEmpty());
  const Json train = SplitOf(report, "train");
  EXPECT_EQ(train.at("scans"), 1'000'000);
  EXPECT_LT(train.at("read").get<int64_t>(), 100);
  EXPECT_THAT(Warnings(report), Not(Contains(HasSubstr("classes"))));
}

TEST_F(CheckTest, ReportsEveryScanAndStopsWhenAsked) {
  WriteLidar(5, 2);
  const auto dataset = OpenFolder(root_);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  std::vector<int64_t> seen;
  const auto progress = [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, 7);
    seen.push_back(done);
  };
  ASSERT_TRUE(CheckDataset(**dataset, {.threads = 3, .progress = progress}, {}).ok());
  EXPECT_THAT(seen, ElementsAre(1, 2, 3, 4, 5, 6, 7));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(CheckDataset(**dataset, {.threads = 3}, stop.get_token()).status().code(),
            StatusCode::kCancelled);
}

TEST_F(CheckTest, ALookSeesAWrongFolderAndListsButReadsNoScan) {
  const auto look = [&](const Json& config) {
    return LookAtDataset(BuiltinDatasets(), config, "/studies/2/dataset");
  };
  const Status missing = look(Lidar());
  EXPECT_EQ(missing.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(missing.message(), AllOf(HasSubstr("/studies/2/dataset/root"), HasSubstr(root_)));
  WriteLidar(3, 2);
  EXPECT_TRUE(look(Lidar()).ok());
  std::filesystem::remove(PointsOf("a2"));  // what a look does not see
  WriteText(PointsOf("b1"), "cut");
  EXPECT_TRUE(look(Lidar()).ok());
  WriteText(root_ + "/train.txt", "nowhere\n");
  EXPECT_THAT(look(Lidar()).message(),
              AllOf(HasSubstr("/studies/2/dataset/root"), HasSubstr("velodyne/nowhere.bin")));
  std::filesystem::remove(root_ + "/train.txt");
  EXPECT_THAT(look(Lidar()).message(), HasSubstr(root_ + "/train.txt"));
  for (const char* kind : {"shapenet_part", "modelnet40"}) {
    EXPECT_THAT(look({{"kind", kind}, {"root", root_ + "/nowhere"}}).message(),
                HasSubstr(root_ + "/nowhere"));
    EXPECT_FALSE(look({{"kind", kind}, {"root", root_}}).ok()) << kind;
  }
  EXPECT_TRUE(look({{"kind", "synthetic_lidar"}}).ok());
}

}  // namespace
}  // namespace voxbit::data
