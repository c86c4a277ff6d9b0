// What every kind of dataset must do; runs over the registry.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "tests/data/object_folders.h"
#include "worker/data/files/writer.h"

namespace voxbit::data {
namespace {

using ::testing::HasSubstr;

class DatasetConformanceTest : public ::testing::TestWithParam<std::string> {
 protected:
  // A configuration of `kind` with at least two training scans and one validation scan.
  Json ConfigOf(const std::string& kind) {
    Json synthetic = {
        {"kind", "synthetic_lidar"}, {"train_scans", 3}, {"val_scans", 2}, {"beams", 16},
        {"azimuth_steps", 128},      {"voxel_m", 0.2}};
    if (kind == "synthetic_lidar") return synthetic;
    if (kind == "semantic_kitti") {
      const std::string root = folder_.path() + "/semantic_kitti";
      const auto source = OpenDataset(BuiltinDatasets(), synthetic, "/dataset");
      EXPECT_TRUE(WriteSemanticKittiFolder(**source, root).ok());
      return {{"kind", kind}, {"root", root}, {"voxel_m", 0.2}};
    }
    Json objects = {{"kind", "synthetic_objects"}, {"train_objects", 3},   {"val_objects", 2},
                    {"test_objects", 1},           {"object_points", 128}, {"points", 32}};
    if (kind == "synthetic_objects") return objects;
    const std::string root = folder_.path() + "/" + kind;
    if (kind == "shapenet_part") {
      const auto source = OpenDataset(BuiltinDatasets(), objects, "/dataset");
      EXPECT_TRUE(WriteShapeNetPartFolder(**source, root).ok());
      return {{"kind", kind}, {"root", root}, {"points", 32}};
    }
    if (kind == "modelnet40") {
      WriteModelNet(root);
      return {{"kind", kind}, {"root", root}, {"points", 8}, {"val_share", 0.34}};
    }
    ADD_FAILURE() << "no configuration for the kind " << kind;
    return nullptr;
  }

  void SetUp() override {
    config_ = ConfigOf(GetParam());
    auto opened = OpenDataset(registry_, config_, "/dataset");
    ASSERT_TRUE(opened.ok()) << opened.status();
    dataset_ = std::move(opened).value();
  }

  const TempFolder folder_;
  const DatasetRegistry registry_ = BuiltinDatasets();
  Json config_;
  std::unique_ptr<Dataset> dataset_;
};

TEST_P(DatasetConformanceTest, ScansHaveMatchingShapesAndLabelsInRange) {
  EXPECT_GE(dataset_->num_classes(), 2);
  for (const Split split : {Split::kTrain, Split::kVal}) {
    ASSERT_GE(dataset_->size(split), 1);
    for (int64_t i = 0; i < dataset_->size(split); ++i) {
      const auto scan = dataset_->Load(split, i);
      ASSERT_TRUE(scan.ok()) << scan.status();
      EXPECT_FALSE(scan->name.empty());
      const bool is_object = dataset_->traits().scoring == Scoring::kObjects;
      EXPECT_EQ(scan->labels.size(), is_object ? 0 : scan->points.size() / 4);
      EXPECT_LT(scan->category, std::max<int64_t>(dataset_->num_classes(), 1));
      for (const int32_t label : scan->labels) {
        EXPECT_TRUE((label >= 0 && label < dataset_->num_classes()) || label == kIgnoredLabel);
      }
    }
  }
}

TEST_P(DatasetConformanceTest, PreparedScansHaveTheShapesOfTheirForm) {
  const DatasetTraits traits = dataset_->traits();
  for (const Split split : {Split::kTrain, Split::kVal, Split::kTest}) {
    for (int64_t i = 0; i < dataset_->size(split); ++i) {
      const auto scan = dataset_->Load(split, i);
      ASSERT_TRUE(scan.ok()) << scan.status();
      const auto prepared = dataset_->Prepare(*scan, nullptr);
      ASSERT_TRUE(prepared.ok()) << prepared.status();
      const auto rows = static_cast<size_t>(prepared->num_rows());
      EXPECT_EQ(prepared->num_features, dataset_->num_features());
      EXPECT_EQ(prepared->coords.size(), traits.input == InputForm::kVoxels ? 3 * rows : 0);
      EXPECT_EQ(prepared->labels.size(), traits.scoring == Scoring::kObjects ? 1 : rows);
      EXPECT_EQ(prepared->point_labels.size(), prepared->inverse.size());
      EXPECT_EQ(prepared->category, scan->category);
      if (traits.scoring == Scoring::kObjects) {
        EXPECT_TRUE(prepared->inverse.empty());
        EXPECT_EQ(prepared->labels.front(), scan->category);
      } else if (traits.input == InputForm::kClouds) {
        EXPECT_EQ(prepared->inverse.size(), rows);
        EXPECT_EQ(prepared->labels, prepared->point_labels);
      }
      const auto& parts = dataset_->parts_of_category();
      if (traits.scoring != Scoring::kParts) continue;
      ASSERT_TRUE(scan->category >= 0 && static_cast<size_t>(scan->category) < parts.size());
      const auto& own = parts[static_cast<size_t>(scan->category)];
      for (const int32_t label : prepared->labels) {
        EXPECT_TRUE(label == kIgnoredLabel || std::count(own.begin(), own.end(), label) == 1);
      }
    }
  }
}

TEST_P(DatasetConformanceTest, TraitsAreKnownBeforeTheDataIsOpened) {
  const auto traits = ReadDatasetTraits(registry_, config_, "/dataset");
  ASSERT_TRUE(traits.ok()) << traits.status();
  EXPECT_EQ(traits->input, dataset_->traits().input);
  EXPECT_EQ(traits->scoring, dataset_->traits().scoring);
  EXPECT_EQ(traits->metrics, dataset_->traits().metrics);
  EXPECT_FALSE(traits->metrics.empty());
  EXPECT_EQ(dataset_->parts_of_category().empty(), traits->scoring != Scoring::kParts);
  EXPECT_EQ(dataset_->parts_of_category().size(), dataset_->category_names().size());
}

TEST_P(DatasetConformanceTest, ContractsNameTensorsAndClasses) {
  const Json input = dataset_->InputContract();
  EXPECT_EQ(input["tensors"].back()["shape"].back(), dataset_->num_features());
  const Json output = dataset_->OutputContract();
  EXPECT_EQ(output["tensors"][0]["shape"].back(), dataset_->num_classes());
  EXPECT_EQ(output["class_names"], dataset_->class_names());
  EXPECT_TRUE(output["prediction"].is_string());
}

TEST_P(DatasetConformanceTest, LoadDoesNotDependOnTheOrderOfCalls) {
  const auto forward = dataset_->Load(Split::kTrain, 0);
  const auto reopened = OpenDataset(registry_, config_, "/dataset");
  ASSERT_TRUE(reopened.ok());
  ASSERT_TRUE((*reopened)->Load(Split::kVal, 0).ok());
  ASSERT_TRUE((*reopened)->Load(Split::kTrain, 1).ok());
  const auto backward = (*reopened)->Load(Split::kTrain, 0);
  ASSERT_TRUE(forward.ok() && backward.ok());
  EXPECT_EQ(forward->points, backward->points);
  EXPECT_EQ(forward->labels, backward->labels);
}

TEST_P(DatasetConformanceTest, ThreadsLoadTheSameScansAsOneThread) {
  std::vector<std::vector<float>> points(8);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < points.size(); ++i) {
      threads.emplace_back([this, &points, i] {
        const auto scan = dataset_->Load(Split::kTrain, static_cast<int64_t>(i % 2));
        if (scan.ok()) points[i] = scan->points;
      });
    }
  }
  for (size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(points[i], dataset_->Load(Split::kTrain, static_cast<int64_t>(i % 2))->points);
  }
}

