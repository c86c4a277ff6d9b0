// ArtifactService: chunk streams in and out of the artifact store.
#include <algorithm>
#include <fstream>
#include <string>

#include "common/digest.h"
#include "proto/rpc/channel.h"
#include "server/rpc/answer.h"
#include "server/rpc/services.h"
#include "voxbit/v1/artifact_service.grpc.pb.h"

namespace voxbit::server {
namespace {

// One blob on its way in. Finishes early when the blob is there already or the disk is full.
class WriteCall final : public grpc::ServerReadReactor<v1::WriteArtifactRequest> {
 public:
  WriteCall(storage::ArtifactStore& artifacts, grpc::CallbackServerContext* context,
            v1::WriteArtifactResponse* response)
      : artifacts_(artifacts), context_(context), response_(response) {
    StartRead(&chunk_);
  }

  void OnReadDone(bool ok) override {
    const Status status = ok ? Take() : Commit();
    if (!status.ok()) {
      Finish(rpc::ToGrpc(status, *context_));
    } else if (!ok || there_) {
      Finish(grpc::Status::OK);
    } else {
      StartRead(&chunk_);
    }
  }

  void OnDone() override { delete this; }

 private:
  Status Take() {
    if (writer_ == nullptr) {
      expected_ = chunk_.sha256();
      if (!IsSha256(expected_)) {
        return InvalidArgument("the first chunk must name the SHA-256 of the artifact");
      }
      if (artifacts_.Has(expected_)) {
        there_ = true;
        return Describe(expected_);
      }
      VOXBIT_ASSIGN_OR_RETURN(writer_, artifacts_.NewWriter());
    }
    return writer_->Append(chunk_.data());
  }

  Status Commit() {
    if (writer_ == nullptr) return InvalidArgument("the stream held no chunk");
    VOXBIT_ASSIGN_OR_RETURN(const std::string digest, writer_->Commit(expected_));
    return Describe(digest);
  }

  Status Describe(const std::string& digest) {
    VOXBIT_ASSIGN_OR_RETURN(const int64_t size, artifacts_.SizeBytes(digest));
    response_->set_sha256(digest);
    response_->set_size_bytes(size);
    return OkStatus();
  }

  storage::ArtifactStore& artifacts_;
  grpc::CallbackServerContext* const context_;
  v1::WriteArtifactResponse* const response_;
  v1::WriteArtifactRequest chunk_;
  std::string expected_;
  std::unique_ptr<storage::ArtifactStore::Writer> writer_;
  bool there_ = false;
};

// One blob on its way out.
class ReadCall final : public grpc::ServerWriteReactor<v1::ReadArtifactResponse> {
 public:
  ReadCall(storage::ArtifactStore& artifacts, grpc::CallbackServerContext* context,
           const v1::ReadArtifactRequest& request) {
    const Status status = Open(artifacts, request);
    if (!status.ok()) {
      Finish(rpc::ToGrpc(status, *context));
      return;
    }
    Next();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the reader went away"));
      return;
    }
    Next();
  }

  void OnDone() override { delete this; }

 private:
  Status Open(storage::ArtifactStore& artifacts, const v1::ReadArtifactRequest& request) {
    VOXBIT_ASSIGN_OR_RETURN(const std::string path, artifacts.Path(request.sha256()));
    VOXBIT_ASSIGN_OR_RETURN(size_, artifacts.SizeBytes(request.sha256()));
    if (request.offset() < 0 || request.offset() > size_) {
      return InvalidArgument("offset must be from 0 to " + std::to_string(size_));
    }
    file_.open(path, std::ios::binary);
    file_.seekg(request.offset());
    if (!file_) return Internal(path + ": cannot be read");
    left_ = size_ - request.offset();
    return OkStatus();
  }

  void Next() {
    if (left_ == 0 && sent_any_) {
      Finish(grpc::Status::OK);
      return;
    }
    const int64_t count = std::min(left_, static_cast<int64_t>(rpc::kChunkBytes));
    std::string& data = *chunk_.mutable_data();
    data.resize(static_cast<size_t>(count));
    if (!file_.read(data.data(), count)) {
      Finish(
          grpc::Status(grpc::StatusCode::DATA_LOSS, "the artifact's file is shorter than it was"));
      return;
    }
    chunk_.set_size_bytes(sent_any_ ? 0 : size_);
    left_ -= count;
    sent_any_ = true;
    StartWrite(&chunk_);
  }

  std::ifstream file_;
  v1::ReadArtifactResponse chunk_;
  int64_t size_ = 0;
  int64_t left_ = 0;
  bool sent_any_ = false;
};

class ArtifactService final : public v1::ArtifactService::CallbackService {
 public:
  explicit ArtifactService(storage::ArtifactStore& artifacts) : artifacts_(artifacts) {}

  grpc::ServerReadReactor<v1::WriteArtifactRequest>* WriteArtifact(
      grpc::CallbackServerContext* call, v1::WriteArtifactResponse* response) override {
    return new WriteCall(artifacts_, call, response);
  }

  grpc::ServerWriteReactor<v1::ReadArtifactResponse>* ReadArtifact(
      grpc::CallbackServerContext* call, const v1::ReadArtifactRequest* request) override {
    return new ReadCall(artifacts_, call, *request);
  }

  grpc::ServerUnaryReactor* HasArtifact(grpc::CallbackServerContext* call,
                                        const v1::HasArtifactRequest* request,
                                        v1::HasArtifactResponse* response) override {
    return Answer(call, [&]() -> Status {
      if (!IsSha256(request->sha256())) return InvalidArgument("sha256 is no SHA-256");
      response->set_exists(artifacts_.Has(request->sha256()));
      if (!response->exists()) return OkStatus();
      VOXBIT_ASSIGN_OR_RETURN(const int64_t size, artifacts_.SizeBytes(request->sha256()));
      response->set_size_bytes(size);
      return OkStatus();
    });
  }

 private:
  storage::ArtifactStore& artifacts_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeArtifactService(const ServiceContext& context) {
  return std::make_unique<ArtifactService>(context.artifacts);
}

}  // namespace voxbit::server
