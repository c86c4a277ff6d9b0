// What a shell is offered at the cursor, and that the scripts bring it there.
#include "client/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "client/commands/command.h"
#include "common/files.h"
#include "tests/client/fake_server.h"
#include "tests/support/output_of.h"
#include "tests/support/temp_dir.h"

namespace voxbit::client {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class CompletionTest : public ::testing::Test {
 protected:
  CompletionTest() {
    server_.studies = {MakeStudy("first", v1::STUDY_STATE_ACTIVE),
                       MakeStudy("second", v1::STUDY_STATE_ACTIVE)};
    v1::Worker worker;
    worker.mutable_info()->set_name("gpu-1");
    worker.mutable_info()->set_protocol(1);
    worker.set_state("idle");
    server_.workers = {worker};
  }

  // The words that are offered for the last of `words`.
  std::vector<std::string> Offered(std::vector<std::string> words, bool with_server = true) {
    words.insert(words.begin(), kCompleteWord);
    RunSettings settings;
    settings.environment["VOXBIT_SERVER"] = with_server ? server_.address : "127.0.0.1:1";
    const RunOutcome run = RunLine("", std::move(words), settings);
    EXPECT_EQ(run.code, kExitDone);
    EXPECT_EQ(run.err, "");
    std::vector<std::string> offered;
    std::istringstream lines(run.out);
    for (std::string line; std::getline(lines, line);) {
      offered.push_back(line.substr(0, line.find('\t')));
    }
    return offered;
  }

  FakeServer server_;
  voxbit::testing::TempDir folder_;
};

TEST_F(CompletionTest, EveryCommandOfTheTableIsOffered) {
  CommandRegistry registry("command");
  RegisterBuiltins(registry);
  for (const std::string& name : registry.Names()) {
    const size_t space = name.find(' ');
    EXPECT_THAT(Offered({""}), Contains(name.substr(0, space)));
    if (space == std::string::npos) continue;
    EXPECT_THAT(Offered({name.substr(0, space), ""}), Contains(name.substr(space + 1)));
  }
  EXPECT_THAT(Offered({"work"}), ElementsAre("worker"));
  EXPECT_THAT(Offered({"-o", "json", "worker", "d"}), ElementsAre("drain"));
}

TEST_F(CompletionTest, FlagsAndTheirValuesAreOffered) {
  EXPECT_THAT(Offered({"trial", "list", "--s"}), ElementsAre("--state", "--sort", "--server"));
  EXPECT_THAT(Offered({"export", "s", "--be"}), ElementsAre("--best"));
  EXPECT_THAT(Offered({"study", "list", "-o", ""}), ElementsAre("table", "json", "csv"));
  EXPECT_THAT(Offered({"study", "list", "--output=j"}), ElementsAre("--output=json"));
  EXPECT_THAT(Offered({"trial", "list", "s", "--sort", "latency_l"}),
              ElementsAre("latency_lut_ms"));
  EXPECT_THAT(Offered({"completion", ""}), ElementsAre("bash", "zsh", "fish"));
  EXPECT_THAT(Offered({"pareto", "s", "--plot", ""}), IsEmpty()) << "a file: the shell's own";
}

TEST_F(CompletionTest, NamesAreAskedOfTheServerQuietly) {
  EXPECT_THAT(Offered({"study", "show", ""}), ElementsAre("first", "second"));
  EXPECT_THAT(Offered({"trial", "show", "--wide", "s"}), ElementsAre("second"));
  EXPECT_THAT(Offered({"trial", "show", "second", ""}), IsEmpty());
  EXPECT_THAT(Offered({"worker", "drain", ""}), ElementsAre("gpu-1"));
  EXPECT_THAT(Offered({"study", "show", ""}, /*with_server=*/false), IsEmpty());
  EXPECT_THAT(Offered({"--server", server_.address, "study", "show", "f"}, false),
              ElementsAre("first"));
  EXPECT_THAT(Offered({"--server=" + server_.address, "study", "show", "f"}, false),
              ElementsAre("first"));
}

TEST_F(CompletionTest, WordsThatNobodyKnowsOfferNothing) {
  EXPECT_THAT(Offered({"study", "dance", ""}), Not(Contains("dance")));
  EXPECT_THAT(Offered({"study", "list", "--colour=", ""}), IsEmpty());
  EXPECT_THAT(Offered({}), Contains("study"));
}

TEST_F(CompletionTest, TheScriptNeedsNoServer) {
  RunSettings settings;
  settings.environment["VOXBIT_SERVER"] = "nowhere";
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const RunOutcome run = RunLine("", {"completion", shell}, settings);
    EXPECT_EQ(run.code, kExitDone) << run.err;
    EXPECT_THAT(run.out, HasSubstr("search-client"));
    EXPECT_THAT(run.out, HasSubstr("__complete"));
    EXPECT_THAT(run.out, Not(HasSubstr("@PROGRAM@"))) << shell;
  }
  EXPECT_EQ(RunLine("", {"completion", "tcsh"}).code, kExitUsage);
}

// bash with a program that answers like ours, whose words it writes down.
TEST_F(CompletionTest, BashPutsAddressesAndFlagsTogetherAgain) {
  const std::string program = folder_.File("search-client");
  ASSERT_TRUE(WriteFileAtomically(program, "#!/bin/bash\nprintf '<%s>' \"$@\" >" +
                                               folder_.File("asked") +
                                               "\nprintf -- '--output=json\\thelp\\nfirst\\t\\n'\n")
                  .ok());
  const auto complete = [&](const std::string& words, int at) {
    const std::string script = folder_.File("script");
    EXPECT_TRUE(
        WriteFileAtomically(script, CompletionScript("bash", program) + "COMP_WORDS=(" + words +
                                        ")\nCOMP_CWORD=" + std::to_string(at) +
                                        "\n_search_client\nprintf '%s;' \"${COMPREPLY[@]}\"")
            .ok());
    return voxbit::testing::OutputOf("chmod +x " + program + "; bash " + script);
  };
  EXPECT_EQ(complete("search-client --server 127.0.0.1 : 50051 study show ''", 7),
            "--output=json;first;");
  EXPECT_EQ(ReadFile(folder_.File("asked")).value(),
            "<__complete><--server><127.0.0.1:50051><study><show><>");
  EXPECT_EQ(complete("search-client study list --output = j", 5), "json;first;");
  EXPECT_EQ(ReadFile(folder_.File("asked")).value(), "<__complete><study><list><--output=j>");
  EXPECT_EQ(complete("search-client study list --output =", 4), "json;first;");
}

}  // namespace
}  // namespace voxbit::client
