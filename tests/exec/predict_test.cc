// Export bundles run again: their labels, and scores equal to those of the search.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/exec/exec_fixture.h"
#include "worker/exec/bundle.h"
#include "worker/exec/predict.h"

namespace voxbit::worker {
namespace {

using ::testing::HasSubstr;

class PredictTest : public ExecTest {
 protected:
  void Use(const std::string& kind, const Json& supernet, const Json& dataset) {
    search::SupernetSpecRegistry registry("supernet");
    supernet::RegisterBuiltinSpecs(registry);
    auto spec = registry.Find(kind).value()(supernet, "");
    ASSERT_TRUE(spec.ok()) << spec.status();
    spec_ = std::move(spec).value();
    auto config = data::ParseDatasetConfig(data::BuiltinDatasets(), dataset, "/dataset");
    ASSERT_TRUE(config.ok()) << config.status();
    dataset_ = std::move(config).value();
  }

  // Exports the candidate of EvaluateSpec as the server has it done.
  void Export(const search::TaskResult& evaluated) {
    const search::TaskSpec evaluate = EvaluateSpec();
    Json metrics = Json::array();
    for (const search::Measurement& row : evaluated.measurements) {
      metrics.push_back({{"metric", row.metric}, {"value", row.value}, {"stage", "search"}});
    }
    const Json manifest = {{"format", "voxbit-export"},
                           {"format_version", 1},
                           {"supernet", evaluate.supernet},
                           {"candidate", {{"choices", evaluate.candidate.choices}}},
                           {"metrics", metrics},
                           {"provenance",
                            {{"space_sha256", evaluate.space_digest},
                             {"study_config", {{"evaluate", EvaluateJson()}}}}}};
    const auto result =
        Run(Spec(search::TaskKind::kExport,
                 {{"manifest", manifest}, {"weights", ""}, {"evaluate", EvaluateJson()}}));
    ASSERT_TRUE(result.ok()) << result.status();
    for (const auto& [name, sha256] : result->artifacts) {
      const auto bytes = ReadFile(artifacts_.PathOf(sha256));
      ASSERT_TRUE(bytes.ok() && WriteFileAtomically(folder_.path() + "/" + name, *bytes).ok());
    }
  }

  std::unique_ptr<data::Dataset> OpenTrained() const {
    return data::OpenDataset(data::BuiltinDatasets(), dataset_, "").value();
  }

  // Trains, evaluates, exports and runs the export over the same split.
  void ExpectTheScoresOfTheSearch(int64_t steps) {
    Train(steps);
    const auto evaluated = Run(EvaluateSpec());
    ASSERT_TRUE(evaluated.ok()) << evaluated.status();
    Export(*evaluated);
    const auto bundle = ReadBundle(folder_.path());
    ASSERT_TRUE(bundle.ok()) << bundle.status();
    EXPECT_EQ(bundle->batch, 2);
    const auto dataset = OpenTrained();
    int64_t told = 0;
    const auto scores = Predict(*bundle, *dataset, data::Split::kVal, {.batch = bundle->batch},
                                {.done = [&](const Prediction& prediction) {
                                  EXPECT_EQ(prediction.index, told++);
                                  Check(*dataset, prediction);
                                  return OkStatus();
                                }});
    ASSERT_TRUE(scores.ok()) << scores.status();
    EXPECT_EQ(told, dataset->size(data::Split::kVal));
    ASSERT_EQ(scores->size(), evaluated->measurements.size());
    for (size_t i = 0; i < scores->size(); ++i) {
      EXPECT_EQ((*scores)[i], evaluated->measurements[i]) << (*scores)[i].metric;
    }
    EXPECT_EQ(RecordedScores(*bundle).at(scores->front().metric), scores->front().value);
  }

