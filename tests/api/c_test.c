/* kinglet.h from C: every function, used well and badly.
 *   api_c_test EMBED.kgl [CLASSIFY.kgl]
 * Built as C11 with -pedantic and linked with the shared library, so that it also shows that every function is
 * exported and that no C++ is needed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "c_support.h"

int failures = 0;

static unsigned char* read_file(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  unsigned char* bytes;
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) exit(1);
  *size = (size_t)ftell(file);
  rewind(file);
  bytes = malloc(*size + 64);
  if (bytes == NULL || fread(bytes, 1, *size, file) != *size) exit(1);
  fclose(file);
  return bytes;
}

static void test_names(void) {
  int i;
  for (i = KINGLET_OK; i <= KINGLET_WRONG_TASK + 1; ++i) {
    const char* name = kinglet_status_name((kinglet_status)i);
    CHECK(name != NULL && name[0] != '\0');
  }
  CHECK(kinglet_version() != NULL && strchr(kinglet_version(), '.') != NULL);
  CHECK(kinglet_isa() != NULL && kinglet_isa()[0] != '\0');
}

/* A handle whose open failed serves its message, refuses everything else, and must be closed. */
static void check_failed(kinglet_status wanted, kinglet_status actual, kinglet_model* model) {
  kinglet_session* session = NULL;
  kinglet_model_info info = {0};
  size_t length = 0;
  info.struct_size = sizeof info;
  CHECK(actual == wanted);
  CHECK(model != NULL && kinglet_model_message(model)[0] != '\0');
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_model_get_info(model, &info));
  CHECK(kinglet_model_label(model, 0) == NULL);
  CHECK(kinglet_model_output_name(model, 0) == NULL);
  CHECK(kinglet_model_prompt_name(model, 0) == NULL);
  CHECK(kinglet_model_token(model, 0, &length) == NULL);
  CHECK(kinglet_model_self_test(model) != KINGLET_OK);
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_create(model, NULL, &session));
  CHECK(session != NULL && kinglet_session_message(session)[0] != '\0');
  kinglet_session_close(session);
  kinglet_model_close(model);
}

