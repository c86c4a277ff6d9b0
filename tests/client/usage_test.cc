// Arguments, exit codes and messages that need no particular server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "client/app.h"
#include "client/commands/command.h"
#include "common/clock.h"
#include "tests/client/fake_server.h"

namespace voxbit::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

int64_t LineCount(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

// A port that is taken and refuses connections.
class DeadPort {
 public:
  DeadPort() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(name);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&name), size), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&name), &size), 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(name.sin_port));
  }
  DeadPort(const DeadPort&) = delete;
  DeadPort& operator=(const DeadPort&) = delete;
  ~DeadPort() { ::close(socket_); }
  const std::string& address() const { return address_; }

 private:
  int socket_;
  std::string address_;
};

std::vector<std::string> Words(const std::string& name) {
  const size_t space = name.find(' ');
  if (space == std::string::npos) return {name};
  return {name.substr(0, space), name.substr(space + 1)};
}

TEST(UsageTest, WrongUsageIsCodeTwoAndOneLine) {
  const std::vector<std::vector<std::string>> lines = {
      {},
      {"study"},
      {"study", "dance"},
      {"study", "list", "--colour"},
      {"study", "show"},
      {"study", "list", "-o", "yaml"},
      {"study", "list", "--log-format", "xml"},
      {"trial", "show", "s", "0"},
      {"trial", "show", "s", "seven"},
      {"export", "s", "--out", "d"},
      {"export", "s", "--out", "d", "--trial", "1", "--pareto"},
      {"export", "s", "--trial", "1"},
      {"study", "watch", "s", "--interval", "0"},
  };
  for (const auto& line : lines) {
    const RunOutcome run = RunLine("", line);
    std::string shown;
    for (const std::string& word : line) shown += word + " ";
    EXPECT_EQ(run.code, kExitUsage) << shown;
    EXPECT_EQ(LineCount(run.err), 1) << shown << run.err;
    EXPECT_THAT(run.err, HasSubstr("error: "));
    EXPECT_THAT(run.err, HasSubstr("--help"));
    EXPECT_EQ(run.out, "") << shown;
  }
}

TEST(UsageTest, AMisspeltCommandIsNamedWithTheKnownOnes) {
  EXPECT_EQ(RunLine("", {"study", "lst"}).err,
            "error: \"lst\" is no command of search-client study; did you mean \"list\"?; see: "
            "search-client study --help\n");
  EXPECT_THAT(RunLine("", {"worker", "dance"}).err,
              HasSubstr("\"dance\" is no command of search-client worker; known: drain, list"));
  EXPECT_THAT(RunLine("", {"worker"}).err,
              HasSubstr("search-client worker needs a command, one of drain, list"));
  EXPECT_THAT(RunLine("", {"study", "list", "--colour"}).err, HasSubstr("--colour"));
  EXPECT_THAT(RunLine("", {"--colour"}).err, HasSubstr("--colour"));
}

