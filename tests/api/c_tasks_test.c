/* Tagging, answering, filling masks and ranking from C, used well and badly.
 *   api_c_tasks_test TAG.kgl MASK.kgl ANSWER.kgl RANK.kgl */
#include <math.h>
#include <pthread.h>

#include "c_support.h"

int failures = 0;

static kinglet_input pair_input(const char* text, const char* pair) {
  kinglet_input input = text_input(text);
  input.pair = pair;
  input.pair_length = strlen(pair);
  return input;
}

/* Everything that a model of another task must refuse; no results are there to be read, either. */
static void refuse_other_tasks(kinglet_session* session, kinglet_task task) {
  kinglet_input input = pair_input("a [MASK]", "b");
  const kinglet_entity* entities;
  const kinglet_answer_span* answers;
  const kinglet_prediction* predictions;
  float score;
  size_t count;
  if (task != KINGLET_TASK_TAG) {
    CHECK_STATUS(KINGLET_WRONG_TASK, kinglet_tag(session, &input, 1, NULL, NULL));
    CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_entities(session, 0, &entities, &count));
  }
  if (task != KINGLET_TASK_ANSWER) {
    CHECK_STATUS(KINGLET_WRONG_TASK, kinglet_answer(session, &input, 1, NULL));
    CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_answers(session, 0, &answers, &count));
  }
  if (task != KINGLET_TASK_FILL_MASK) {
    CHECK_STATUS(KINGLET_WRONG_TASK, kinglet_fill_mask(session, &input, 1, 0, NULL));
    CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_masks(session, 0, &count));
    CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_predictions(session, 0, 0, &predictions, &count));
  }
  if (task != KINGLET_TASK_CLASSIFY) {
    CHECK_STATUS(KINGLET_WRONG_TASK, kinglet_rerank(session, &input, &input, 1, &score, NULL));
    CHECK_STATUS(KINGLET_WRONG_TASK, kinglet_classify(session, &input, 1, &score, NULL, NULL));
  }
}

static void test_tag(const char* path) {
  static const char text[] = "Angela  visited Seoul\xe2\x80\x94twice.";
  kinglet_session_options session_options = KINGLET_SESSION_OPTIONS_INIT;
  kinglet_tag_options options = KINGLET_TAG_OPTIONS_INIT;
  kinglet_model* model = open_good(path);
  kinglet_session* session;
  kinglet_input inputs[3];
  const kinglet_entity *entities = NULL, *more = NULL;
  kinglet_entity first[16];
  size_t count = 0, other = 0, i;
  uint8_t truncated[3] = {9, 9, 9};

  CHECK(info_of(model).task == KINGLET_TASK_TAG && info_of(model).label_count == 7);
  session_options.batch = 2;
  session = create_good(model, &session_options);
  refuse_other_tasks(session, KINGLET_TASK_TAG);
  inputs[0] = text_input(text);
  inputs[1] = text_input("");
  inputs[2] = text_input("a");
  CHECK_STATUS(KINGLET_OK, kinglet_tag(session, inputs, 2, NULL, truncated));
  CHECK(truncated[0] == 0 && truncated[1] == 0 && truncated[2] == 9);
  CHECK_STATUS(KINGLET_OK, kinglet_session_entities(session, 0, &entities, &count));
  CHECK(count > 0 && count <= 16);
  for (i = 0; i < count; ++i) {
    const kinglet_entity* e = &entities[i];
    CHECK(e->span.begin < e->span.end && e->span.end < sizeof text && e->score > 0 && e->score <= 1);
    CHECK(text[e->span.begin] != ' ' && text[e->span.end - 1] != ' ');
    CHECK(e->label_index < 7 && strlen(e->label) == 3);
    CHECK(strcmp(kinglet_model_label(model, e->label_index) + 2, e->label) == 0);
    first[i] = *e;
  }
  CHECK_STATUS(KINGLET_OK, kinglet_session_entities(session, 1, &more, &other));
  CHECK(other == 0);
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_entities(session, 2, &more, &other));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_entities(session, 0, NULL, &other));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_entities(session, 0, &more, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_entities(NULL, 0, &more, &other));
  /* Windows of a text that needs none change nothing. */
  options.windows = 1;
  options.stride = 3;
  CHECK_STATUS(KINGLET_OK, kinglet_tag(session, inputs, 1, &options, NULL));
  CHECK_STATUS(KINGLET_OK, kinglet_session_entities(session, 0, &more, &other));
  CHECK(other == count);
  for (i = 0; i < count && i < other; ++i) {
    CHECK(more[i].span.begin == first[i].span.begin && more[i].score == first[i].score);
  }
  CHECK_STATUS(KINGLET_TOO_LONG, kinglet_tag(session, inputs, 3, NULL, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_entities(session, 0, &more, &other));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tag(session, NULL, 1, NULL, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tag(NULL, inputs, 1, NULL, NULL));
  CHECK_STATUS(KINGLET_OK, kinglet_tag(session, NULL, 0, NULL, NULL));
  options.windows = 0;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tag(session, inputs, 1, &options, NULL));
  options.stride = 0;
  options.aggregation = (kinglet_aggregation)4;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tag(session, inputs, 1, &options, NULL));
  options.struct_size = 1;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tag(session, inputs, 1, &options, NULL));
  inputs[0] = pair_input("a", "b");
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tag(session, inputs, 1, NULL, NULL));
  inputs[0] = (kinglet_input){0};
  inputs[0].ids = &(int32_t){0};
  inputs[0].id_count = 1;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tag(session, inputs, 1, NULL, NULL));
  CHECK(kinglet_session_message(session)[0] != '\0');
  kinglet_session_close(session);
  kinglet_model_close(model);
}

