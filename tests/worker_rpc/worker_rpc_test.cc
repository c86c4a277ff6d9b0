// The worker's gRPC client against a small server of its own on a loopback port.
#include <gmock/gmock.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <thread>

#include "common/digest.h"
#include "common/files.h"
#include "common/mutex.h"
#include "proto/convert/convert.h"
#include "proto/rpc/channel.h"
#include "proto/rpc/request_digest.h"
#include "proto/rpc/status.h"
#include "tests/support/temp_dir.h"
#include "voxbit/v1/artifact_service.grpc.pb.h"
#include "voxbit/v1/worker_service.grpc.pb.h"
#include "worker/rpc/coordinator_client.h"

namespace voxbit::worker {
namespace {

using testing::TempDir;

// Answers with errors as often as it is told to, then well.
class FakeWorkerService final : public v1::WorkerService::Service {
 public:
  grpc::Status Register(grpc::ServerContext* context, const v1::RegisterRequest* request,
                        v1::RegisterResponse* response) override {
    ids.push_back(request->request_id());
    deadlines.push_back(context->deadline());
    if (failures-- > 0) return rpc::ToGrpc(failure, *context);
    response->set_session("s");
    return grpc::Status::OK;
  }

  grpc::Status Sync(grpc::ServerContext* context, const v1::SyncRequest* request,
                    v1::SyncResponse* response) override {
    ids.push_back(request->request_id());
    waits.push_back(request->wait_ms());
    deadlines.push_back(context->deadline());
    if (hold) {
      {
        const MutexLock lock(mutex_);
        held_ = true;
        changed_.NotifyAll();
      }
      while (!context->IsCancelled()) std::this_thread::yield();
      return grpc::Status::CANCELLED;
    }
    if (failures-- > 0) return rpc::ToGrpc(failure, *context);
    response->set_desired(v1::DESIRED_IDLE);
    response->set_verdict(v1::VERDICT_NONE);
    return grpc::Status::OK;
  }

  void WaitUntilHeld() {
    const MutexLock lock(mutex_);
    while (!held_) changed_.Wait(mutex_);
  }

  int failures = 0;
  Status failure = Unavailable("restarting");
  bool hold = false;
  std::vector<std::string> ids;
  std::vector<int64_t> waits;
  std::vector<std::chrono::system_clock::time_point> deadlines;

 private:
  Mutex mutex_;
  CondVar changed_;
  bool held_ VOXBIT_GUARDED_BY(mutex_) = false;
};

// Keeps blobs in memory; breaks streams after `break_after` chunks.
class FakeArtifactService final : public v1::ArtifactService::Service {
 public:
  grpc::Status HasArtifact(grpc::ServerContext*, const v1::HasArtifactRequest* request,
                           v1::HasArtifactResponse* response) override {
    response->set_exists(blobs.count(request->sha256()) > 0);
    return grpc::Status::OK;
  }

  grpc::Status WriteArtifact(grpc::ServerContext* context,
                             grpc::ServerReader<v1::WriteArtifactRequest>* reader,
                             v1::WriteArtifactResponse* response) override {
    if (!write_error.ok()) return rpc::ToGrpc(write_error, *context);
    if (hold) return Hold(*context);
    v1::WriteArtifactRequest chunk;
    std::string sha256;
    std::string bytes;
    while (reader->Read(&chunk)) {
      if (chunk_sizes.empty()) sha256 = chunk.sha256();
      chunk_sizes.push_back(chunk.data().size());
      bytes += chunk.data();
    }
    if (Sha256Hex(bytes) != sha256) {
      return rpc::ToGrpc(DataLoss("wrong bytes", "ARTIFACT_HASH_MISMATCH"), *context);
    }
    blobs[sha256] = bytes;
    response->set_sha256(sha256);
    return grpc::Status::OK;
  }

  grpc::Status ReadArtifact(grpc::ServerContext* context, const v1::ReadArtifactRequest* request,
                            grpc::ServerWriter<v1::ReadArtifactResponse>* writer) override {
    offsets.push_back(request->offset());
    if (hold) return Hold(*context);
    const auto found = blobs.find(request->sha256());
    if (found == blobs.end()) return rpc::ToGrpc(NotFound("no such artifact"), *context);
    const std::string& bytes = found->second;
    auto at = static_cast<size_t>(request->offset());
    if (at > bytes.size()) return rpc::ToGrpc(InvalidArgument("offset"), *context);
    for (int sent = 0; at < bytes.size(); ++sent) {
      if (sent == break_after) return rpc::ToGrpc(Unavailable("going down"), *context);
      v1::ReadArtifactResponse chunk;
      chunk.set_data(bytes.substr(at, rpc::kChunkBytes));
      at += chunk.data().size();
      writer->Write(chunk);
    }
    return grpc::Status::OK;
  }

