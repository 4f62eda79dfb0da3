// kinglet-train: carries out one training run. `kinglet finetune` and `kinglet distill` start it.
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "base/text.h"
#include "train/engine.h"
#include "train/run.h"

namespace {

int fail(const std::string& message, int code) {
  std::fprintf(stderr, "kinglet-train: %s\n", message.c_str());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace kinglet::train;
  if (argc == 2 && (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0)) {
    std::puts(
        "kinglet-train carries out what `kinglet finetune` and `kinglet distill` start it for; see their --help.\n"
        "\n"
        "Usage: kinglet-train --settings JSON");
    return 0;
  }
  if (argc != 3 || std::strcmp(argv[1], "--settings") != 0) {
    return fail("expected --settings JSON, which `kinglet finetune` and `kinglet distill` give", 2);
  }
  try {
    const kinglet::convert::JsonObject json(kinglet::convert::parse_json(argv[2], "--settings"), "--settings");
    return run_training(settings_from_json(json), make_engine);
  } catch (const std::bad_alloc&) {
    return fail("there is not enough memory", 1);
  } catch (const std::exception& error) {
    return fail(error.what(), 1);
  }
}
