#include <gtest/gtest.h>

#include "common/uuid.h"
#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using testing::StoreTest;
using testing::StudyNamed;
using testing::Take;

class StoreRequestsTest : public StoreTest {
 protected:
  // Creates a study and answers with its id.
  Result<std::optional<std::string>> Create(const RequestKey& key, const std::string& name) {
    return store_->RunOnce(key, [&]() -> Result<std::optional<std::string>> {
      ++runs_;
      VOXBIT_ASSIGN_OR_RETURN(
          const search::Study study,
          store_->CreateStudy(StudyNamed(name), CanonicalJson(ToJson(StudyNamed(name)))));
      return std::optional<std::string>(std::to_string(study.id) + std::string("\0answer", 7));
    });
  }

  int runs_ = 0;
  RequestKey key_{NewUuid(), "StudyService/CreateStudy", "body"};
};

TEST_F(StoreRequestsTest, AnswersARepeatedRequestWithoutDoingItAgain) {
  const auto first = Take(Create(key_, "a"));
  const auto second = Take(Create(key_, "a"));
  EXPECT_EQ(first, second);
  EXPECT_EQ(*first, "1" + std::string("\0answer", 7));
  EXPECT_EQ(runs_, 1);
  EXPECT_EQ(Take(store_->ListStudies(0, 10)).size(), 1u);
}

TEST_F(StoreRequestsTest, RemembersAnswersOverARestart) {
  const auto first = Take(Create(key_, "a"));
  Reopen();
  EXPECT_EQ(Take(Create(key_, "a")), first);
  EXPECT_EQ(runs_, 1);
}

TEST_F(StoreRequestsTest, RefusesAnIdThatWasUsedForAnotherRequest) {
  Take(Create(key_, "a"));
  RequestKey other_body = key_;
  other_body.body_sha256 = "other";
  RequestKey other_method = key_;
  other_method.method = "StudyService/StopStudy";
  for (const RequestKey& key : {other_body, other_method}) {
    const Status status = Create(key, "b").status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(status.reason(), "REQUEST_ID_REUSED");
  }
  EXPECT_EQ(runs_, 1);
}

TEST_F(StoreRequestsTest, RefusesAnIdThatIsNoUuid) {
  for (const std::string id :
       {"", "1", "123e4567-e89b-12d3-a456-42661417400", "123e4567xe89b-12d3-a456-426614174000",
        "123e4567-e89b-12d3-a456-42661417400g"}) {
    EXPECT_EQ(Create({id, "m", "b"}, "a").status().code(), StatusCode::kInvalidArgument) << id;
  }
  EXPECT_EQ(runs_, 0);
}

TEST_F(StoreRequestsTest, ForgetsAnErrorAndWhatItWrote) {
  NewStudy("taken");
  const auto create_two = [&](const std::string& second) {
    return store_->RunOnce(key_, [&]() -> Result<std::optional<std::string>> {
      for (const std::string& name : {std::string("first"), second}) {
        VOXBIT_RETURN_IF_ERROR(
            store_->CreateStudy(StudyNamed(name), CanonicalJson(ToJson(StudyNamed(name))))
                .status());
      }
      return std::optional<std::string>("done");
    });
  };
  EXPECT_EQ(create_two("taken").status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(store_->GetStudy("first").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(*Take(create_two("free")), "done");
}

TEST_F(StoreRequestsTest, DoesNotKeepAnEmptyAnswerButWhatWasWritten) {
  const auto ask = [&] {
    return store_->RunOnce(key_, [&]() -> Result<std::optional<std::string>> {
      ++runs_;
      NewStudy("s" + std::to_string(runs_));
      return std::optional<std::string>();
    });
  };
  EXPECT_FALSE(Take(ask()).has_value());
  EXPECT_FALSE(Take(ask()).has_value());
  EXPECT_EQ(runs_, 2);
  EXPECT_EQ(Take(store_->ListStudies(0, 10)).size(), 2u);
}

TEST_F(StoreRequestsTest, ForgetsAnswersAfterADay) {
  Take(Create(key_, "a"));
  clock_.Advance(Milliseconds(24 * 3600 * 1000 - 1));
  ASSERT_TRUE(store_->PurgeRequests().ok());
  Take(Create(key_, "a"));
  EXPECT_EQ(runs_, 1);
  clock_.Advance(Milliseconds(1));
  ASSERT_TRUE(store_->PurgeRequests().ok());
  Take(Create(key_, "b"));
  EXPECT_EQ(runs_, 2);
}

TEST_F(StoreRequestsTest, RollsBackOnlyTheVerbThatFailedWhenTheBodyGoesOn) {
  NewStudy("taken");
  const Status status = store_->Write([&]() -> Status {
    NewStudy("before");
    EXPECT_FALSE(store_
                     ->Write([&]() -> Status {
                       NewStudy("inner");
                       // What this transaction wrote is seen by its own reads.
                       EXPECT_TRUE(store_->GetStudy("inner").ok());
                       return Internal("no");
                     })
                     .ok());
    EXPECT_EQ(store_->GetStudy("inner").status().code(), StatusCode::kNotFound);
    NewStudy("after");
    return OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(store_->GetStudy("before").ok());
  EXPECT_TRUE(store_->GetStudy("after").ok());
  EXPECT_FALSE(store_->GetStudy("inner").ok());
}

TEST_F(StoreRequestsTest, RollsBackWhenTheBodyThrows) {
  EXPECT_THROW((void)store_->Write([&]() -> Status {
    NewStudy("never");
    throw std::runtime_error("out");
  }),
               std::runtime_error);
  EXPECT_EQ(store_->GetStudy("never").status().code(), StatusCode::kNotFound);
  NewStudy("later");
}

}  // namespace
}  // namespace voxbit::storage