  std::map<std::string, std::string> blobs;
  std::vector<size_t> chunk_sizes;
  std::vector<int64_t> offsets;
  void WaitUntilHeld() {
    const MutexLock lock(mutex_);
    while (!held_) changed_.Wait(mutex_);
    held_ = false;
  }

  Status write_error;
  int break_after = -1;
  bool hold = false;  // transfers stand still until they are cancelled

 private:
  grpc::Status Hold(const grpc::ServerContext& context) {
    {
      const MutexLock lock(mutex_);
      held_ = true;
      changed_.NotifyAll();
    }
    while (!context.IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  }

  Mutex mutex_;
  CondVar changed_;
  bool held_ VOXBIT_GUARDED_BY(mutex_) = false;
};

class WorkerRpcTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Serve();
    client_ = std::make_unique<CoordinatorClient>(
        CoordinatorClient::Settings{.address = "127.0.0.1:" + std::to_string(port_)});
  }
  void TearDown() override { server_->Shutdown(); }

  // On the port of an earlier server, if there was one.
  void Serve() {
    grpc::ServerBuilder builder;
    rpc::ApplyServerArguments(builder);
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port_),
                             grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&workers_);
    builder.RegisterService(&artifacts_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }

  std::string WriteLocal(const std::string& bytes) {
    const std::string path = folder_.path() + "/local";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  std::string Blob(size_t size) {
    std::string bytes(size, ' ');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + i * 7 % 26 + i / 1000 % 3);
    return bytes;
  }

  TempDir folder_;
  int port_ = 0;
  FakeWorkerService workers_;
  FakeArtifactService artifacts_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<CoordinatorClient> client_;
};

int64_t SecondsLeft(std::chrono::system_clock::time_point deadline) {
  return std::chrono::duration_cast<std::chrono::seconds>(deadline -
                                                          std::chrono::system_clock::now())
      .count();
}

TEST_F(WorkerRpcTest, RepeatsACallOnceUnderTheSameId) {
  workers_.failures = 1;
  ASSERT_TRUE(client_->Register({}, "").ok());
  ASSERT_EQ(workers_.ids.size(), 2U);
  EXPECT_EQ(workers_.ids[0].size(), 36U);
  EXPECT_EQ(workers_.ids[0], workers_.ids[1]);
  workers_.failures = 1;
  ASSERT_TRUE(client_->Sync({}, {}).ok());
  ASSERT_EQ(workers_.ids.size(), 4U);
  EXPECT_EQ(workers_.ids[2], workers_.ids[3]);
  EXPECT_NE(workers_.ids[0], workers_.ids[2]);
}

