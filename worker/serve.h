// The worker proper: serves one server with one device until it is asked to stop.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "common/status.h"

namespace voxbit::worker {

struct ServeFlags {
  std::string server = "127.0.0.1:50051";  // HOST:PORT
  std::string device = "cpu";
  std::string name;                  // "": by host and device
  bool may_rename = false;           // the name has a suffix where a living worker has it
  bool takes_name = false;           // whoever has the name loses it
  int64_t threads = 0;               // 0: all cores that the process may use
  std::vector<std::string> targets;  // none: by the hardware
  std::string cache;                 // "": the user's cache folder
  int64_t cache_bytes = int64_t{20} << 30;
  double connect_timeout_s = 0;  // for the first answer of the server; 0: for ever
};

// Empty fields filled in. INVALID_ARGUMENT for an address that is no HOST:PORT, for a device that
// is not there and for a name or target that CheckName (common/text.h) refuses.
Result<ServeFlags> Resolve(ServeFlags flags);

// Takes resolved flags. OK after an orderly stop; UNAVAILABLE when the server could not be reached
// within the time-out; anything else says why this worker cannot work.
Status Serve(const ServeFlags& flags, const std::stop_token& stop);

// "cpu", then every GPU that this build can compute on: one worker each.
std::vector<std::string> UsableDevices();

}  // namespace voxbit::worker
