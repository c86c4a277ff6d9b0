// A disk that is full: while it lives, no file of this process can grow beyond a size.
#pragma once

#include <sys/resource.h>

#include <csignal>

#include "common/check.h"

namespace voxbit::testing {

class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    // A write beyond the limit is to fail with EFBIG, not to end the process.
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    VOXBIT_CHECK(::getrlimit(RLIMIT_FSIZE, &before_) == 0, "getrlimit");
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    VOXBIT_CHECK(::setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
  }
  ~FileSizeLimit() {
    VOXBIT_CHECK(::setrlimit(RLIMIT_FSIZE, &before_) == 0, "setrlimit");
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

}  // namespace voxbit::testing