TEST_P(DatasetConformanceTest, AnIndexOutsideTheSplitIsAnError) {
  for (const int64_t index : {int64_t{-1}, dataset_->size(Split::kVal)}) {
    const auto scan = dataset_->Load(Split::kVal, index);
    ASSERT_FALSE(scan.ok());
    EXPECT_EQ(scan.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(scan.status().message(), HasSubstr("val"));
  }
}

TEST_P(DatasetConformanceTest, EqualSeedsGiveEqualTrainingInput) {
  const auto scan = dataset_->Load(Split::kTrain, 1);
  ASSERT_TRUE(scan.ok());
  Rng a = Rng(7).Fork("augment", 3), b = Rng(7).Fork("augment", 3), c = Rng(7).Fork("augment", 4);
  const auto first = dataset_->Prepare(*scan, &a);
  const auto again = dataset_->Prepare(*scan, &b);
  const auto other = dataset_->Prepare(*scan, &c);
  ASSERT_TRUE(first.ok() && again.ok() && other.ok()) << first.status();
  EXPECT_EQ(first->coords, again->coords);
  EXPECT_EQ(first->feats, again->feats);
  EXPECT_EQ(first->labels, again->labels);
  EXPECT_NE(first->feats, other->feats);
  EXPECT_EQ(first->feats.size(), static_cast<size_t>(first->num_rows() * dataset_->num_features()));
}

TEST_P(DatasetConformanceTest, AnUnknownKeyIsAnErrorThatNamesItsPointer) {
  Json config = config_;
  config["voxel_size"] = 1;
  const auto parsed = ParseDatasetConfig(registry_, config, "/studies/0/dataset");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(parsed.status().message(), HasSubstr("/studies/0/dataset"));
  EXPECT_THAT(parsed.status().message(), HasSubstr("voxel_size"));
}

TEST_P(DatasetConformanceTest, CommonSettingsAreChecked) {
  std::vector<std::pair<Json, std::string>> cases = {
      {{{"features", Json::array()}}, "/dataset/features"},
      {{{"features", {"x", "colour"}}}, "/dataset/features/1"},
      {{{"features", {"x", "y", "x"}}}, "/dataset/features/2"},
      {{{"scale_min", 1.2}, {"scale_max", 1.1}}, "/dataset/scale_min"},
      {{{"rotate", 1}}, "/dataset/rotate"},
  };
  if (dataset_->traits().input == InputForm::kVoxels) {
    cases.insert(cases.end(), {{{{"voxel_m", 0}}, "/dataset/voxel_m"},
                               {{{"voxel_m", "small"}}, "/dataset/voxel_m"},
                               {{{"max_points", 0}}, "/dataset/max_points"},
                               {{{"jitter_m", -1}}, "/dataset/jitter_m"}});
  } else {
    cases.insert(cases.end(), {{{{"points", 0}}, "/dataset/points"},
                               {{{"shift", -1}}, "/dataset/shift"},
                               {{{"jitter", -1}}, "/dataset/jitter"}});
  }
  for (const auto& [fields, message] : cases) {
    Json config = config_;
    config.update(fields);
    for (const Status& status : {ParseDatasetConfig(registry_, config, "/dataset").status(),
                                 OpenDataset(registry_, config, "/dataset").status()}) {
      EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << config;
      EXPECT_THAT(status.message(), HasSubstr(message));
    }
  }
}

TEST_P(DatasetConformanceTest, AMissingFolderIsAnErrorThatNamesIt) {
  if (!config_.contains("root")) return;  // needs no files
  config_["root"] = folder_.path() + "/nowhere";
  EXPECT_TRUE(ParseDatasetConfig(registry_, config_, "/dataset").ok());
  const Status status = OpenDataset(registry_, config_, "/dataset").status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("/dataset/root"));
  EXPECT_THAT(status.message(), HasSubstr(folder_.path() + "/nowhere"));
}

