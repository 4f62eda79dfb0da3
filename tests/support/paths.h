// Where tests find data: tests/data in the repository, the folder that KINGLET_SHARED names, the real MiniLM.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace kinglet::test {

inline std::filesystem::path data_folder() {
  const char* folder = std::getenv("KINGLET_TEST_DATA");
  return folder != nullptr ? std::filesystem::path(folder) : std::filesystem::path("tests/data");
}

// The folder of real checkpoints and recorded outputs, `../shared` beside the repository by default.
inline std::optional<std::filesystem::path> shared_folder() {
  const char* named = std::getenv("KINGLET_SHARED");
  const std::filesystem::path folder =
      named != nullptr ? std::filesystem::path(named) : data_folder() / ".." / ".." / ".." / "shared";
  return std::filesystem::is_directory(folder / "models") ? std::optional(folder) : std::nullopt;
}

// The checkpoint of all-MiniLM-L6-v2.
inline std::optional<std::filesystem::path> minilm_folder() {
  const char* folder = std::getenv("KINGLET_MINILM");
  return folder != nullptr && folder[0] != '\0' ? std::optional(std::filesystem::path(folder)) : std::nullopt;
}

// Says so, for the list of what was skipped at the end of ./test.
inline void skipped(const std::string& what, const std::string& why) {
  std::printf("SKIPPED: %s: %s\n", what.c_str(), why.c_str());
  std::fflush(stdout);
}

// KINGLET_TEST_SCALE=small: under emulators and sanitizers.
inline bool small_scale() {
  const char* scale = std::getenv("KINGLET_TEST_SCALE");
  return scale != nullptr && std::string(scale) == "small";
}

}  // namespace kinglet::test
