// Artifacts over gRPC, in chunks. A transfer ends with CANCELLED once its `stop` is raised.
#pragma once

#include <stop_token>
#include <string>

#include "common/status.h"
#include "voxbit/v1/artifact_service.grpc.pb.h"

namespace voxbit::worker {

// Sends the file. Nothing is sent when the server has the artifact already.
Status UploadArtifact(v1::ArtifactService::Stub& artifacts, const std::string& path,
                      const std::string& sha256, const std::stop_token& stop);

// Appends what is missing to the file at `path`, going on after broken streams as long as each
// brings something, and checks the digest of the whole. The start of the file stays after an
// error that may pass; after DATA_LOSS the file is gone.
Status DownloadArtifact(v1::ArtifactService::Stub& artifacts, const std::string& sha256,
                        const std::string& path, const std::stop_token& stop);

}  // namespace voxbit::worker