  // Whom a prediction of scans from files was told of, and what it said of the others.
  struct Told {
    std::vector<int64_t> done;
    std::vector<int64_t> failed;
    std::vector<std::string> why;
    PredictCalls calls() {
      return {.done =
                  [this](const Prediction& prediction) {
                    done.push_back(prediction.index);
                    return OkStatus();
                  },
              .failed =
                  [this](int64_t index, const Status& status) {
                    failed.push_back(index);
                    why.push_back(status.message());
                  }};
    }
  };

  // Every point of the scan has a class.
  static void Check(const data::Dataset& dataset, const Prediction& prediction) {
    const auto scan = dataset.Load(data::Split::kVal, prediction.index);
    ASSERT_TRUE(scan.ok()) << scan.status();
    EXPECT_EQ(prediction.name, scan->name);
    const bool as_whole = dataset.traits().scoring == data::Scoring::kObjects;
    ASSERT_EQ(prediction.classes.size(), as_whole ? 1U : static_cast<size_t>(scan->num_points()));
    for (const int32_t label : prediction.classes) {
      ASSERT_GE(label, 0);
      ASSERT_LT(label, dataset.num_classes());
      if (dataset.traits().scoring != data::Scoring::kParts) continue;
      const auto& parts = dataset.parts_of_category()[static_cast<size_t>(scan->category)];
      EXPECT_THAT(parts, ::testing::Contains(label));
    }
    if (!as_whole) return;
    double sum = 0;
    for (const float share : prediction.probabilities) sum += static_cast<double>(share);
    EXPECT_NEAR(sum, 1, 1e-5);
    EXPECT_EQ(std::max_element(prediction.probabilities.begin(), prediction.probabilities.end()) -
                  prediction.probabilities.begin(),
              prediction.classes.front());
  }

