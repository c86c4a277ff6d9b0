// Commands of search-server that look after a store instead of serving it.
#pragma once

#include <memory>
#include <vector>

#include "common/status.h"

namespace CLI {
class App;
}

namespace voxbit::server {

// One of them. Errors as for Main: INVALID_ARGUMENT, FAILED_PRECONDITION and NOT_FOUND are usage.
class Maintenance {
 public:
  virtual ~Maintenance() = default;
  // Adds the command to `program`.
  virtual CLI::App& Declare(CLI::App& program) = 0;
  // False: done, but with losses that were told.
  virtual Result<bool> Run() = 0;
};

std::unique_ptr<Maintenance> MakeBackup();
std::unique_ptr<Maintenance> MakeRestore();
std::unique_ptr<Maintenance> MakeFsck();

}  // namespace voxbit::server
