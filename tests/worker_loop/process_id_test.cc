#include "worker/loop/process_id.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace voxbit::worker {
namespace {

TEST(ProcessIdTest, ALivingProcessIsFoundAndAnEndedOneIsNot) {
  EXPECT_EQ(ThisProcess(), ThisProcess());
  EXPECT_EQ(LifeOf(ThisProcess()), Life::kAlive);
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string name = ThisProcess();
    const bool is_written = ::write(pipe[1], name.data(), name.size()) > 0;
    ::_exit(is_written ? 0 : 1);
  }
  char name[512];
  const ssize_t length = ::read(pipe[0], name, sizeof(name));
  ASSERT_GT(length, 0);
  const std::string other(name, static_cast<size_t>(length));
  EXPECT_NE(other, ThisProcess());
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(LifeOf(other), Life::kEnded);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST(ProcessIdTest, OfAnotherPlaceNothingIsKnown) {
  EXPECT_EQ(LifeOf(""), Life::kUnknown);
  EXPECT_EQ(LifeOf("another boot/pid:[1]/1/1"), Life::kUnknown);
  const std::string here = ThisProcess();
  EXPECT_EQ(LifeOf(here.substr(0, here.find(']') + 2) + "x/1"), Life::kUnknown);
  // The same number, another process.
  EXPECT_EQ(LifeOf(here + "0"), Life::kEnded);
}

}  // namespace
}  // namespace voxbit::worker