TEST(UsageTest, WhatIsMissingIsNamedWithItsMeaning) {
  const auto err = [](std::vector<std::string> line) { return RunLine("", std::move(line)).err; };
  EXPECT_EQ(err({"study", "show"}),
            "error: search-client study show needs STUDY: name of the study; see: search-client "
            "study show --help\n");
  EXPECT_THAT(err({"trial", "show"}), HasSubstr("search-client trial show needs STUDY, N; see"));
  EXPECT_THAT(err({"trial", "show", "s"}), HasSubstr("needs N: number of the trial"));
  EXPECT_THAT(err({"study", "create"}), HasSubstr("needs --file FILE: JSON file"));
  EXPECT_THAT(err({"export", "s", "--trial", "1"}), HasSubstr("needs --out DIR: folder"));
  EXPECT_THAT(err({"export", "s", "--out", "d"}),
              HasSubstr("needs one of --trial N, --best METRIC, --pareto; see"));
  EXPECT_THAT(err({"export", "s", "--out", "d", "--trial", "1", "--pareto"}),
              HasSubstr("needs one of --trial N, --best METRIC, --pareto; given are --trial and "
                        "--pareto"));
  EXPECT_THAT(err({"trial", "list", "s", "--sort"}), HasSubstr("--sort needs a value: METRIC"));
  EXPECT_THAT(err({"trial", "list", "s", "--sort", "a", "--sort", "b"}),
              HasSubstr("--sort may be given once"));
  EXPECT_THAT(err({"trial", "show", "s", "seven"}),
              HasSubstr("error: N: expected a number above 0, found \"seven\"; see"));
  EXPECT_THAT(err({"trial", "list", "s", "--limit", "0"}),
              HasSubstr("error: --limit: expected a number above 0, found \"0\"; see"));
  EXPECT_THAT(err({"study", "watch", "s", "--interval", "a"}),
              HasSubstr("--interval: expected a number from 0.01 to 3600, found \"a\"; see"));
  EXPECT_THAT(err({"study", "show", "s", "t"}), HasSubstr("takes no further argument: \"t\""));
  EXPECT_THAT(err({"trial", "list", "s", "--colums", "state"}),
              HasSubstr("search-client trial list has no flag --colums; did you mean --columns?"));
  for (const std::vector<std::string>& line :
       {std::vector<std::string>{"study", "show"}, {"study"}, {"export"}, {"completion"}}) {
    EXPECT_THAT(err(line), Not(HasSubstr("is required"))) << line[0];
  }
}

TEST(UsageTest, AnAddressThatCannotBeIsCodeTwoAndSaysWhatWouldBeRight) {
  for (const char* address :
       {"127.0.0.1", "http://127.0.0.1:50051", "127.0.0.1:99999", "localhost:abc", ":50051"}) {
    const RunOutcome run = RunLine(address, {"worker", "list"});
    EXPECT_EQ(run.code, kExitUsage) << address;
    EXPECT_THAT(run.err, HasSubstr("--server: expected HOST:PORT")) << address;
    RunSettings settings;
    settings.environment["VOXBIT_SERVER"] = address;
    const RunOutcome by_environment = RunLine("", {"study", "watch", "s"}, settings);
    EXPECT_EQ(by_environment.code, kExitUsage) << address;
    EXPECT_THAT(by_environment.err, HasSubstr("VOXBIT_SERVER: expected HOST:PORT")) << address;
  }
}

TEST(UsageTest, EveryCommandExplainsItself) {
  CommandRegistry registry("command");
  RegisterBuiltins(registry);
  EXPECT_GE(registry.Names().size(), 14U);
  for (const std::string& name : registry.Names()) {
    std::vector<std::string> line = Words(name);
    line.emplace_back("--help");
    const RunOutcome run = RunLine("", line);
    EXPECT_EQ(run.code, kExitDone) << name;
    for (const char* flag :
         {"--server", "--output", "--wide", "--quiet", "--log-format", "--version"}) {
      EXPECT_THAT(run.out, HasSubstr(flag)) << name;
    }
    EXPECT_THAT(run.out, HasSubstr("127.0.0.1:50051")) << name;
  }
}

TEST(UsageTest, WhatIsEverywhereIsReadAnywhere) {
  for (const std::vector<std::string>& line :
       {std::vector<std::string>{"-o", "yaml", "study", "list"},
        {"study", "-o", "yaml", "list"},
        {"study", "list", "-o", "yaml"}}) {
    const RunOutcome run = RunLine("", line);
    EXPECT_EQ(run.code, kExitUsage);
    EXPECT_THAT(run.err, HasSubstr("yaml not in {table,json,csv}"));
  }
}

TEST(UsageTest, HelpOfTheProgramListsNounsAndExitCodes) {
  const RunOutcome run = RunLine("", {"--help"});
  EXPECT_EQ(run.code, kExitDone);
  for (const char* word : {"study", "trial", "worker", "pareto", "export", "130 interrupted"}) {
    EXPECT_THAT(run.out, HasSubstr(word));
  }
}

