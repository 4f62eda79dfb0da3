/* kinglet.h from C: threads of the library and of the app, cancelling, one model in many threads, and the caller's
 * floating-point environment. */
#define _GNU_SOURCE
#include <fenv.h>
#include <pthread.h>
#include <stdatomic.h>

#include "c_support.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

typedef struct Job {
  void (*work)(void* context, uint32_t thread);
  void* context;
  uint32_t thread;
} Job;

static void* run_job(void* argument) {
  Job* job = argument;
  job->work(job->context, job->thread);
  return NULL;
}

static void run_pool(void* self, void (*work)(void* context, uint32_t thread), void* context) {
  kinglet_thread_pool* pool = self;
  pthread_t threads[8];
  Job jobs[8];
  uint32_t i;
  for (i = 0; i < pool->threads; ++i) {
    jobs[i] = (Job){work, context, i};
    if (pthread_create(&threads[i], NULL, run_job, &jobs[i]) != 0) exit(1);
  }
  for (i = 0; i < pool->threads; ++i) pthread_join(threads[i], NULL);
}

void test_pools(const char* path) {
  kinglet_model* model = open_good(path);
  const size_t bytes = info_of(model).embedding_size * sizeof(float);
  float *wanted = malloc(bytes), *actual = malloc(bytes);
  const kinglet_input input = text_input("a small bird sings in the garden all day long");
  kinglet_session* session = create_good(model, NULL);
  kinglet_thread_pool pool;
  uint32_t threads;

  CHECK_STATUS(KINGLET_OK, kinglet_embed(session, &input, 1, wanted, NULL));
  kinglet_session_close(session);
  for (threads = 1; threads <= 4; ++threads) {
    kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
    options.threads = threads;
    session = create_good(model, &options);
    CHECK_STATUS(KINGLET_OK, kinglet_embed(session, &input, 1, actual, NULL));
    CHECK(memcmp(wanted, actual, bytes) == 0);
    kinglet_session_close(session);
    pool = (kinglet_thread_pool){&pool, threads, run_pool};
    options.pool = &pool;
    options.threads = 3; /* ignored */
    session = create_good(model, &options);
    CHECK_STATUS(KINGLET_OK, kinglet_embed(session, &input, 1, actual, NULL));
    CHECK(memcmp(wanted, actual, bytes) == 0);
    kinglet_session_close(session);
  }
  kinglet_model_close(model);
  free(wanted), free(actual);
}

typedef struct Canceller {
  kinglet_session* session;
  atomic_int stop;
} Canceller;

static void* keep_cancelling(void* argument) {
  Canceller* canceller = argument;
  while (!atomic_load(&canceller->stop)) kinglet_session_cancel(canceller->session);
  return NULL;
}

void test_cancel(const char* path) {
  kinglet_model* model = open_good(path);
  kinglet_session* session = create_good(model, NULL);
  const size_t size = info_of(model).embedding_size;
  enum { kCount = 200 };
  float* embeddings = malloc(kCount * size * sizeof *embeddings);
  kinglet_input inputs[kCount];
  Canceller canceller = {session, 0};
  pthread_t thread;
  int attempts = 0, i;
  kinglet_status status;

  for (i = 0; i < kCount; ++i) inputs[i] = text_input("a small bird sings in the garden all day long");
  if (pthread_create(&thread, NULL, keep_cancelling, &canceller) != 0) exit(1);
  do { /* the other thread may be slow to start */
    status = kinglet_embed(session, inputs, kCount, embeddings, NULL);
  } while (status == KINGLET_OK && ++attempts < 1000);
  CHECK(status == KINGLET_CANCELLED);
  CHECK(strstr(kinglet_session_message(session), "cancel") != NULL);
  atomic_store(&canceller.stop, 1);
  pthread_join(thread, NULL);
  kinglet_session_cancel(session); /* with no call in progress: nothing */
  CHECK_STATUS(KINGLET_OK, kinglet_embed(session, inputs, kCount, embeddings, NULL));
  CHECK(kinglet_session_message(session)[0] == '\0');
  kinglet_session_close(session);
  kinglet_model_close(model);
  free(embeddings);
}

typedef struct Reader {
  kinglet_model* model;
  const float* wanted;
  size_t size;
  int good;
} Reader;

static void* embed_often(void* argument) {
  Reader* reader = argument;
  kinglet_session* session = NULL;
  const kinglet_input input = text_input("a small bird");
  float* actual = malloc(reader->size * sizeof *actual);
  int i;
  if (kinglet_session_create(reader->model, NULL, &session) == KINGLET_OK) {
    for (i = 0; i < 20; ++i) {
      reader->good += kinglet_embed(session, &input, 1, actual, NULL) == KINGLET_OK &&
                      memcmp(actual, reader->wanted, reader->size * sizeof *actual) == 0;
    }
  }
  kinglet_session_close(session);
  free(actual);
  return NULL;
}

void test_shared_model(const char* path) {
  kinglet_model* model = open_good(path);
  const size_t size = info_of(model).embedding_size;
  float* wanted = malloc(size * sizeof *wanted);
  const kinglet_input input = text_input("a small bird");
  kinglet_session* session = create_good(model, NULL);
  Reader readers[4];
  pthread_t threads[4];
  int i;
  CHECK_STATUS(KINGLET_OK, kinglet_embed(session, &input, 1, wanted, NULL));
  for (i = 0; i < 4; ++i) {
    readers[i] = (Reader){model, wanted, size, 0};
    if (pthread_create(&threads[i], NULL, embed_often, &readers[i]) != 0) exit(1);
  }
  for (i = 0; i < 4; ++i) {
    pthread_join(threads[i], NULL);
    CHECK(readers[i].good == 20);
  }
  kinglet_session_close(session);
  kinglet_model_close(model);
  free(wanted);
}

/* Apps round as they like and flush denormals; results do not change, nor does what the app had set. */
void test_floating_point(const char* path) {
  kinglet_model* model = open_good(path);
  kinglet_session* session = create_good(model, NULL);
  const size_t bytes = info_of(model).embedding_size * sizeof(float);
  float *wanted = malloc(bytes), *actual = malloc(bytes);
  const kinglet_input input = text_input("a small bird");
  CHECK_STATUS(KINGLET_OK, kinglet_embed(session, &input, 1, wanted, NULL));
#if defined(FE_UPWARD)
  CHECK(fesetround(FE_UPWARD) == 0);
  CHECK_STATUS(KINGLET_OK, kinglet_embed(session, &input, 1, actual, NULL));
  CHECK(memcmp(wanted, actual, bytes) == 0);
  CHECK(fegetround() == FE_UPWARD);
  fesetround(FE_TONEAREST);
#endif
#if defined(__x86_64__)
  {
    const unsigned int before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* flush to zero, denormals are zero */
    CHECK_STATUS(KINGLET_OK, kinglet_embed(session, &input, 1, actual, NULL));
    CHECK((_mm_getcsr() & 0x8040) == 0x8040);
    _mm_setcsr(before);
    CHECK(memcmp(wanted, actual, bytes) == 0);
  }
#endif
  kinglet_session_close(session);
  kinglet_model_close(model);
  free(wanted), free(actual);
}
