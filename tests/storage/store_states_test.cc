// The states of algorithms: small ones in their rows, large ones in files that outlive any crash.
#include <gtest/gtest.h>

#include <filesystem>

#include "common/files.h"
#include "storage/artifact_store.h"
#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using testing::StoreTest;
using testing::Take;
using testing::TrialOf;

class StoreStatesTest : public StoreTest {
 protected:
  static std::string Large(char fill) { return std::string(kLargeStateBytes + 1, fill); }

  Status Save(int64_t study, const std::string& blob, int64_t told = 0) {
    return store_->SaveAlgorithmState(study, {blob, told});
  }
  // What the row gives back, in short.
  std::string Loaded(int64_t study) {
    const auto state = Take(store_->LoadAlgorithmState(study));
    if (!state.has_value()) return "none";
    return state->blob.size() > kLargeStateBytes ? std::string(1, state->blob[0]) : state->blob;
  }
  std::string States(int64_t study) const {
    return folder_.File("store/states/" + std::to_string(study));
  }
  std::vector<std::string> Files(int64_t study) const {
    std::vector<std::string> files;
    if (!std::filesystem::exists(States(study))) return files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(States(study))) {
      if (entry.is_regular_file()) files.push_back(entry.path().string());
    }
    return files;
  }
};

TEST_F(StoreStatesTest, KeepsTheAlgorithmsState) {
  const search::Study study = NewStudy();
  EXPECT_FALSE(Take(store_->LoadAlgorithmState(study.id)).has_value());
  AddTrials(study.id, 0, 1);
  Complete(Claim());
  const std::string blob("\0\x01\xff state", 9);
  ASSERT_TRUE(store_->SaveAlgorithmState(study.id, {blob, 1}).ok());
  Reopen();
  const auto state = Take(store_->LoadAlgorithmState(study.id));
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->blob, blob);
  EXPECT_EQ(state->told_sequence, 1);
}

TEST_F(StoreStatesTest, OnlyALargeStateIsAFile) {
  const search::Study study = NewStudy();
  const std::string small(kLargeStateBytes, 's');
  ASSERT_TRUE(Save(study.id, small).ok());
  EXPECT_TRUE(Files(study.id).empty());
  ASSERT_TRUE(Save(study.id, Large('a')).ok());
  EXPECT_EQ(Files(study.id).size(), 1U);
  EXPECT_LT(std::filesystem::file_size(folder_.File("store/voxbit.db")), 200'000U);
  Reopen();
  EXPECT_EQ(Take(store_->LoadAlgorithmState(study.id))->blob, Large('a'));
  ASSERT_TRUE(Save(study.id, "small again").ok());
  EXPECT_EQ(Loaded(study.id), "small again");
}

TEST_F(StoreStatesTest, SupersededFilesGo) {
  const search::Study study = NewStudy();
  for (char fill = 'a'; fill <= 'f'; ++fill) {
    ASSERT_TRUE(store_
                    ->AppendTrials(study.id, {TrialOf(fill, {search::TaskKind::kEvaluate})},
                                   {Large(fill), 0})
                    .ok());
    EXPECT_LE(Files(study.id).size(), 2U);  // this one, and the one before
    EXPECT_EQ(Loaded(study.id), std::string(1, fill));
  }
  Reopen();
  EXPECT_EQ(Files(study.id).size(), 1U);
  EXPECT_EQ(Loaded(study.id), "f");
}

TEST_F(StoreStatesTest, StudiesWithEqualStatesDoNotShareTheirFiles) {
  const search::Study one = NewStudy("one");
  const search::Study other = NewStudy("other");
  ASSERT_TRUE(Save(one.id, Large('a')).ok());
  ASSERT_TRUE(Save(other.id, Large('a')).ok());
  ASSERT_TRUE(Save(one.id, Large('b')).ok());
  ASSERT_TRUE(Save(one.id, Large('c')).ok());
  EXPECT_EQ(Loaded(other.id), "a");
}

TEST_F(StoreStatesTest, RolledBackSaveLeavesTheOldState) {
  const search::Study study = NewStudy();
  ASSERT_TRUE(Save(study.id, Large('a')).ok());
  const Status failed = store_->Write([&]() -> Status {
    VOXBIT_RETURN_IF_ERROR(Save(study.id, Large('b')));
    VOXBIT_RETURN_IF_ERROR(Save(study.id, Large('c')));
    EXPECT_EQ(Loaded(study.id), "c");
    return Cancelled("no");
  });
  EXPECT_EQ(failed.code(), StatusCode::kCancelled);
  EXPECT_EQ(Loaded(study.id), "a");
  // Trials and state are kept together or not at all.
  AddTrials(study.id, 1, 1);
  ASSERT_TRUE(Save(study.id, Large('d')).ok());
  EXPECT_FALSE(store_->AppendTrials(study.id, {TrialOf(1, {})}, {Large('e'), 0}).ok());
  EXPECT_EQ(Loaded(study.id), "d");
}

TEST_F(StoreStatesTest, WhatACrashLeftBehindGoesWhenTheStoreIsOpened) {
  const search::Study study = NewStudy();
  ASSERT_TRUE(Save(study.id, Large('a')).ok());
  // Died between the file and its row; and before the first row of another study.
  for (const int64_t id : {study.id, study.id + 1}) {
    auto states = Take(ArtifactStore::Open(States(id)));
    ASSERT_TRUE(states->Put(Large('b')).ok());
  }
  Reopen();
  EXPECT_EQ(Files(study.id).size(), 1U);
  EXPECT_TRUE(Files(study.id + 1).empty());
  EXPECT_EQ(Loaded(study.id), "a");
}

TEST_F(StoreStatesTest, DamagedOrLostFileIsAnError) {
  const search::Study study = NewStudy();
  ASSERT_TRUE(Save(study.id, Large('a')).ok());
  const std::string file = Files(study.id).at(0);
  std::string bytes = Take(ReadFile(file));
  bytes[77] = 'b';
  ASSERT_TRUE(WriteFileAtomically(file, bytes).ok());
  EXPECT_EQ(store_->LoadAlgorithmState(study.id).status().reason(), "STORE_CORRUPT");
  std::filesystem::remove(file);
  const Status lost = store_->LoadAlgorithmState(study.id).status();
  EXPECT_EQ(lost.code(), StatusCode::kDataLoss);
  EXPECT_NE(lost.message().find("is gone"), std::string::npos) << lost;
  EXPECT_EQ(Take(store_->CheckInvariants()),
            (std::vector<std::string>{"the file of a large algorithm state is there: study " +
                                      std::to_string(study.id)}));
  ASSERT_TRUE(Save(study.id, "mended").ok());
}

}  // namespace
}  // namespace voxbit::storage
