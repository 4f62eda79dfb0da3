// Lines of JSON, and lines for people.
#include "train/journal.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <system_error>

#include "base/text.h"
#include "writer/output_file.h"

namespace kinglet::train {

namespace fs = std::filesystem;
using convert::Json;
using convert::refuse;

Journal::Journal(const fs::path& path, uint64_t step) : path_(path) {
  std::string kept, line;
  std::ifstream old(path);
  while (old && std::getline(old, line)) {
    // A line that a kill cut short is no JSON.
    const Json entry = Json::parse(line, nullptr, false);
    if (entry.is_object() && entry.contains("step") && entry["step"].is_number_unsigned() &&
        entry["step"].get<uint64_t>() <= step) {
      kept += line + "\n";
    }
  }
  convert::OutputFile file(path);
  file.write(0, kept.data(), kept.size());
  file.commit();
}

void Journal::write(const Json& line) {
  const std::string text = line.dump() + "\n";
  std::ofstream file(path_, std::ios::app | std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) {
    refuse(path_.string(), ": cannot be written: ", std::strerror(errno));
  }
}

Ticker::Ticker() : terminal_(isatty(STDERR_FILENO) != 0), last_(std::chrono::steady_clock::now()) {}

Ticker::~Ticker() {
  if (drawn_) {
    std::fputs("\n", stderr);
  }
}

void Ticker::show(const std::string& text) {
  const auto now = std::chrono::steady_clock::now();
  const auto pause = terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(30000);
  if (now - last_ < pause) {
    return;
  }
  last_ = now;
  if (terminal_) {
    std::fprintf(stderr, "\r%s\x1b[K", text.c_str());
    drawn_ = true;
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
  std::fflush(stderr);
}

void Ticker::say(const std::string& text) {
  std::fprintf(stderr, "%s%s%s\n", drawn_ ? "\r" : "", text.c_str(), terminal_ ? "\x1b[K" : "");
  std::fflush(stderr);
  drawn_ = false;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<unsigned long>(seconds + 0.5);
  char text[48];
  if (whole >= 3600) {
    std::snprintf(text, sizeof(text), "%lu h %02lu min", whole / 3600, whole / 60 % 60);
  } else if (whole >= 60) {
    std::snprintf(text, sizeof(text), "%lu min %02lu s", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof(text), "%lu s", whole);
  }
  return text;
}

}  // namespace kinglet::train