TEST_F(WorkerRpcTest, GivesUpAfterTheSecondAttempt) {
  workers_.failures = 100;
  EXPECT_EQ(client_->Register({}, "").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(workers_.ids.size(), 2U);
}

TEST_F(WorkerRpcTest, DoesNotRepeatARefusalAndKeepsItsReason) {
  workers_.failures = 1;
  workers_.failure = FailedPrecondition("version 2", "PROTOCOL_MISMATCH");
  const Status status = client_->Register({}, "").status();
  EXPECT_EQ(status, FailedPrecondition("version 2", "PROTOCOL_MISMATCH"));
  EXPECT_EQ(workers_.ids.size(), 1U);
}

TEST_F(WorkerRpcTest, SaysUnavailableWhenNobodyListens) {
  server_->Shutdown();
  EXPECT_EQ(client_->Register({}, "").status().code(), StatusCode::kUnavailable);
}

TEST_F(WorkerRpcTest, FindsAServerThatIsBackWithinAFewCalls) {
  server_->Shutdown();
  EXPECT_EQ(client_->Register({}, "").status().code(), StatusCode::kUnavailable);
  ASSERT_NO_FATAL_FAILURE(Serve());
  int calls = 1;
  while (!client_->Register({}, "").ok() && calls < 100) ++calls;
  EXPECT_LE(calls, 20);
}

TEST_F(WorkerRpcTest, OnlyAnIdleSyncMayBeHeld) {
  ASSERT_TRUE(client_->Sync({}, {}).ok());
  search::SyncRequest busy;
  busy.running.emplace();
  ASSERT_TRUE(client_->Sync(busy, {}).ok());
  search::SyncRequest leaving;
  leaving.draining = true;
  ASSERT_TRUE(client_->Sync(leaving, {}).ok());
  EXPECT_THAT(workers_.waits, ::testing::ElementsAre(30'000, 0, 0));
  EXPECT_GT(SecondsLeft(workers_.deadlines[0]), 30);
  EXPECT_LE(SecondsLeft(workers_.deadlines[0]), 40);
  EXPECT_LE(SecondsLeft(workers_.deadlines[1]), 5);
}

TEST_F(WorkerRpcTest, AHeldSyncEndsWhenStopped) {
  workers_.hold = true;
  std::stop_source source;
  Status status;
  std::thread caller([&] { status = client_->Sync({}, source.get_token()).status(); });
  workers_.WaitUntilHeld();
  source.request_stop();
  caller.join();
  EXPECT_EQ(status.code(), StatusCode::kCancelled);
  EXPECT_EQ(workers_.ids.size(), 1U);
}

TEST_F(WorkerRpcTest, UploadsInChunks) {
  const std::string bytes = Blob(2 * rpc::kChunkBytes + 17);
  const Status status = client_->Upload(WriteLocal(bytes), Sha256Hex(bytes), {});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(artifacts_.blobs.at(Sha256Hex(bytes)), bytes);
  EXPECT_THAT(artifacts_.chunk_sizes,
              ::testing::ElementsAre(rpc::kChunkBytes, rpc::kChunkBytes, 17U));
}

TEST_F(WorkerRpcTest, UploadsAnEmptyFile) {
  ASSERT_TRUE(client_->Upload(WriteLocal(""), Sha256Hex(""), {}).ok());
  EXPECT_EQ(artifacts_.blobs.count(Sha256Hex("")), 1U);
}

TEST_F(WorkerRpcTest, DoesNotSendWhatTheServerHas) {
  artifacts_.blobs[Sha256Hex("x")] = "x";
  ASSERT_TRUE(client_->Upload(WriteLocal("x"), Sha256Hex("x"), {}).ok());
  EXPECT_TRUE(artifacts_.chunk_sizes.empty());
}

TEST_F(WorkerRpcTest, UploadReportsWhatTheServerSays) {
  const std::string path = WriteLocal("x");
  EXPECT_EQ(client_->Upload(path, Sha256Hex("y"), {}).reason(), "ARTIFACT_HASH_MISMATCH");
  artifacts_.write_error = ResourceExhausted("disk full", "STORE_DISK_FULL");
  EXPECT_EQ(client_->Upload(path, Sha256Hex("x"), {}).reason(), "STORE_DISK_FULL");
  EXPECT_EQ(client_->Upload(folder_.path() + "/none", Sha256Hex("x"), {}).code(),
            StatusCode::kNotFound);
}

TEST_F(WorkerRpcTest, DownloadGoesOnWhereAStreamBroke) {
  const std::string bytes = Blob(5 * rpc::kChunkBytes + 1);
  artifacts_.blobs[Sha256Hex(bytes)] = bytes;
  artifacts_.break_after = 2;
  const std::string path = folder_.path() + "/part";
  const Status status = client_->Download(Sha256Hex(bytes), path, {});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(*ReadFile(path), bytes);
  const auto chunk = static_cast<int64_t>(rpc::kChunkBytes);
  EXPECT_THAT(artifacts_.offsets, ::testing::ElementsAre(0, 2 * chunk, 4 * chunk));
}

TEST_F(WorkerRpcTest, DownloadKeepsItsStartForTheNextAttempt) {
  const std::string bytes = Blob(100);
  artifacts_.blobs[Sha256Hex(bytes)] = bytes;
  artifacts_.break_after = 0;
  const std::string path = folder_.path() + "/part";
  std::ofstream(path, std::ios::binary) << bytes.substr(0, 40);
  EXPECT_EQ(client_->Download(Sha256Hex(bytes), path, {}).code(), StatusCode::kUnavailable);
  artifacts_.break_after = -1;
  ASSERT_TRUE(client_->Download(Sha256Hex(bytes), path, {}).ok());
  EXPECT_EQ(*ReadFile(path), bytes);
  EXPECT_EQ(artifacts_.offsets.back(), 40);
}

TEST_F(WorkerRpcTest, DownloadRefusesWrongBytes) {
  artifacts_.blobs[Sha256Hex("right")] = "wrong";
  const std::string path = folder_.path() + "/part";
  const Status status = client_->Download(Sha256Hex("right"), path, {});
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_EQ(status.reason(), "ARTIFACT_HASH_MISMATCH");
  EXPECT_EQ(ReadFile(path).status().code(), StatusCode::kNotFound);
}

TEST_F(WorkerRpcTest, DownloadNamesAMissingArtifact) {
  EXPECT_EQ(client_->Download(Sha256Hex("none"), folder_.path() + "/part", {}).code(),
            StatusCode::kNotFound);
}

TEST_F(WorkerRpcTest, TransfersEndWhenTheTaskIsStopped) {
  artifacts_.hold = true;
  const std::string path = WriteLocal("x");
  for (const bool upload : {true, false}) {
    std::stop_source source;
    Status status;
    std::thread caller([&] {
      status = upload ? client_->Upload(path, Sha256Hex("x"), source.get_token())
                      : client_->Download(Sha256Hex("y"), path + ".part", source.get_token());
    });
    artifacts_.WaitUntilHeld();
    source.request_stop();
    caller.join();
    EXPECT_EQ(status.code(), StatusCode::kCancelled) << status;
  }
}

TEST_F(WorkerRpcTest, TheServerRefusesAPortInUse) {
  grpc::ServerBuilder builder;
  rpc::ApplyServerArguments(builder);
  int port = 0;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port_), grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&workers_);
  const std::unique_ptr<grpc::Server> second = builder.BuildAndStart();
  EXPECT_EQ(second, nullptr);
}

TEST_F(WorkerRpcTest, EveryCodeAndReasonTravels) {
  for (const StatusCode code :
       {StatusCode::kCancelled, StatusCode::kInvalidArgument, StatusCode::kNotFound,
        StatusCode::kAlreadyExists, StatusCode::kPermissionDenied, StatusCode::kResourceExhausted,
        StatusCode::kFailedPrecondition, StatusCode::kAborted, StatusCode::kDataLoss,
        StatusCode::kInternal}) {
    workers_.failures = 1;
    workers_.failure = Status(code, "why \"it\" failed, ü", "SOME_REASON");
    EXPECT_EQ(client_->Register({}, "").status(), workers_.failure);
  }
  workers_.failures = 1;
  workers_.failure = Infeasible("too large", "CONSTRAINTS_INFEASIBLE");
  EXPECT_EQ(client_->Register({}, "").status(), workers_.failure);
  workers_.failures = 1;
  workers_.failure = Infeasible("too large");
  EXPECT_EQ(client_->Register({}, "").status().code(), StatusCode::kInfeasible);
  workers_.failures = 1;
  workers_.failure = Internal(std::string(100'000, 'x'));
  EXPECT_EQ(client_->Register({}, "").status().code(), StatusCode::kInternal);
}

TEST(RequestDigestTest, IgnoresTheIdAndNothingElse) {
  v1::SyncRequest a;
  a.set_request_id("1");
  a.set_worker("w");
  (*a.mutable_finished()->mutable_result()->mutable_artifacts())["x"] = "1";
  (*a.mutable_finished()->mutable_result()->mutable_artifacts())["y"] = "2";
  v1::SyncRequest b;
  b.set_request_id("2");
  b.set_worker("w");
  (*b.mutable_finished()->mutable_result()->mutable_artifacts())["y"] = "2";
  (*b.mutable_finished()->mutable_result()->mutable_artifacts())["x"] = "1";
  EXPECT_EQ(rpc::RequestDigest(a), rpc::RequestDigest(b));
  EXPECT_EQ(a.request_id(), "1");
  b.set_worker("v");
  EXPECT_NE(rpc::RequestDigest(a), rpc::RequestDigest(b));
  EXPECT_TRUE(IsSha256(rpc::RequestDigest(v1::ListWorkersRequest())));
}

}  // namespace
}  // namespace voxbit::worker
