// A progress bar on standard error: drawn on a terminal only.
#pragma once

#include <chrono>
#include <string>

namespace kinglet::cli {

class Progress {
 public:
  Progress();
  ~Progress();  // clears the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `fraction` done, 0 to 1, of `what`. Redraws at most 20 times a second.
  void show(const std::string& what, double fraction);

 private:
  bool terminal_;
  bool drawn_ = false;
  std::string last_what_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace kinglet::cli
