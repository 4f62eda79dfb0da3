// Threads that share a block compute the same bits as one thread: every family and head of ../shared.
#include "runtime/shared_block.h"
#include "support/checkpoints.h"
#include "support/paths.h"
#include "support/temporary.h"

using namespace kinglet;
using namespace kinglet::test;

TEST_CASE("every family and head") {
  const auto shared = shared_folder();
  if (!shared) {
    skipped("shared blocks of every family", "no ../shared");
    return;
  }
  if (small_scale()) {
    skipped("shared blocks of every family", "KINGLET_TEST_SCALE=small");
    return;
  }
  const TemporaryFolder folder;
  for (const auto& entry : std::filesystem::directory_iterator(*shared / "models" / "tiny")) {
    if (!entry.is_directory()) {
      continue;
    }
    const std::string name = entry.path().filename();
    CAPTURE(name);
    const std::filesystem::path file = folder / (name + ".kgl");
    convert_checkpoint(entry.path(), file, "int8");
    Model model;
    Error error;
    REQUIRE_MESSAGE(model.open_path(file.c_str(), error) == KINGLET_OK, error.message);
    check_shared(model, {3, 14});
  }
}
