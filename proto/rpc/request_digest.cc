#include "proto/rpc/request_digest.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <memory>

#include "common/digest.h"

namespace voxbit::rpc {

std::string RequestDigest(const google::protobuf::Message& request) {
  const std::unique_ptr<google::protobuf::Message> body(request.New());
  body->CopyFrom(request);
  const auto* id = body->GetDescriptor()->FindFieldByName("request_id");
  if (id != nullptr) body->GetReflection()->ClearField(body.get(), id);
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    body->SerializeToCodedStream(&out);
  }
  return Sha256Hex(bytes);
}

}  // namespace voxbit::rpc
