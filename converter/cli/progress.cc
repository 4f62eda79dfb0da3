// A progress bar on standard error.
#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cli/text.h"

namespace kinglet::cli {

Progress::Progress() {
  const char* kind = std::getenv("TERM");
  terminal_ = ::isatty(STDERR_FILENO) != 0 && (kind == nullptr || std::strcmp(kind, "dumb") != 0);
}

Progress::~Progress() {
  if (drawn_) {
    std::fputs("\r\x1b[K", stderr);
  }
}

void Progress::show(const std::string& what, double fraction) {
  if (!terminal_) {
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (drawn_ && what == last_what_ && now - last_ < std::chrono::milliseconds(50)) {
    return;
  }
  constexpr int kWidth = 30;
  fraction = std::clamp(fraction, 0.0, 1.0);
  const int done = static_cast<int>(fraction * kWidth);
  std::fprintf(stderr, "\r[%s%s] %3d %% %s\x1b[K", std::string(static_cast<size_t>(done), '#').c_str(),
               std::string(static_cast<size_t>(kWidth - done), '.').c_str(), static_cast<int>(fraction * 100),
               shorten(what, 40).c_str());
  std::fflush(stderr);
  drawn_ = true;
  last_what_ = what;
  last_ = now;
}

}  // namespace kinglet::cli
