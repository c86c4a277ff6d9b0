// A study of categories and parts of one's own, with real processes.
#include <gtest/gtest.h>

#include "tests/data/object_folders.h"
#include "tests/integration/study_fixture.h"

namespace voxbit::testing {
namespace {

TEST(OwnPartsStudyTest, ScoresThePartsOfTheTable) {
  const TempDir dir;
  data::WriteOwnParts(dir.path() + "/valves");
  Json study = SmallStudy("valves", 2);
  study["supernet"] = {{"kind", "point_transformer"},
                       {"width", 0.0625},
                       {"channels", 8},
                       {"levels", 2},
                       {"neighbours", {4}},
                       {"optional_blocks", {"encoder"}}};
  study["dataset"] = {{"kind", "shapenet_part"}, {"root", dir.path() + "/valves"}, {"points", 28}};
  study["train"] = {{"steps", 4}, {"batch", 2}, {"lr", 0.01}};
  study["evaluate"] = {{"calibration_scans", 2}, {"batch", 1}};
  study["search"] = {{"algorithm", "random"}, {"population", 2}, {"trials", 2}};
  study["objectives"] = {{{"metric", "instance_miou"}}, {{"metric", "macs"}}};
  auto server = StartServer(dir, WriteConfig(dir, study, "127.0.0.1:0", 1));
  EXPECT_EQ(server->Wait(Milliseconds(240'000)), 0) << ReadText(dir.path() + "/server.log");
  StoppedStore stopped(dir);
  const auto trials = stopped.Trials();
  ASSERT_EQ(trials.size(), 2U);
  for (const search::Trial& trial : trials) {
    ASSERT_EQ(trial.state, search::TrialState::kSucceeded);
    const search::Measurement& score = trial.measured.at({"instance_miou", ""});
    EXPECT_TRUE(score.value >= 0 && score.value <= 1) << score.value;
    const Json& detail = trial.measured.at({"class_miou", ""}).detail;
    EXPECT_TRUE(detail.at("category_miou").contains("Valve")) << detail;
  }
}

}  // namespace
}  // namespace voxbit::testing