/* A long text in windows, in one call, up to the limit that the session was made with. */
static void test_limits(const char* path) {
  kinglet_session_options session_options = KINGLET_SESSION_OPTIONS_INIT;
  kinglet_tag_options options = KINGLET_TAG_OPTIONS_INIT;
  kinglet_model* model = open_good(path);
  kinglet_session* session;
  char text[4001];
  kinglet_input input;
  const kinglet_entity* entities;
  size_t count = 0;
  uint8_t truncated = 9;
  int i;
  for (i = 0; i < 4000; ++i) text[i] = i % 2 ? ' ' : 'a';
  text[4000] = '\0';
  input = text_input(text);
  session_options.max_length = 16;
  session_options.document_tokens = 1000;
  options.windows = 1;
  options.stride = 4;
  session = create_good(model, &session_options);
  CHECK_STATUS(KINGLET_OK, kinglet_tag(session, &input, 1, NULL, &truncated));
  CHECK(truncated == 1);
  CHECK_STATUS(KINGLET_TOO_LONG, kinglet_tag(session, &input, 1, &options, NULL));
  kinglet_session_close(session);
  session_options.document_tokens = 2002;
  session = create_good(model, &session_options);
  CHECK_STATUS(KINGLET_OK, kinglet_tag(session, &input, 1, &options, &truncated));
  CHECK(truncated == 0);
  CHECK_STATUS(KINGLET_OK, kinglet_session_entities(session, 0, &entities, &count));
  options.stride = 14; /* what a window has room for */
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_tag(session, &input, 1, &options, NULL));
  kinglet_session_close(session);
  session_options.document_tokens = UINT32_MAX;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_create(model, &session_options, &session));
  kinglet_session_close(session);
  kinglet_model_close(model);
}

