#include "worker/rpc/artifact_transfer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "common/digest.h"
#include "proto/rpc/channel.h"
#include "proto/rpc/status.h"

namespace voxbit::worker {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Result<File> OpenFile(const std::string& path, const char* mode) {
  File file(std::fopen(path.c_str(), mode), std::fclose);
  if (file == nullptr) return FromErrno(errno, path);
  return file;
}

Result<int64_t> FileSize(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return FromErrno(errno, path);
  return static_cast<int64_t>(info.st_size);
}

// Length of what an earlier attempt left.
int64_t BytesThere(const std::string& path) {
  const Result<int64_t> size = FileSize(path);
  return size.ok() ? *size : 0;
}

// Ends the call of a context once a task is asked to stop. The context outlives it.
class CancelOnStop {
 public:
  CancelOnStop(grpc::ClientContext& context, const std::stop_token& stop)
      : callback_(stop, Cancel{context}) {}

 private:
  struct Cancel {
    grpc::ClientContext& context;
    void operator()() const { context.TryCancel(); }
  };
  std::stop_callback<Cancel> callback_;
};

// True: the server has it. Any error is left to the transfer that follows.
bool ServerHas(v1::ArtifactService::Stub& artifacts, const std::string& sha256,
               const std::stop_token& stop) {
  grpc::ClientContext context;
  const CancelOnStop cancel(context, stop);
  rpc::SetDeadline(context, rpc::kControlDeadline);
  v1::HasArtifactRequest request;
  request.set_sha256(sha256);
  v1::HasArtifactResponse response;
  return artifacts.HasArtifact(&context, request, &response).ok() && response.exists();
}

// Reads the artifact from the end of the file on.
Status ReadOn(v1::ArtifactService::Stub& artifacts, const std::string& sha256,
              const std::string& path, const std::stop_token& stop) {
  VOXBIT_ASSIGN_OR_RETURN(const File file, OpenFile(path, "ab"));
  const int64_t offset = BytesThere(path);
  grpc::ClientContext context;
  const CancelOnStop cancel(context, stop);
  // The size is known only after the first chunk: 1 GiB at the slowest, then the stream goes on
  // in another call.
  rpc::SetDeadline(context, rpc::TransferDeadline(int64_t{1} << 30));
  v1::ReadArtifactRequest request;
  request.set_sha256(sha256);
  request.set_offset(offset);
  const auto stream = artifacts.ReadArtifact(&context, request);
  v1::ReadArtifactResponse chunk;
  Status written;
  while (written.ok() && stream->Read(&chunk)) {
    const std::string& data = chunk.data();
    if (std::fwrite(data.data(), 1, data.size(), file.get()) != data.size()) {
      written = FromErrno(errno, path);
    }
  }
  if (written.ok() && std::fflush(file.get()) != 0) written = FromErrno(errno, path);
  if (!written.ok()) context.TryCancel();
  const grpc::Status ended = stream->Finish();
  return written.ok() ? rpc::FromGrpc(ended, context) : written;
}

}  // namespace

Status UploadArtifact(v1::ArtifactService::Stub& artifacts, const std::string& path,
                      const std::string& sha256, const std::stop_token& stop) {
  VOXBIT_ASSIGN_OR_RETURN(const File file, OpenFile(path, "rb"));
  VOXBIT_ASSIGN_OR_RETURN(const int64_t size, FileSize(path));
  if (ServerHas(artifacts, sha256, stop)) return OkStatus();
  grpc::ClientContext context;
  const CancelOnStop cancel(context, stop);
  rpc::SetDeadline(context, rpc::TransferDeadline(size));
  v1::WriteArtifactResponse response;
  const auto stream = artifacts.WriteArtifact(&context, &response);
  v1::WriteArtifactRequest chunk;
  chunk.set_sha256(sha256);
  std::string& data = *chunk.mutable_data();
  bool more = true;
  while (more) {
    data.resize(rpc::kChunkBytes);
    data.resize(std::fread(data.data(), 1, data.size(), file.get()));
    if (std::ferror(file.get()) != 0) {
      context.TryCancel();
      (void)stream->Finish();
      return DataLoss(FromErrno(errno, path).message());
    }
    more = data.size() == rpc::kChunkBytes;
    // False: the server has said what there is to say, Finish tells it.
    if (!stream->Write(chunk)) break;
    chunk.clear_sha256();
  }
  stream->WritesDone();
  const Status ended = rpc::FromGrpc(stream->Finish(), context);
  if (!ended.ok() && stop.stop_requested()) return Cancelled("upload stopped");
  VOXBIT_RETURN_IF_ERROR(ended);
  if (response.sha256() == sha256) return OkStatus();
  return DataLoss("sent artifact " + sha256 + ", the server stored " + response.sha256(),
                  "ARTIFACT_HASH_MISMATCH");
}

Status DownloadArtifact(v1::ArtifactService::Stub& artifacts, const std::string& sha256,
                        const std::string& path, const std::stop_token& stop) {
  while (true) {
    const int64_t before = BytesThere(path);
    Status status = ReadOn(artifacts, sha256, path, stop);
    if (status.ok()) break;
    if (stop.stop_requested()) return Cancelled("download stopped");
    const bool may_pass =
        status.code() == StatusCode::kUnavailable || status.code() == StatusCode::kDeadlineExceeded;
    if (may_pass && BytesThere(path) > before) continue;
    // A start that the server does not know (longer than the artifact, say) is of no use.
    if (!may_pass) ::unlink(path.c_str());
    return status;
  }
  VOXBIT_ASSIGN_OR_RETURN(const std::string digest, Sha256OfFile(path));
  if (digest == sha256) return OkStatus();
  ::unlink(path.c_str());
  return DataLoss("asked for artifact " + sha256 + ", received " + digest,
                  "ARTIFACT_HASH_MISMATCH");
}

}  // namespace voxbit::worker