static void test_opening(const char* path) {
  size_t size;
  unsigned char* bytes = read_file(path, &size);
  kinglet_model* model = NULL;
  kinglet_status status;
  char name[] = "/tmp/kinglet-c-api-XXXXXX";
  int fd;

  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_model_open_path(path, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_model_open_fd(0, 0, 0, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_model_open_memory(bytes, size, NULL));
  status = kinglet_model_open_path(NULL, &model);
  check_failed(KINGLET_INVALID_ARGUMENT, status, model);
  status = kinglet_model_open_path("/no/such/file", &model);
  CHECK(strstr(kinglet_model_message(model), "/no/such/file") != NULL);
  check_failed(KINGLET_IO_ERROR, status, model);
  status = kinglet_model_open_path("", &model);
  check_failed(KINGLET_IO_ERROR, status, model);
  status = kinglet_model_open_fd(-1, 0, 0, &model);
  CHECK(status != KINGLET_OK);
  check_failed(status, status, model);
  status = kinglet_model_open_memory(NULL, 100, &model);
  check_failed(KINGLET_INVALID_ARGUMENT, status, model);
  status = kinglet_model_open_memory(bytes, 0, &model);
  CHECK(status != KINGLET_OK);
  check_failed(status, status, model);
  status = kinglet_model_open_memory(bytes, size - 1, &model);
  check_failed(KINGLET_BAD_MODEL, status, model);
  status = kinglet_model_open_memory(bytes + 1, size - 1, &model);
  CHECK(status != KINGLET_OK);
  check_failed(status, status, model);

  CHECK_STATUS(KINGLET_OK, kinglet_model_open_memory(bytes, size, &model));
  CHECK_STATUS(KINGLET_OK, kinglet_model_self_test(model));
  kinglet_model_close(model);
  memmove(bytes + 4, bytes, size); /* any multiple of 4 will do */
  CHECK_STATUS(KINGLET_OK, kinglet_model_open_memory(bytes + 4, size, &model));
  CHECK_STATUS(KINGLET_OK, kinglet_model_self_test(model));
  kinglet_model_close(model);

  /* As inside an APK: bytes before and after it, at a multiple of 4. */
  fd = mkstemp(name);
  CHECK(fd >= 0 && unlink(name) == 0);
  CHECK(pwrite(fd, "0123456789ab", 12, 0) == 12 && pwrite(fd, bytes + 4, size, 12) == (ssize_t)size);
  CHECK_STATUS(KINGLET_OK, kinglet_model_open_fd(fd, 12, 0, &model));
  kinglet_model_close(model);
  CHECK(pwrite(fd, "more", 4, (off_t)(12 + size)) == 4);
  status = kinglet_model_open_fd(fd, 10, size, &model);
  check_failed(KINGLET_INVALID_ARGUMENT, status, model);
  status = kinglet_model_open_fd(fd, 12, size + 100, &model);
  CHECK(status != KINGLET_OK);
  check_failed(status, status, model);
  status = kinglet_model_open_fd(fd, UINT64_MAX - 3, size, &model);
  CHECK(status != KINGLET_OK);
  check_failed(status, status, model);
  status = kinglet_model_open_fd(fd, 0, 0, &model);
  check_failed(KINGLET_BAD_MODEL, status, model);
  CHECK_STATUS(KINGLET_OK, kinglet_model_open_fd(fd, 12, size, &model));
  close(fd); /* the descriptor was duplicated */
  CHECK_STATUS(KINGLET_OK, kinglet_model_self_test(model));
  kinglet_model_close(model);
  free(bytes);
}

static void test_info(const char* path) {
  kinglet_model* model = open_good(path);
  kinglet_model_info info = info_of(model);
  kinglet_model_info part;
  size_t length = 0;
  uint32_t i;

  CHECK(info.task == KINGLET_TASK_EMBED && info.embedding_size > 0 && info.max_length > 0 && info.vocabulary > 0);
  CHECK(info.type_count > 0 && info.output_count > 0 && info.has_tokenizer == 1);
  CHECK(strcmp(info.architecture, "bert") == 0 && strcmp(info.precision, "int8") == 0);
  for (i = 0; i < info.output_count; ++i) CHECK(kinglet_model_output_name(model, i) != NULL);
  CHECK(kinglet_model_output_name(model, info.output_count) == NULL);
  CHECK(kinglet_model_label(model, info.label_count) == NULL);
  CHECK(kinglet_model_prompt_name(model, info.prompt_count) == NULL);
  CHECK(kinglet_model_token(model, 0, &length) != NULL && length > 0);
  CHECK(kinglet_model_token(model, -1, &length) == NULL);
  CHECK(kinglet_model_token(model, INT32_MAX, &length) == NULL);
  CHECK(kinglet_model_token(model, 0, NULL) == NULL);
  char token_text[64];
  CHECK(kinglet_model_token_text(model, 0, token_text, sizeof token_text) > 0);
  CHECK(kinglet_model_token_text(model, 0, NULL, 0) > 0);
  CHECK(kinglet_model_token_text(model, -1, token_text, sizeof token_text) == 0);
  CHECK(kinglet_model_token_text(NULL, 0, token_text, sizeof token_text) == 0);
  CHECK_STATUS(KINGLET_OK, kinglet_model_self_test(model));

  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_model_get_info(model, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_model_get_info(NULL, &info));
  memset(&part, 0x5a, sizeof part);
  part.struct_size = 0;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_model_get_info(model, &part));
  /* An app built with an older, shorter struct gets that much and no more. */
  memset(&part, 0x5a, sizeof part);
  part.struct_size = offsetof(kinglet_model_info, embedding_size);
  CHECK_STATUS(KINGLET_OK, kinglet_model_get_info(model, &part));
  CHECK(part.max_length == info.max_length && part.embedding_size == 0x5a5a5a5a);

  CHECK(kinglet_model_label(NULL, 0) == NULL && kinglet_model_output_name(NULL, 0) == NULL);
  CHECK(kinglet_model_prompt_name(NULL, 0) == NULL && kinglet_model_token(NULL, 0, &length) == NULL);
  CHECK(kinglet_model_message(NULL) != NULL && kinglet_session_message(NULL) != NULL);
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_model_self_test(NULL));
  kinglet_model_close(NULL);
  kinglet_session_close(NULL);
  kinglet_session_cancel(NULL);
  CHECK(kinglet_session_memory(NULL) == 0);
  kinglet_model_close(model);
}