static void test_answer(const char* path) {
  kinglet_session_options session_options = KINGLET_SESSION_OPTIONS_INIT;
  kinglet_answer_options options = KINGLET_ANSWER_OPTIONS_INIT;
  kinglet_model* model = open_good(path);
  kinglet_session* session;
  kinglet_input inputs[2];
  const kinglet_answer_span* answers = NULL;
  kinglet_answer_span best = {{0, 0}, 0};
  size_t count = 0;

  session_options.batch = 2;
  session_options.top_k = 3;
  session_options.offset_unit = KINGLET_OFFSETS_UTF16;
  session = create_good(model, &session_options);
  refuse_other_tasks(session, KINGLET_TASK_ANSWER);
  inputs[0] = pair_input("who?", "\xf0\x9d\x84\x9e \xe2\x80\x9cthe bird\xe2\x80\x9d sings, and the sea is wide");
  inputs[1] = pair_input("", "");
  CHECK_STATUS(KINGLET_OK, kinglet_answer(session, inputs, 2, NULL));
  CHECK_STATUS(KINGLET_OK, kinglet_session_answers(session, 0, &answers, &count));
  CHECK(count == 1 && answers[0].span.begin < answers[0].span.end && answers[0].span.end <= 42);
  best = answers[0];
  CHECK_STATUS(KINGLET_OK, kinglet_session_answers(session, 1, &answers, &count));
  CHECK(count == 0);
  options.top_k = 3;
  options.no_answer = 1;
  options.max_answer_tokens = 2;
  options.max_length = 12;
  options.stride = 2;
  CHECK_STATUS(KINGLET_OK, kinglet_answer(session, inputs, 2, &options));
  CHECK_STATUS(KINGLET_OK, kinglet_session_answers(session, 0, &answers, &count));
  CHECK(count == 3 && answers[0].score >= answers[1].score && answers[1].score >= answers[2].score);
  CHECK_STATUS(KINGLET_OK, kinglet_session_answers(session, 1, &answers, &count));
  CHECK(count == 1 && answers[0].span.end == 0 && fabsf(answers[0].score - 1.0f) < 1e-6f);
  options.stride = 9;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_answer(session, inputs, 1, &options));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_answers(session, 0, &answers, &count));
  CHECK_STATUS(KINGLET_OK, kinglet_answer(session, inputs, 1, NULL)); /* as if nothing had happened */
  CHECK_STATUS(KINGLET_OK, kinglet_session_answers(session, 0, &answers, &count));
  CHECK(count == 1 && answers[0].score == best.score && answers[0].span.begin == best.span.begin);
  options = (kinglet_answer_options)KINGLET_ANSWER_OPTIONS_INIT;
  options.top_k = 4;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_answer(session, inputs, 1, &options));
  options.top_k = 0;
  options.max_length = info_of(model).max_length + 1;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_answer(session, inputs, 1, &options));
  options.max_length = 5;
  CHECK_STATUS(KINGLET_TOO_LONG, kinglet_answer(session, inputs, 1, &options));
  options.max_length = 0;
  options.struct_size = sizeof options + 1;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_answer(session, inputs, 1, &options));
  inputs[0] = text_input("who?");
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_answer(session, inputs, 1, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_answer(session, NULL, 1, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_answer(NULL, inputs, 1, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_answers(session, 0, NULL, &count));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_answers(NULL, 0, &answers, &count));
  kinglet_session_close(session);
  kinglet_model_close(model);
}

static void test_fill_mask(const char* path) {
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  kinglet_model* model = open_good(path);
  kinglet_session* session;
  kinglet_input inputs[2];
  const kinglet_prediction *predictions = NULL, *again = NULL;
  int32_t ids[16], type_ids[16];
  size_t count = 0, length = 0, i;
  options.batch = 2;
  session = create_good(model, &options);
  refuse_other_tasks(session, KINGLET_TASK_FILL_MASK);
  inputs[0] = text_input("a [MASK] and [MASK]");
  CHECK_STATUS(KINGLET_OK, kinglet_tokenize(session, inputs, 0, ids, type_ids, NULL, 16, &length, NULL));
  inputs[1] = (kinglet_input){0};
  inputs[1].ids = ids;
  inputs[1].type_ids = type_ids;
  inputs[1].id_count = length;
  CHECK_STATUS(KINGLET_OK, kinglet_fill_mask(session, inputs, 2, 0, NULL));
  CHECK_STATUS(KINGLET_OK, kinglet_session_masks(session, 0, &count));
  CHECK(count == 2);
  CHECK_STATUS(KINGLET_OK, kinglet_session_predictions(session, 0, 1, &predictions, &count));
  CHECK(count == 5);
  CHECK_STATUS(KINGLET_OK, kinglet_session_predictions(session, 1, 1, &again, &count));
  for (i = 0; i < 5; ++i) {
    CHECK(predictions[i].id == again[i].id && predictions[i].score == again[i].score);
    CHECK(kinglet_model_token(model, predictions[i].id, &length) != NULL);
    CHECK(i == 0 || predictions[i].score <= predictions[i - 1].score);
  }
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_predictions(session, 0, 2, &again, &count));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_predictions(session, 2, 0, &again, &count));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_predictions(session, 0, 0, NULL, &count));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_session_masks(session, 0, NULL));
  CHECK_STATUS(KINGLET_OK, kinglet_fill_mask(session, inputs, 1, 16, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_fill_mask(session, inputs, 1, 17, NULL));
  inputs[0] = text_input("none");
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_fill_mask(session, inputs, 1, 1, NULL));
  CHECK(strstr(kinglet_session_message(session), "[MASK]") != NULL);
  ids[1] = (int32_t)info_of(model).vocabulary;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_fill_mask(session, inputs + 1, 1, 1, NULL));
  inputs[1].id_count = 0;
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_fill_mask(session, inputs + 1, 1, 1, NULL));
  kinglet_session_close(session);
  kinglet_model_close(model);
}

