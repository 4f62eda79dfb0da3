// Threads that share a block compute the same bits as one thread with blocks of its own.
#include <doctest/doctest.h>

#include "runtime/shared_block.h"
#include "support/model_builder.h"

using namespace kinglet;
using namespace kinglet::test;

namespace {

void check_bert(const BertOptions& options) {
  const Bytes file = build_model(small_bert(options));
  Model model;
  Error error;
  REQUIRE_MESSAGE(model.open_memory(file.data(), file.size(), error) == KINGLET_OK, error.message);
  check_shared(model, {1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 23, 24});
}

}  // namespace

TEST_CASE("a BERT, its widths no multiples of 16") {
  for (const fmt::Task task : {fmt::Task::embed, fmt::Task::classify}) {
    for (const bool gated : {false, true}) {
      for (const bool fp32 : {false, true}) {
        CAPTURE(static_cast<int>(task));
        CAPTURE(gated);
        CAPTURE(fp32);
        BertOptions options;
        options.int8 = true;
        options.gated = gated;
        options.fp32_feed_forward = fp32;
        options.task = task;
        options.heads = 3;
        options.head_dim = 16;
        options.width = 52;
        options.inner = 203;
        options.max_length = 24;
        check_bert(options);
      }
    }
  }
}

TEST_CASE("fewer columns than threads") {
  BertOptions options;
  options.int8 = true;
  options.heads = 1;
  options.head_dim = 16;
  options.width = 8;
  options.inner = 24;
  options.max_length = 24;
  options.task = fmt::Task::classify;
  check_bert(options);
}
