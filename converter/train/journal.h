// What a run tells: lines of JSON in a file, for reports, and progress on standard error.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/json_file.h"

namespace kinglet::train {

// The file has an object a line: {"step","epoch","loss",…} of steps, {"step","dev":{METRIC:…},"best":true} of
// figures.
class Journal {
 public:
  // Goes on with an earlier file: lines of steps behind `step` are dropped, for those steps are done again. Throws
  // convert::Error.
  Journal(const std::filesystem::path& path, uint64_t step);
  // Throws convert::Error when the line cannot be written.
  void write(const convert::Json& line);
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// One line that is drawn again and again on a terminal; elsewhere a line now and then.
class Ticker {
 public:
  Ticker();
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  // `text` is shown at most five times a second on a terminal, and else every 30 seconds.
  void show(const std::string& text);
  // Shown at once, on a line of its own.
  void say(const std::string& text);

 private:
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_;
};

// "1 h 05 min", "3 min 20 s", "12 s".
std::string duration_text(double seconds);

}  // namespace kinglet::train