static void test_rerank(const char* path) {
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  kinglet_model* model = open_good(path);
  kinglet_session* session;
  kinglet_input query = text_input("birds"), texts[3], pairs[3];
  float scores[3], values[3], raw[3];
  uint8_t truncated[3] = {9, 9, 9};
  int i;
  options.batch = 2;
  session = create_good(model, &options);
  refuse_other_tasks(session, KINGLET_TASK_CLASSIFY);
  for (i = 0; i < 3; ++i) {
    const char* text = i == 0 ? "a kinglet" : i == 1 ? "" : "the sea";
    texts[i] = text_input(text);
    pairs[i] = pair_input("birds", text);
  }
  CHECK_STATUS(KINGLET_OK, kinglet_rerank(session, &query, texts, 3, scores, truncated));
  CHECK_STATUS(KINGLET_OK, kinglet_classify(session, pairs, 3, values, raw, NULL));
  for (i = 0; i < 3; ++i) CHECK(scores[i] == values[i] && truncated[i] == 0); /* both a sigmoid here */
  CHECK_STATUS(KINGLET_OK, kinglet_rerank(session, &query, NULL, 0, NULL, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_rerank(session, NULL, texts, 1, scores, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_rerank(session, &pairs[0], texts, 1, scores, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_rerank(session, &query, pairs, 1, scores, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_rerank(session, &query, NULL, 1, scores, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_rerank(session, &query, texts, 1, NULL, NULL));
  CHECK_STATUS(KINGLET_INVALID_ARGUMENT, kinglet_rerank(NULL, &query, texts, 1, scores, NULL));
  kinglet_session_close(session);
  kinglet_model_close(model);
}

/* Sessions of one model on threads of their own, each with workers. */
static void* tag_often(void* argument) {
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  kinglet_session* session;
  const kinglet_input input = text_input("Angela visited Seoul and Samsung.");
  const kinglet_entity* entities;
  size_t count = 0, again = 0;
  int i;
  options.threads = 2;
  session = create_good(argument, &options);
  for (i = 0; i < 20; ++i) {
    CHECK_STATUS(KINGLET_OK, kinglet_tag(session, &input, 1, NULL, NULL));
    CHECK_STATUS(KINGLET_OK, kinglet_session_entities(session, 0, &entities, &again));
    CHECK(i == 0 || again == count);
    count = again;
  }
  kinglet_session_close(session);
  return NULL;
}

static void test_threads(const char* path) {
  kinglet_model* model = open_good(path);
  pthread_t threads[2];
  int i;
  for (i = 0; i < 2; ++i) {
    if (pthread_create(&threads[i], NULL, tag_often, model) != 0) exit(1);
  }
  for (i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  kinglet_model_close(model);
}

int main(int argc, char** argv) {
  if (argc != 5) {
    printf("usage: %s TAG.kgl MASK.kgl ANSWER.kgl RANK.kgl\n", argv[0]);
    return 2;
  }
  test_tag(argv[1]);
  test_limits(argv[1]);
  test_fill_mask(argv[2]);
  test_answer(argv[3]);
  test_rerank(argv[4]);
  test_threads(argv[1]);
  printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
