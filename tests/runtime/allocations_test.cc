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

void count() {
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
  const std::string texts[] = {"a gripping , beautifully acted film", "", "no [MASK] caf\xc3\xa9 \xff e\xcc\x81\xcc\xa7"};
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
  if (open.info.embedding_size > 0) {
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

TEST_CASE("an int8 classifier allocates nothing") { check_checkpoint(data_folder() / "tiny" / "bert-seqcls", "int8", 1); }
TEST_CASE("an int8 classifier on two threads allocates nothing") {
  check_checkpoint(data_folder() / "tiny" / "bert-seqcls", "int8", 2);
}
TEST_CASE("an fp32 classifier allocates nothing") { check_checkpoint(data_folder() / "tiny" / "bert-seqcls", "fp32", 1); }
TEST_CASE("a masked language model allocates nothing") {
  check_checkpoint(data_folder() / "tiny" / "bert-pretraining", "int8", 1);
}
TEST_CASE("all-MiniLM-L6-v2 allocates nothing") {
  if (!minilm_folder()) {
    skipped("allocations of all-MiniLM-L6-v2", "KINGLET_MINILM is not set");
    return;
  }
  check_checkpoint(*minilm_folder(), "int8", 2);
}
