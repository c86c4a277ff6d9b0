#include "common/address.h"

#include <gtest/gtest.h>

namespace voxbit {
namespace {

TEST(AddressTest, HostAndPort) {
  for (const char* text : {"127.0.0.1:50051", "localhost:1", "[::1]:65535", "gpu-07.lab:8080"}) {
    EXPECT_TRUE(CheckHostPort(text, 1).ok()) << text;
  }
  for (const char* text :
       {"", ":", "host", "host:", ":50051", "host:65536", "host:-1", "host:5a", "host: 5",
        "host:99999999999999999999", "ho st:5", "host:50051/", "a:1,b:2", "::1:50051", "[::1]",
        "[::1:5", "dns:///a:1", "user@host:5"}) {
    EXPECT_EQ(CheckHostPort(text, 0).code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(AddressTest, SaysWhatIsWrongAndWhatWouldBeRight) {
  const auto message = [](const char* text) { return CheckHostPort(text, 1).message(); };
  EXPECT_EQ(message("127.0.0.1"),
            "expected HOST:PORT with a port from 1 to 65535, as in 127.0.0.1:50051, found "
            "\"127.0.0.1\": the port is missing");
  const auto has = [&](const char* text, const char* words) {
    EXPECT_NE(message(text).find(words), std::string::npos) << message(text);
  };
  has("http://127.0.0.1:50051", "leave \"http://\" out");
  has("127.0.0.1:99999", "\"99999\" is no port");
  has("localhost:abc", "\"abc\" is no port");
  has("::1:50051", "[::1]:50051");
}

TEST(AddressTest, PortZeroIsForThoseWhoListen) {
  EXPECT_TRUE(CheckHostPort("127.0.0.1:0", 0).ok());
  EXPECT_FALSE(CheckHostPort("127.0.0.1:0", 1).ok());
}

}  // namespace
}  // namespace voxbit
