// Properties of the tree and of the programs that no compiler checks.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "common/files.h"
#include "tests/support/output_of.h"

namespace voxbit {
namespace {

namespace fs = std::filesystem;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  EXPECT_NE(value, nullptr) << name << " is not set; run through ctest";
  return value == nullptr ? "" : value;
}

std::string Program(const std::string& name) { return Environment("VOXBIT_BIN_DIR") + "/" + name; }

// A LibTorch with a protobuf of its own beside gRPC's would crash at a distance.
TEST(BuildTest, ProgramsLoadOneProtobufLibrary) {
  for (const char* program : {"search-server", "search-worker", "search-client"}) {
    std::istringstream lines(testing::OutputOf("ldd '" + Program(program) + "'"));
    std::set<std::string> found;
    for (std::string line; std::getline(lines, line);) {
      if (line.find("libprotobuf.so") != std::string::npos) found.insert(line);
    }
    EXPECT_EQ(found.size(), 1U) << program;
  }
}

TEST(BuildTest, ClientDoesNotLoadTorch) {
  const std::string libraries = testing::OutputOf("ldd '" + Program("search-client") + "'");
  EXPECT_NE(libraries.find("libprotobuf"), std::string::npos) << "ldd shows nothing";
  EXPECT_EQ(libraries.find("libtorch"), std::string::npos);
}

// The server loads torch for agents, and for nothing else.
TEST(BuildTest, ServerLinksNoNetwork) {
  const std::string server = testing::OutputOf("nm -C '" + Program("search-server") + "'");
  const std::string worker = testing::OutputOf("nm -C '" + Program("search-worker") + "'");
  EXPECT_NE(server.find("voxbit::rl::"), std::string::npos) << "nm shows nothing";
  for (const char* part : {"voxbit::supernet::Network", "voxbit::supernet::ElasticConv",
                           "voxbit::supernet::SparseTensor", "voxbit::train::"}) {
    EXPECT_NE(worker.find(part), std::string::npos) << part << " has another name now";
    EXPECT_EQ(server.find(part), std::string::npos) << part;
  }
}

struct Home {
  std::string include;               // as it stands after #include
  std::vector<std::string> folders;  // where it may stand
};

TEST(BuildTest, HeavyHeadersStayInTheirHomes) {
  const std::vector<Home> homes = {
      {"<torch/", {"supernet/", "worker/", "search/agents/"}},
      {"<ATen/", {"supernet/", "worker/", "search/agents/"}},
      {"<grpcpp/", {"proto/", "server/rpc/", "worker/rpc/", "client/"}},
      {"<sqlite3.h>", {"storage/"}},
      {"<execution>", {}},
  };
  const std::string root = Environment("VOXBIT_SOURCE_DIR") + "/";
  for (const char* layer :
       {"common", "search", "storage", "supernet", "proto", "worker", "server", "client"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root + layer)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cc") continue;
      const std::string path = entry.path().string().substr(root.size());
      const std::string text = ReadFile(entry.path().string()).value();
      for (const Home& home : homes) {
        if (text.find("#include " + home.include) == std::string::npos) continue;
        bool at_home = false;
        for (const std::string& folder : home.folders) {
          at_home = at_home || path.rfind(folder, 0) == 0;
        }
        EXPECT_TRUE(at_home) << path << " includes " << home.include;
      }
    }
  }
}

TEST(BuildTest, KernelsAreFreeOfTorchAndOfDatasets) {
  const std::string root = Environment("VOXBIT_SOURCE_DIR") + "/supernet/kernels";
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cc") continue;
    std::istringstream lines(ReadFile(entry.path().string()).value());
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("#include \"", 0) != 0) continue;
      EXPECT_EQ(line.rfind("#include \"supernet/kernels/", 0), 0U) << entry.path() << ": " << line;
    }
  }
}

}  // namespace
}  // namespace voxbit