TEST_P(DatasetConformanceTest, TheResolvedConfigurationParsesToItself) {
  const auto resolved = ParseDatasetConfig(registry_, config_, "/dataset");
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ((*resolved)["kind"], GetParam());
  const auto again = ParseDatasetConfig(registry_, *resolved, "/dataset");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*resolved, *again);
  EXPECT_EQ(dataset_->Describe()["config"], *resolved);
}

TEST_P(DatasetConformanceTest, HelpDescribesEveryField) {
  const auto resolved = ParseDatasetConfig(registry_, config_, "/dataset");
  ASSERT_TRUE(resolved.ok());
  const auto help = registry_.Find(GetParam())->help();
  EXPECT_EQ(help.size(), resolved->size());
  for (const FieldHelp& field : help) {
    EXPECT_TRUE(resolved->contains(field.name)) << field.name;
    EXPECT_FALSE(field.help.empty()) << field.name;
    EXPECT_FALSE(field.initial.empty()) << field.name;
  }
}

TEST_P(DatasetConformanceTest, DocumentationNamesEverySetting) {
  const char* root = std::getenv("VOXBIT_SOURCE_DIR");  // NOLINT(concurrency-mt-unsafe): unchanged
  ASSERT_NE(root, nullptr) << "run through ctest";
  const std::string text = ReadFile(std::string(root) + "/docs/data.md").value();
  for (const FieldHelp& field : registry_.Find(GetParam())->help()) {
    if (field.name == "kind") continue;
    EXPECT_NE(text.find("`" + field.name + "`"), std::string::npos) << field.name;
  }
}

TEST_P(DatasetConformanceTest, TheDigestChangesWithTheConfiguration) {
  const Json description = dataset_->Describe();
  EXPECT_EQ(description["kind"], GetParam());
  EXPECT_EQ(description["classes"], dataset_->class_names());
  EXPECT_EQ(description["scans"]["train"], dataset_->size(Split::kTrain));
  const auto same = OpenDataset(registry_, config_, "/dataset");
  Json changed = config_;
  changed["scale_max"] = 1.5;
  const auto other = OpenDataset(registry_, changed, "/dataset");
  ASSERT_TRUE(same.ok() && other.ok());
  EXPECT_EQ((*same)->Describe(), description);
  EXPECT_NE((*other)->Describe()["digest"], description["digest"]);
}

INSTANTIATE_TEST_SUITE_P(Builtin, DatasetConformanceTest,
                         ::testing::ValuesIn(BuiltinDatasets().Names()),
                         [](const ::testing::TestParamInfo<std::string>& test) {
                           std::string name;
                           for (const char c : test.param) name += c == '_' ? 'X' : c;
                           return name;
                         });

TEST(DatasetRegistryTest, NamesThePointerOfAMissingOrUnknownKind) {
  const DatasetRegistry registry = BuiltinDatasets();
  const auto unknown = ParseDatasetConfig(registry, {{"kind", "kitti"}}, "/dataset");
  ASSERT_FALSE(unknown.ok());
  EXPECT_THAT(unknown.status().message(), HasSubstr("/dataset/kind: unknown dataset \"kitti\""));
  EXPECT_THAT(unknown.status().message(), HasSubstr("semantic_kitti, shapenet_part"));
  const auto missing = OpenDataset(registry, Json::object(), "/dataset");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.status().message(), HasSubstr("/dataset/kind: missing"));
  EXPECT_FALSE(ParseDatasetConfig(registry, {{"kind", 3}}, "/dataset").ok());
  EXPECT_FALSE(ParseDatasetConfig(registry, Json::array(), "/dataset").ok());
}

}  // namespace
}  // namespace voxbit::data
