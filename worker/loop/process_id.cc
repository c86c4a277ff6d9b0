#include "worker/loop/process_id.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "common/uuid.h"

namespace voxbit::worker {
namespace {

std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string LinkOf(const char* path) {
  char target[256];
  const ssize_t length = ::readlink(path, target, sizeof(target));
  return length > 0 ? std::string(target, static_cast<size_t>(length)) : "";
}

// Where numbers of processes mean the same: "<boot>/<namespace>/". Where the system does not say
// it: something that nobody else has.
const std::string& Place() {
  static const std::string place = [] {
    const std::string boot = TextOf("/proc/sys/kernel/random/boot_id");
    const std::string numbers = LinkOf("/proc/self/ns/pid");
    if (boot.empty() || numbers.empty()) return NewUuid() + "/";
    return boot + "/" + numbers + "/";
  }();
  return place;
}

// When the process started, in ticks since the boot; empty when there is none or it is a zombie.
// Source: proc(5), /proc/pid/stat: fields 3 (state) and 22 (starttime), after the last ')'.
std::optional<std::string> StartOf(const std::string& number) {
  const std::string stat = TextOf("/proc/" + number + "/stat");
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string state;
  fields >> state;
  if (state == "Z" || state == "X") return std::nullopt;
  std::string field;
  constexpr int kStartTime = 22;
  for (int i = 4; i <= kStartTime; ++i) fields >> field;
  return field;
}

}  // namespace

std::string ThisProcess() {
  const std::string number = std::to_string(::getpid());
  return Place() + number + "/" + StartOf(number).value_or("");
}

Life LifeOf(const std::string& instance) {
  const std::string& place = Place();
  if (instance.compare(0, place.size(), place) != 0) return Life::kUnknown;
  const std::string process = instance.substr(place.size());
  const size_t slash = process.find('/');
  if (slash == std::string::npos) return Life::kUnknown;
  const std::string number = process.substr(0, slash);
  const bool is_number =
      !number.empty() && number.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number) return Life::kUnknown;
  return StartOf(number) == process.substr(slash + 1) ? Life::kAlive : Life::kEnded;
}

}  // namespace voxbit::worker
