// Artifacts over the wire, and the server's address.
#include <gtest/gtest.h>

#include <string>

#include "tests/server_rpc/server_rpc_fixture.h"

namespace voxbit::testing {
namespace {

TEST_F(ServerRpcTest, ArtifactsTravelInChunksAndAreChecked) {
  std::string bytes(3'000'000, 'x');
  for (size_t i = 0; i < bytes.size(); i += 997) bytes[i] = static_cast<char>(i % 251);
  const std::string digest = Sha256Hex(bytes);
  for (int time = 0; time < 2; ++time) {  // the second write finds it there
    grpc::ClientContext context;
    v1::WriteArtifactResponse response;
    const auto writer = blobs_->WriteArtifact(&context, &response);
    v1::WriteArtifactRequest chunk;
    chunk.set_sha256(digest);
    for (size_t at = 0; at < bytes.size(); at += 1 << 20) {
      chunk.set_data(bytes.substr(at, 1 << 20));
      if (!writer->Write(chunk)) break;
    }
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.size_bytes(), static_cast<int64_t>(bytes.size()));
  }

  grpc::ClientContext context;
  v1::ReadArtifactRequest request;
  request.set_sha256(digest);
  request.set_offset(1'500'000);
  const auto reader = blobs_->ReadArtifact(&context, request);
  std::string got;
  v1::ReadArtifactResponse piece;
  while (reader->Read(&piece)) got += piece.data();
  ASSERT_TRUE(reader->Finish().ok());
  EXPECT_EQ(got, bytes.substr(1'500'000));
}

TEST_F(ServerRpcTest, ArtifactWithAnotherDigestIsRefusedAndNotKept) {
  const std::string digest = Sha256Hex("expected");
  grpc::ClientContext context;
  v1::WriteArtifactResponse response;
  const auto writer = blobs_->WriteArtifact(&context, &response);
  v1::WriteArtifactRequest chunk;
  chunk.set_sha256(digest);
  chunk.set_data("something else");
  writer->Write(chunk);
  writer->WritesDone();
  const Status status = rpc::FromGrpc(writer->Finish(), context);
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_EQ(status.reason(), "ARTIFACT_HASH_MISMATCH");
  EXPECT_FALSE(artifacts_->Has(digest));
}

TEST_F(ServerRpcTest, SecondServerOnThePortIsRefused) {
  const auto second = server::RpcServer::Start(
      rpc_->address(),
      {*store_, *artifacts_, *dispatcher_, *supervisor_, *reporter_, plugins_, changes_, clock_});
  EXPECT_EQ(second.status().reason(), "ADDRESS_IN_USE");
  EXPECT_NE(second.status().message().find(rpc_->address()), std::string::npos);
}

}  // namespace
}  // namespace voxbit::testing
