// Two processes with the same model open share the memory of its weights: /proc/self/smaps says which pages of the
// mapped file this process has alone, which ones others have mapped, too, and which are copies.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "support/checkpoints.h"
#include "support/paths.h"
#include "support/temporary.h"

using namespace kinglet::test;

namespace {

// Kibibytes of this process's mappings of a file.
struct Pages {
  uint64_t resident = 0, shared = 0, alone = 0, copied = 0;
};

Pages pages_of(const std::filesystem::path& file) {
  Pages pages;
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::string key;
    uint64_t size = 0;
    words >> key;
    if (key.empty() || key.back() != ':') {  // the first line of a mapping: it ends with the file
      inside = line.ends_with(" " + file.string());
    } else if (inside && words >> size) {
      pages.resident += key == "Rss:" ? size : 0;
      // A page of a file in memory (tmpfs) is always dirty.
      pages.shared += key == "Shared_Clean:" || key == "Shared_Dirty:" ? size : 0;
      pages.alone += key == "Private_Clean:" || key == "Private_Dirty:" ? size : 0;
      pages.copied += key == "Anonymous:" ? size : 0;
    }
  }
  return pages;
}

std::vector<float> embedding(OpenSession& open) {
  std::vector<float> values(open.info.embedding_size);
  const kinglet_input input = text_input("two small birds sing in the same tree");
  REQUIRE(kinglet_embed(open.session, &input, 1, values.data(), nullptr) == KINGLET_OK);
  return values;
}

void check_sharing(const std::filesystem::path& checkpoint) {
  const TemporaryFolder folder;
  const std::filesystem::path file = std::filesystem::canonical(folder.path()) / "model.kgl";
  convert_checkpoint(checkpoint, file, "int8");

  int ready[2], done[2];
  REQUIRE(pipe(ready) == 0);
  REQUIRE(pipe(done) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  char byte = 0;
  if (child == 0) {  // opens the model for itself, when told to, and keeps it until told to end
    if (read(done[0], &byte, 1) != 1) _exit(1);
    const kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
    OpenSession open(file, options);
    embedding(open);
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    if (read(done[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  {
    const kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
    OpenSession open(file, options);
    const std::vector<float> before = embedding(open);
    const Pages alone = pages_of(file);
    CHECK(alone.resident > 0);
    CHECK(alone.resident == alone.alone + alone.shared);
    CHECK(alone.shared == 0);
    CHECK(alone.copied == 0);

    REQUIRE(write(done[1], &byte, 1) == 1);
    REQUIRE(read(ready[0], &byte, 1) == 1);
    const Pages together = pages_of(file);
    CHECK(together.copied == 0);
    // What the kernel maps around a fault may differ by a few pages.
    CHECK(together.shared * 10 >= together.resident * 9);
    CHECK(embedding(open) == before);
    std::printf("%s: %llu KiB of the file mapped, %llu KiB shared with the other process\n",
                checkpoint.filename().c_str(), static_cast<unsigned long long>(together.resident),
                static_cast<unsigned long long>(together.shared));
  }
  REQUIRE(write(done[1], &byte, 1) == 1);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  for (const int fd : {ready[0], ready[1], done[0], done[1]}) {
    close(fd);
  }
}

}  // namespace

TEST_CASE("two processes share the weights of a small model") {
  check_sharing(data_folder() / "tiny" / "bert");
}

TEST_CASE("two processes share the weights of all-MiniLM-L6-v2") {
  if (!minilm_folder()) {
    skipped("shared pages of all-MiniLM-L6-v2", "KINGLET_MINILM is not set");
    return;
  }
  if (small_scale()) {
    skipped("shared pages of all-MiniLM-L6-v2", "KINGLET_TEST_SCALE=small");
    return;
  }
  check_sharing(*minilm_folder());
}