static void refuse_options(kinglet_model* model, kinglet_session_options options) {
  kinglet_session* session = NULL;
  kinglet_input input = text_input("a");
  float number = 0;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_create(model, &options, &session));
  CHECK(session != NULL && kinglet_session_message(session)[0] != '\0');
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_embed(session, &input, 1, &number, NULL));
  kinglet_session_cancel(session);
  kinglet_session_close(session);
}

static void test_options(const char* path) {
  const kinglet_session_options defaults = KINGLET_SESSION_OPTIONS_INIT;
  kinglet_model* model = open_good(path);
  kinglet_session* session = NULL;
  kinglet_session_options options;
  kinglet_thread_pool pool = {NULL, 2, NULL};

  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_create(model, NULL, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_create(NULL, NULL, &session));
  CHECK(session != NULL);
  kinglet_session_close(session);
  session = create_good(model, NULL);
  CHECK(kinglet_session_memory(session) > 0);
  kinglet_session_close(session);
  session = create_good(model, &defaults);
  kinglet_session_close(session);
  options = defaults; /* an app that knows the first options only */
  options.struct_size = offsetof(kinglet_session_options, offset_unit);
  options.prompt = "not looked at";
  session = create_good(model, &options);
  kinglet_session_close(session);

  options = defaults, options.struct_size = 0, refuse_options(model, options);
  options = defaults, options.struct_size = sizeof options + 8, refuse_options(model, options);
  options = defaults, options.max_length = info_of(model).max_length + 1, refuse_options(model, options);
  options = defaults, options.batch = UINT32_MAX, refuse_options(model, options);
  options = defaults, options.threads = UINT32_MAX, refuse_options(model, options);
  options = defaults, options.offset_unit = (kinglet_offset_unit)3, refuse_options(model, options);
  options = defaults, options.prompt = "no such prompt", refuse_options(model, options);
  options = defaults, options.pool = &pool, refuse_options(model, options);
  kinglet_model_close(model);
}

static void test_tokenize(const char* path) {
  kinglet_model* model = open_good(path);
  kinglet_session* session = create_good(model, NULL);
  kinglet_input input = text_input("a small bird");
  int32_t ids[64], type_ids[64], few[4] = {-7, -7, -7, -7};
  kinglet_span offsets[64];
  size_t count = 0, again = 0;
  int truncated = -1;

  CHECK_STATUS(KINGLET_OK, kinglet_tokenize(session, &input, 0, ids, type_ids, offsets, 64, &count, &truncated));
  CHECK(count >= 5 && count <= 64 && truncated == 0);
  CHECK(offsets[0].begin == KINGLET_NO_OFFSET && offsets[0].end == KINGLET_NO_OFFSET);
  CHECK(offsets[1].begin == 0 && offsets[1].end == 1);
  CHECK_STATUS(KINGLET_TOO_LONG, kinglet_tokenize(session, &input, 0, few, NULL, NULL, 3, &again, NULL));
  CHECK(again == count && memcmp(few, ids, 3 * sizeof *ids) == 0 && few[3] == -7);
  CHECK(kinglet_session_message(session)[0] != '\0');
  CHECK_STATUS(KINGLET_TOO_LONG, kinglet_tokenize(session, &input, 0, NULL, NULL, NULL, 0, &again, NULL));
  CHECK(again == count);
  CHECK_STATUS(KINGLET_OK, kinglet_tokenize(session, &input, 4, ids, NULL, NULL, 64, &again, &truncated));
  CHECK(again == 4 && truncated == 1);
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tokenize(session, &input, 1, ids, NULL, NULL, 64, &again, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tokenize(NULL, &input, 0, ids, NULL, NULL, 64, &again, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tokenize(session, NULL, 0, ids, NULL, NULL, 64, &again, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tokenize(session, &input, 0, ids, NULL, NULL, 64, NULL, NULL));
  input.text = NULL;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tokenize(session, &input, 0, ids, NULL, NULL, 64, &again, NULL));
  input = text_input("a");
  input.pair_length = 1;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tokenize(session, &input, 0, ids, NULL, NULL, 64, &again, NULL));
  input.pair = "b";
  CHECK_STATUS(KINGLET_OK, kinglet_tokenize(session, &input, 0, ids, type_ids, offsets, 64, &again, NULL));
  CHECK(again == 5 && type_ids[3] == 1 && offsets[3].begin == 0 && offsets[3].end == 1);
  kinglet_session_close(session);
  kinglet_model_close(model);
}

