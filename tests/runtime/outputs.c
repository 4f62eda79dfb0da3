/* Prints the bits of all raw outputs of a model for the texts on stdin, one a line: `outputs MODEL THREADS BATCH [flush]`.
 * With `flush`, the caller's floating-point environment is a bad one (towards zero, denormals flushed), and it must be
 * the same afterwards. Every line: the text's number, the output's name, the numbers in hexadecimal. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kinglet.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
typedef unsigned Environment;
static const Environment kControl = 0xffc0; /* without the flags that computing raises */
static const Environment kBad = 0x1f80 | 0x8040 | 0x6000; /* MXCSR: FTZ, DAZ, towards zero */
static Environment get_environment(void) { return _mm_getcsr() & kControl; }
static void set_environment(Environment word) { _mm_setcsr(word); }
#elif defined(__aarch64__)
typedef uint64_t Environment;
static const Environment kBad = (uint64_t)1 << 24 | (uint64_t)3 << 22; /* FPCR: FZ, towards zero */
static Environment get_environment(void) {
  Environment word;
  __asm__ volatile("mrs %0, fpcr" : "=r"(word));
  return word;
}
static void set_environment(Environment word) { __asm__ volatile("msr fpcr, %0" : : "r"(word)); }
#else
#error "a processor without such an environment"
#endif

enum { kMost = 64, kLine = 4096 };

static void check(kinglet_status status, const char* message) {
  if (status != KINGLET_OK) {
    fprintf(stderr, "outputs: %s\n", message);
    exit(1);
  }
}

int main(int argc, char** argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: outputs MODEL.kgl THREADS BATCH [flush]\n");
    return 2;
  }
  static char lines[kMost][kLine];
  kinglet_input inputs[kMost];
  memset(inputs, 0, sizeof inputs);
  size_t count = 0;
  for (; count < kMost && fgets(lines[count], kLine, stdin) != NULL; ++count) {
    inputs[count].text = lines[count];
    inputs[count].text_length = strcspn(lines[count], "\n");
  }

  kinglet_model* model = NULL;
  check(kinglet_model_open_path(argv[1], &model), kinglet_model_message(model));
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  options.threads = (uint32_t)atoi(argv[2]);
  options.batch = (uint32_t)atoi(argv[3]);
  options.raw_outputs = 1;
  kinglet_session* session = NULL;
  check(kinglet_session_create(model, &options, &session), kinglet_session_message(session));
  kinglet_model_info info = {0};
  info.struct_size = sizeof info;
  kinglet_model_get_info(model, &info);
  fprintf(stderr, "%s\n", kinglet_isa());

  for (size_t first = 0; first < count; first += options.batch) {
    const size_t some = count - first < options.batch ? count - first : options.batch;
    const Environment good = get_environment();
    if (argc > 4) set_environment(kBad);
    const Environment before = get_environment();
    const kinglet_status status = kinglet_encode(session, inputs + first, some, NULL);
    const Environment after = get_environment();
    set_environment(good);
    check(status, kinglet_session_message(session));
    if (before != after || (argc > 4 && before == good)) {
      fprintf(stderr, "outputs: the floating-point environment was %llx and is %llx\n", (unsigned long long)before,
              (unsigned long long)after);
      return 1;
    }
    for (size_t i = 0; i < some; ++i) {
      for (uint32_t o = 0; o < info.output_count; ++o) {
        kinglet_output view;
        check(kinglet_session_output(session, i, o, &view), kinglet_session_message(session));
        size_t size = 1;
        for (uint32_t d = 0; d < view.rank; ++d) size *= view.shape[d];
        printf("%zu %s", first + i, view.name);
        for (size_t j = 0; j < size; ++j) {
          uint32_t bits;
          memcpy(&bits, view.data + j, sizeof bits);
          printf(" %08x", bits);
        }
        putchar('\n');
      }
    }
  }
  kinglet_session_close(session);
  kinglet_model_close(model);
  return 0;
}
