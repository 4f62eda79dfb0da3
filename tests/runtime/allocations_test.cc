// After a session is made, nothing that it does allocates memory: malloc and its relatives are counted.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <vector>

#include "support/checkpoints.h"
#include "support/paths.h"
#include "support/sanitizer.h"
#include "support/temporary.h"

using namespace kinglet::test;

namespace {

std::atomic<bool> counting{false};
std::atomic<long> allocations{0};

[[maybe_unused]] void count() {
  if (counting.load(std::memory_order_relaxed)) {
    allocations.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace

#if !KINGLET_SANITIZED
// glibc's own entry points, so that the wrappers need no dlsym (which allocates).
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t size) {
  count();
  return __libc_malloc(size);
}
void* calloc(size_t number, size_t size) {
  count();
  return __libc_calloc(number, size);
}
void* realloc(void* old, size_t size) {
  count();
  return __libc_realloc(old, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
  count();
  *out = __libc_memalign(alignment, size);
  return *out != nullptr ? 0 : 12;
}
}
#endif

namespace {

// A long text in windows; an answer in a long context; a pair with a mask.
[[maybe_unused]] kinglet_status run_span_task(OpenSession& open, const kinglet_input& masked) {
  static char text[6000];
  for (size_t i = 0; i < sizeof(text); ++i) {
    text[i] = i % 5 == 4 ? ' ' : "\xc3\xa9Ka"[i % 5];
  }
  const std::string_view whole(text, sizeof(text));
  if (open.info.task == KINGLET_TASK_FILL_MASK) {
    return kinglet_fill_mask(open.session, &masked, 1, 3, nullptr);
  }
  if (open.info.task == KINGLET_TASK_ANSWER) {
    kinglet_answer_options options = KINGLET_ANSWER_OPTIONS_INIT;
    options.top_k = 5;
    options.no_answer = 1;
    const kinglet_input input = pair_input("why?", whole);
    return kinglet_answer(open.session, &input, 1, &options);
  }
  kinglet_tag_options options = KINGLET_TAG_OPTIONS_INIT;
  options.aggregation = KINGLET_AGGREGATION_AVERAGE;
  options.windows = 1;
  options.stride = 9;
  const kinglet_input input = text_input(whole);
  return kinglet_tag(open.session, &input, 1, &options, nullptr);
}

void check_checkpoint(const std::filesystem::path& checkpoint, const std::string& precision, uint32_t threads) {
#if KINGLET_SANITIZED
  skipped("counting allocations", "a sanitizer has replaced malloc");
  (void)checkpoint;
  (void)precision;
  (void)threads;
#else
  const TemporaryFolder folder;
  convert_checkpoint(checkpoint, folder / "model.kgl", precision);
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  options.threads = threads;
  options.batch = 3;
  options.raw_outputs = 1;
  OpenSession open(folder / "model.kgl", options);
  const std::string texts[] = {"a gripping , beautifully acted film", "",
                               "no [MASK] caf\xc3\xa9 \xff e\xcc\x81\xcc\xa7"};
  const std::string pair = "and the second text of a pair, 3.14";
  const kinglet_input inputs[] = {text_input(texts[0]), text_input(texts[1]), pair_input(texts[2], pair)};
  std::vector<float> results(3 * (open.info.embedding_size + open.info.label_count));
  int32_t ids[64];
  kinglet_span offsets[64];
  size_t tokens = 0;
  allocations = 0;
  counting = true;
  const kinglet_status encoded = kinglet_encode(open.session, inputs, 3, nullptr);
  kinglet_output view;
  const kinglet_status viewed = kinglet_session_output(open.session, 0, 0, &view);
  const kinglet_status tokenized =
      kinglet_tokenize(open.session, &inputs[2], 0, ids, nullptr, offsets, 64, &tokens, nullptr);
  kinglet_status task = KINGLET_OK;
  if (open.info.task == KINGLET_TASK_TAG || open.info.task == KINGLET_TASK_ANSWER ||
      open.info.task == KINGLET_TASK_FILL_MASK) {
    task = run_span_task(open, inputs[2]);
  } else if (open.info.embedding_size > 0) {
    task = kinglet_embed(open.session, inputs, 3, results.data(), nullptr);
  } else if (open.info.label_count > 0) {
    task = kinglet_classify(open.session, inputs, 3, results.data(), nullptr, nullptr);
  }
  counting = false;
  CHECK(encoded == KINGLET_OK);
  CHECK(viewed == KINGLET_OK);
  CHECK(tokenized == KINGLET_OK);
  CHECK(task == KINGLET_OK);
  CHECK(allocations.load() == 0);
#endif
}

}  // namespace

TEST_CASE("the counter counts") {
#if !KINGLET_SANITIZED
  allocations = 0;
  counting = true;
  void* volatile memory = std::malloc(16);
  counting = false;
  std::free(memory);
  CHECK(allocations.load() == 1);
#endif
}

TEST_CASE("an int8 classifier allocates nothing") {
  check_checkpoint(data_folder() / "tiny" / "bert-seqcls", "int8", 1);
}
TEST_CASE("an int8 classifier on two threads allocates nothing") {
  check_checkpoint(data_folder() / "tiny" / "bert-seqcls", "int8", 2);
}
TEST_CASE("an fp32 classifier allocates nothing") {
  check_checkpoint(data_folder() / "tiny" / "bert-seqcls", "fp32", 1);
}
TEST_CASE("a masked language model allocates nothing") {
  check_checkpoint(data_folder() / "tiny" / "bert-pretraining", "int8", 1);
}
TEST_CASE("a tagger allocates nothing") {
  check_checkpoint(data_folder() / "tiny" / "bert-ner", "int8", 2);
}
TEST_CASE("question answering allocates nothing") {
  const auto shared = shared_folder();
  if (!shared) {
    skipped("allocations of question answering", "models/tiny/bert-qa is in KINGLET_SHARED");
    return;
  }
  check_checkpoint(*shared / "models" / "tiny" / "bert-qa", "int8", 2);
}
TEST_CASE("all-MiniLM-L6-v2 allocates nothing") {
  if (!minilm_folder()) {
    skipped("allocations of all-MiniLM-L6-v2", "KINGLET_MINILM is not set");
    return;
  }
  check_checkpoint(*minilm_folder(), "int8", 2);
}
