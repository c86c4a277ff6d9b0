#include "common/address.h"

#include <gtest/gtest.h>

namespace voxbit {
namespace {

TEST(AddressTest, HostAndPort) {
  for (const char* text : {"127.0.0.1:50051", "localhost:1", "[::1]:65535", "gpu-07.lab:8080"}) {
    EXPECT_TRUE(IsHostPort(text, 1)) << text;
  }
  for (const char* text : {"", ":", "host", "host:", ":50051", "host:65536", "host:-1", "host:5a",
                           "host: 5", "host:99999999999999999999"}) {
    EXPECT_FALSE(IsHostPort(text, 0)) << text;
  }
}

TEST(AddressTest, PortZeroIsForThoseWhoListen) {
  EXPECT_TRUE(IsHostPort("127.0.0.1:0", 0));
  EXPECT_FALSE(IsHostPort("127.0.0.1:0", 1));
}

}  // namespace
}  // namespace voxbit
