// The identity of a request's content, for calls that must take effect once.
#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace voxbit::rpc {

// SHA-256 of the message with its field "request_id" cleared, serialised with map entries in
// order: equal requests of one build have equal digests.
std::string RequestDigest(const google::protobuf::Message& request);

}  // namespace voxbit::rpc
