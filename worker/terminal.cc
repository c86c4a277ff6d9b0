#include "worker/terminal.h"

#include <cstdlib>
#include <iostream>
#include <string>

#include "client/format/text.h"

namespace voxbit::worker {
namespace {

constexpr std::chrono::milliseconds kDrawInterval{100};
constexpr size_t kBarWidth = 24;

}  // namespace

client::Terminal ThisTerminal() {
  return client::DetectTerminal([](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  });
}

void ProgressBar::Show(int64_t done, int64_t total) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_.err_is_terminal || (is_drawn_ && now - drawn_ < kDrawInterval)) return;
  const double share = static_cast<double>(done) / static_cast<double>(total);
  std::string line = client::Bar(share, kBarWidth) + "  " + std::to_string(done) + "/" +
                     std::to_string(total) + " scans";
  const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(now - begin_).count();
  if (done > 0) line += "  ETA " + client::HumanSpan(spent * (total - done) / done);
  std::cerr << "\r\x1b[K" << client::Clip(line, terminal_.err_width - 1) << std::flush;
  drawn_ = now;
  is_drawn_ = true;
}

void ProgressBar::Clear() {
  if (is_drawn_) std::cerr << "\r\x1b[K" << std::flush;
  is_drawn_ = false;
}

}  // namespace voxbit::worker