TEST(UsageTest, VersionIsPrintedAnywhere) {
  EXPECT_EQ(RunLine("", {"--version"}).out, "search-client " VOXBIT_VERSION "\n");
  EXPECT_EQ(RunLine("", {"study", "list", "--version"}).out, "search-client " VOXBIT_VERSION "\n");
}

TEST(UsageTest, ServerThatIsNotThereIsCodeFourWithinSeconds) {
  const DeadPort port;
  const SystemClock clock;
  const int64_t start = clock.MonotonicMs();
  const RunOutcome run = RunLine(port.address(), {"study", "list"});
  EXPECT_EQ(run.code, kExitUnreachable);
  EXPECT_LT(clock.MonotonicMs() - start, 6'000);
  EXPECT_EQ(LineCount(run.err), 1);
  EXPECT_THAT(run.err, HasSubstr("cannot reach a server at " + port.address()));
  EXPECT_THAT(run.err, HasSubstr("--server"));
}

TEST(UsageTest, ServerComesFromTheFlagThenTheEnvironment) {
  FakeServer server;
  const DeadPort port;
  RunSettings settings;
  settings.environment["VOXBIT_SERVER"] = server.address;
  EXPECT_EQ(RunLine("", {"study", "list"}, settings).code, kExitDone);
  settings.environment["VOXBIT_SERVER"] = port.address();
  EXPECT_EQ(RunLine("", {"study", "list", "--server", server.address}, settings).code, kExitDone);
  EXPECT_EQ(RunLine(server.address, {"study", "list"}, settings).code, kExitDone);
}

TEST(UsageTest, InterruptedIsCode130) {
  FakeServer server;
  std::stop_source source;
  source.request_stop();
  RunSettings settings;
  settings.stop = source.get_token();
  EXPECT_EQ(RunLine(server.address, {"study", "list"}, settings).code, kExitInterrupted);
}

TEST(UsageTest, StatusesBecomeTheDocumentedCodes) {
  EXPECT_EQ(ExitCodeOf(OkStatus(), true), kExitDone);
  EXPECT_EQ(ExitCodeOf(Cancelled(""), true), kExitInterrupted);
  EXPECT_EQ(ExitCodeOf(InvalidArgument(""), false), kExitUsage);
  EXPECT_EQ(ExitCodeOf(Infeasible(""), false), kExitUsage);
  EXPECT_EQ(ExitCodeOf(NotFound(""), false), kExitNotFound);
  EXPECT_EQ(ExitCodeOf(Unavailable(""), false), kExitUnreachable);
  EXPECT_EQ(ExitCodeOf(Status(StatusCode::kDeadlineExceeded, ""), false), kExitUnreachable);
  for (const StatusCode code :
       {StatusCode::kAlreadyExists, StatusCode::kFailedPrecondition, StatusCode::kAborted,
        StatusCode::kDataLoss, StatusCode::kInternal, StatusCode::kPermissionDenied,
        StatusCode::kResourceExhausted, StatusCode::kCancelled}) {
    EXPECT_EQ(ExitCodeOf(Status(code, ""), false), kExitFailed) << StatusCodeName(code);
  }
}

TEST(UsageTest, NamesThatAreAlsoCommandsStayNames) {
  FakeServer server;
  server.studies = {MakeStudy("list", v1::STUDY_STATE_ACTIVE),
                    MakeStudy("export", v1::STUDY_STATE_ACTIVE)};
  EXPECT_EQ(RunLine(server.address, {"study", "show", "list"}).code, kExitDone);
  EXPECT_EQ(RunLine(server.address, {"study", "show", "export"}).code, kExitDone);
}

TEST(UsageTest, ErrorsHaveTheReasonAndNoControlCharacters) {
  FakeServer server;
  server.failures = {{grpc::StatusCode::FAILED_PRECONDITION, "no\x1b[31m way\nat all"}};
  server.failure_reason = "STUDY_NOT_ACTIVE";
  const RunOutcome run = RunLine(server.address, {"study", "pause", "s"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.err, "error: no\\x1b[31m way at all (STUDY_NOT_ACTIVE)\n");
}

}  // namespace
}  // namespace voxbit::client