static void test_embed(const char* path) {
  kinglet_model* model = open_good(path);
  kinglet_session* session = create_good(model, NULL);
  const size_t size = info_of(model).embedding_size;
  const uint32_t limit = info_of(model).max_length;
  float* a = malloc(3 * size * sizeof *a);
  float* b = malloc(3 * size * sizeof *b);
  int32_t* ids = calloc(limit + 1, sizeof *ids);
  char* long_text = malloc(2 * limit + 1);
  kinglet_input inputs[3];
  uint8_t truncated[3] = {9, 9, 9};
  size_t count = 0, i;

  for (i = 0; i < 2 * limit; ++i) long_text[i] = i % 2 ? ' ' : 'a';
  long_text[2 * limit] = '\0';
  inputs[0] = text_input("a bird");
  inputs[1] = text_input(long_text);
  inputs[2] = text_input("");
  CHECK_STATUS(KINGLET_OK, kinglet_embed(session, inputs, 3, a, truncated));
  CHECK(truncated[0] == 0 && truncated[1] == 1 && truncated[2] == 0);
  for (i = 0; i < 3; ++i) CHECK_STATUS(KINGLET_OK, kinglet_embed(session, &inputs[i], 1, b + i * size, NULL));
  CHECK(memcmp(a, b, 3 * size * sizeof *a) == 0);
  CHECK_STATUS(KINGLET_OK, kinglet_tokenize(session, &inputs[0], 0, ids, NULL, NULL, limit, &count, NULL));
  inputs[0] = (kinglet_input){0};
  inputs[0].ids = ids;
  inputs[0].id_count = count;
  CHECK_STATUS(KINGLET_OK, kinglet_embed(session, inputs, 1, b, NULL));
  CHECK(memcmp(a, b, size * sizeof *a) == 0);

  CHECK_STATUS(KINGLET_OK, kinglet_embed(session, NULL, 0, NULL, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_embed(NULL, inputs, 1, a, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_embed(session, NULL, 1, a, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_embed(session, inputs, 1, NULL, NULL));
  ids[1] = -1;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_embed(session, inputs, 1, a, NULL));
  ids[1] = (int32_t)info_of(model).vocabulary;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_embed(session, inputs, 1, a, NULL));
  ids[1] = 0;
  inputs[0].id_count = 0;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_embed(session, inputs, 1, a, NULL));
  inputs[0].id_count = limit + 1;
  CHECK_STATUS(KINGLET_TOO_LONG, kinglet_embed(session, inputs, 1, a, NULL));
  memset(ids, 0, limit * sizeof *ids);
  inputs[0].id_count = limit;
  CHECK_STATUS(KINGLET_OK, kinglet_embed(session, inputs, 1, a, NULL));
  inputs[0].type_ids = ids;
  CHECK_STATUS(KINGLET_OK, kinglet_embed(session, inputs, 1, b, NULL));
  CHECK(memcmp(a, b, size * sizeof *a) == 0);
  CHECK_STATUS(KINGLET_WRONG_TASK, kinglet_classify(session, inputs, 1, a, NULL, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_encode(session, inputs, 1, NULL));

  CHECK(fabsf(kinglet_cosine(a, a, size) - 1.0f) < 1e-6f);
  memset(b, 0, size * sizeof *b);
  CHECK(kinglet_cosine(a, b, size) == 0.0f && kinglet_cosine(a, a, 0) == 0.0f);
  for (i = 0; i < size; ++i) b[i] = -a[i];
  CHECK(fabsf(kinglet_cosine(a, b, size) + 1.0f) < 1e-6f);

  /* The model may go first. */
  kinglet_model_close(model);
  CHECK_STATUS(KINGLET_OK, kinglet_embed(session, &inputs[1], 1, b, NULL));
  kinglet_session_close(session);
  free(a), free(b), free(ids), free(long_text);
}

static void test_encode(const char* path) {
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  kinglet_model* model = open_good(path);
  kinglet_session* session;
  kinglet_input inputs[3];
  kinglet_output view;
  uint8_t truncated[2];
  uint32_t i;

  options.raw_outputs = 1;
  options.batch = 2;
  session = create_good(model, &options);
  CHECK(kinglet_session_output(session, 0, 0, &view) != KINGLET_OK); /* nothing encoded yet */
  inputs[0] = text_input("a bird");
  inputs[1] = text_input("x");
  inputs[2] = text_input("y");
  CHECK_STATUS(KINGLET_OK, kinglet_encode(session, inputs, 2, truncated));
  for (i = 0; i < info_of(model).output_count; ++i) {
    CHECK_STATUS(KINGLET_OK, kinglet_session_output(session, 1, i, &view));
    CHECK(view.name == kinglet_model_output_name(model, i) && view.data != NULL && view.rank >= 1 && view.rank <= 2);
    if (strcmp(view.name, "last_hidden_state") == 0) {
      CHECK(view.rank == 2 && view.shape[0] == 3);
    }
  }
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_output(session, 2, 0, &view));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_output(session, 0, info_of(model).output_count, &view));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_output(session, 0, 0, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_output(NULL, 0, 0, &view));
  CHECK_STATUS(KINGLET_TOO_LONG, kinglet_encode(session, inputs, 3, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_encode(session, NULL, 1, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_encode(NULL, inputs, 1, NULL));
  kinglet_session_close(session);
  kinglet_model_close(model);
}

static void test_classify(const char* path) {
  kinglet_model* model = open_good(path);
  kinglet_session* session = create_good(model, NULL);
  const kinglet_model_info info = info_of(model);
  kinglet_input inputs[2];
  float scores[64], logits[64], again[64];
  float sum = 0;
  uint32_t i;

  CHECK(info.task == KINGLET_TASK_CLASSIFY && info.scoring == KINGLET_SCORING_SOFTMAX);
  CHECK(info.label_count >= 2 && info.label_count <= 32 && info.embedding_size == 0);
  for (i = 0; i < info.label_count; ++i) CHECK(kinglet_model_label(model, i)[0] != '\0');
  inputs[0] = text_input("a bird");
  inputs[1] = text_input("the sea");
  inputs[1].pair = "the land";
  inputs[1].pair_length = 8;
  CHECK_STATUS(KINGLET_OK, kinglet_classify(session, inputs, 2, scores, logits, NULL));
  CHECK_STATUS(KINGLET_OK, kinglet_classify(session, inputs, 2, again, NULL, NULL));
  CHECK(memcmp(scores, again, 2 * info.label_count * sizeof *scores) == 0);
  for (i = 0; i < info.label_count; ++i) sum += scores[i];
  CHECK(fabsf(sum - 1.0f) < 1e-5f);
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_classify(session, inputs, 1, NULL, logits, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_classify(NULL, inputs, 1, scores, NULL, NULL));
  CHECK_STATUS(KINGLET_WRONG_TASK, kinglet_embed(session, inputs, 1, scores, NULL));
  kinglet_session_close(session);
  kinglet_model_close(model);
}

int main(int argc, char** argv) {
  if (argc < 2) {
    printf("usage: %s EMBED.kgl [CLASSIFY.kgl]\n", argv[0]);
    return 2;
  }
  test_names();
  test_opening(argv[1]);
  test_info(argv[1]);
  test_options(argv[1]);
  test_tokenize(argv[1]);
  test_embed(argv[1]);
  test_encode(argv[1]);
  if (argc > 2) {
    test_classify(argv[2]);
  } else {
    printf("SKIPPED: kinglet_classify from C: there is no classification checkpoint\n");
  }
  test_pools(argv[1]);
  test_cancel(argv[1]);
  test_shared_model(argv[1]);
  test_floating_point(argv[1]);
  printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