  testing::TempDir folder_;
};

TEST_F(PredictTest, ScansScoreAsInTheSearch) { ExpectTheScoresOfTheSearch(6); }

TEST_F(PredictTest, PackedNetworksScoreAsInTheSearch) {
  Use("spvnas",
      {{"kind", "spvnas"},
       {"width", 0.25},
       {"quantization", {{"weight_bits", {2, 4}}, {"activation_bits", {8}}}}},
      dataset_);
  ExpectTheScoresOfTheSearch(6);
  EXPECT_TRUE(ReadBundle(folder_.path())->is_packed());
}

const Json kObjects = {{"kind", "synthetic_objects"}, {"train_objects", 16}, {"val_objects", 5},
                       {"object_points", 300},        {"points", 128},       {"dropout_max", 0}};

Json SmallTransformer(const std::string& task) {
  return {{"kind", "point_transformer"},
          {"task", task},
          {"width", 0.0625},
          {"channels", 16},
          {"levels", 2},
          {"neighbours", {8}}};
}

TEST_F(PredictTest, EveryPointOfAnObjectHasAPart) {
  Use("point_transformer", SmallTransformer("segmentation"), kObjects);
  ExpectTheScoresOfTheSearch(2);
}

TEST_F(PredictTest, ObjectsHaveClassAndProbability) {
  Json objects = kObjects;
  objects["task"] = "class";
  Use("point_transformer", SmallTransformer("classification"), objects);
  ExpectTheScoresOfTheSearch(2);
}

TEST_F(PredictTest, GoesOnAfterAScanThatCannotBeUsed) {
  Train(2);
  Export(*Run(EvaluateSpec()));
  const auto bundle = ReadBundle(folder_.path());
  const auto scan = OpenTrained()->Load(data::Split::kVal, 0);
  const void* bytes = scan->points.data();
  const std::string whole(static_cast<const char*>(bytes), scan->points.size() * sizeof(float));
  ASSERT_TRUE(WriteFileAtomically(folder_.path() + "/a.bin", whole.substr(0, 50)).ok());
  ASSERT_TRUE(WriteFileAtomically(folder_.path() + "/b.bin", whole).ok());
  const auto files = data::OpenFiles(data::BuiltinDatasets(), bundle->dataset,
                                     {{folder_.path() + "/a.bin", folder_.path() + "/b.bin"}, ""});
  ASSERT_TRUE(files.ok()) << files.status();
  Told told;
  PredictCalls strict = told.calls();
  strict.failed = nullptr;
  EXPECT_THAT(Predict(*bundle, **files, data::Split::kVal, {}, strict).status().message(),
              HasSubstr("a.bin: 50 bytes"));
  const auto scores = Predict(*bundle, **files, data::Split::kVal, {}, told.calls());
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_TRUE(scores->empty()) << "nothing is labelled";
  EXPECT_THAT(told.done, ::testing::ElementsAre(1));
  EXPECT_THAT(told.why, ::testing::ElementsAre(HasSubstr("a.bin: 50 bytes")));
}

TEST_F(PredictTest, AScanThatTheNetworkCannotTakeLeavesTheOthersOfItsBatchAlone) {
  Train(2);
  Export(*Run(EvaluateSpec()));
  const auto bundle = ReadBundle(folder_.path());
  const auto scan = OpenTrained()->Load(data::Split::kVal, 0);
  std::vector<float> dazzled = scan->points;
  for (size_t i = 3; i < dazzled.size(); i += 4) dazzled[i] = 3e38F;
  std::vector<std::string> paths;
  for (const char* name : {"a", "b", "c"}) {
    const std::string stem = folder_.path() + "/" + name;
    const std::vector<float>& points = *name == 'b' ? dazzled : scan->points;
    const std::vector<uint32_t> labels(points.size() / 4, OpenTrained()->raw_ids()[0]);
    const auto bytes = [](const auto& values) {
      const void* begin = values.data();
      return std::string(static_cast<const char*>(begin), values.size() * sizeof(values[0]));
    };
    ASSERT_TRUE(WriteFileAtomically(stem + ".bin", bytes(points)).ok());
    ASSERT_TRUE(WriteFileAtomically(stem + ".label", bytes(labels)).ok());
    paths.push_back(stem + ".bin");
  }
  const auto files = data::OpenFiles(data::BuiltinDatasets(), bundle->dataset, {paths, ""});
  ASSERT_TRUE(files.ok()) << files.status();
  Told told;
  const auto scores = Predict(*bundle, **files, data::Split::kVal, {.batch = 3}, told.calls());
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_THAT(told.done, ::testing::ElementsAre(0, 2));
  EXPECT_THAT(told.failed, ::testing::ElementsAre(1));
  EXPECT_THAT(told.why, ::testing::ElementsAre(HasSubstr("b.bin: a logit is no finite number")));
  EXPECT_EQ(scores->front().samples, 2);
}

TEST_F(PredictTest, RefusesDataThatIsPreparedInAnotherWay) {
  Train(2);
  Export(*Run(EvaluateSpec()));
  const auto bundle = ReadBundle(folder_.path());
  Json other = dataset_;
  other["voxel_m"] = 0.25;
  const auto dataset = data::OpenDataset(data::BuiltinDatasets(), other, "");
  const Status status =
      Predict(*bundle, **dataset, data::Split::kVal, {}, {.done = nullptr}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("was trained with voxel_m 0.5, the data has 0.25"));
}

TEST_F(PredictTest, RefusesABundleThatIsNone) {
  EXPECT_EQ(ReadBundle(folder_.path()).status().code(), StatusCode::kNotFound);
  const std::string manifest = folder_.path() + "/manifest.json";
  ASSERT_TRUE(WriteFileAtomically(manifest, "{}").ok());
  EXPECT_THAT(ReadBundle(folder_.path()).status().message(),
              HasSubstr(manifest + ": /format: missing"));
  Train(2);
  Export(*Run(EvaluateSpec()));
  ASSERT_TRUE(ReadBundle(folder_.path()).ok());
  ASSERT_TRUE(WriteFileAtomically(folder_.path() + "/weights.safetensors", "other").ok());
  const Status status = ReadBundle(folder_.path()).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("weights.safetensors: not the file of this manifest"));
}

}  // namespace
}  // namespace voxbit::worker
