/* kinglet.h: the C API of kinglet, a runtime for BERT-family encoders.
 *
 * Conventions
 *  1. Handles are opaque. NULL is accepted by every *_close and *_message function and by nothing else.
 *  2. Every function that can fail returns a kinglet_status; KINGLET_OK is 0. The handle it was called on holds
 *     a message for people: what was wrong, where, and what was expected (kinglet_model_message,
 *     kinglet_session_message). It is valid until the next call on that handle.
 *  3. The open and create functions set *out even when they fail: the handle then serves only its message and
 *     must be closed. *out is NULL only when there was no memory for a handle at all.
 *  4. Structs that may grow begin with `struct_size`; set it to sizeof, or use the KINGLET_*_INIT macros.
 *     A field of 0 means "the default".
 *  5. Texts are UTF-8 with a length in bytes; no terminating 0 is needed. Each invalid sequence is read as one
 *     U+FFFD, and offsets still count the original bytes.
 *  6. Memory named "caller-owned" is only read or written during the call. Memory named "session-owned" is valid
 *     until the next call on that session.
 *  7. A model is immutable and may be used from any number of threads at once. A session belongs to one thread at
 *     a time; only kinglet_session_cancel may be called from another thread while it works.
 *  8. After a session is created no function on it allocates memory, takes a lock or writes a log.
 *  9. No function aborts, throws or changes the caller's floating-point environment.
 */
#ifndef KINGLET_H_
#define KINGLET_H_

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define KINGLET_API
#else
#define KINGLET_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kinglet_status {
  KINGLET_OK = 0,
  KINGLET_INVALID_ARGUMENT = 1, /* a call that is wrong in itself: NULL, a bad option, ids out of range */
  KINGLET_IO_ERROR = 2,         /* the operating system refused: no such file, cannot read, … */
  KINGLET_BAD_MODEL = 3,        /* the model file is damaged, truncated or not a model */
  KINGLET_UNSUPPORTED = 4,      /* valid, but not by this build or this processor, or a newer format version */
  KINGLET_OUT_OF_MEMORY = 5,
  KINGLET_TOO_LONG = 6,         /* more tokens, texts or bytes than the session or the arrays were made for */
  KINGLET_CANCELLED = 7,
  KINGLET_NON_FINITE = 8,       /* an activation became infinite or not a number */
  KINGLET_WRONG_TASK = 9        /* the model has no output of the kind asked for */
} kinglet_status;

/* A short English name of a status. Never NULL. */
KINGLET_API const char* kinglet_status_name(kinglet_status status);

/* The library's version, "major.minor.patch". */
KINGLET_API const char* kinglet_version(void);

/* The kernel path in use: "avx512_vnni", "neon_dotprod", …; NULL when KINGLET_ISA names one that this processor or
 * build does not have (every model open then fails with KINGLET_UNSUPPORTED). */
KINGLET_API const char* kinglet_isa(void);

/* ---- Models -------------------------------------------------------------------------------------------------- */

typedef struct kinglet_model kinglet_model;

typedef enum kinglet_task {
  KINGLET_TASK_NONE = 0, /* raw outputs only */
  KINGLET_TASK_EMBED = 1,
  KINGLET_TASK_CLASSIFY = 2,
  KINGLET_TASK_TAG = 3,
  KINGLET_TASK_ANSWER = 4,
  KINGLET_TASK_FILL_MASK = 5
} kinglet_task;

/* How classify turns logits into scores. */
typedef enum kinglet_scoring {
  KINGLET_SCORING_SOFTMAX = 0,
  KINGLET_SCORING_SIGMOID = 1, /* multi-label, or one output */
  KINGLET_SCORING_NONE = 2     /* regression: the raw number */
} kinglet_scoring;

typedef struct kinglet_model_info {
  size_t struct_size;
  kinglet_task task;
  kinglet_scoring scoring;
  uint32_t max_length;     /* tokens per sequence, special tokens included */
  uint32_t vocabulary;     /* token ids are below this */
  uint32_t type_count;     /* type ids are below this */
  uint32_t label_count;    /* numbers per text (classify) or per token (tag); 0 for other tasks */
  uint32_t embedding_size; /* floats per embedding; 0 unless the task is embed */
  uint32_t output_count;   /* raw outputs of kinglet_encode */
  uint32_t prompt_count;   /* named prompts, for embed */
  int has_tokenizer;       /* 0: only inputs given as ids work */
  const char* architecture; /* "bert", …; model-owned */
  const char* precision;    /* "int8" or "fp32"; model-owned */
} kinglet_model_info;

/* Opens a model file, maps it, checks all of it and plans nothing yet. The file must not change while the model is
 * open. Returns IO_ERROR, BAD_MODEL, UNSUPPORTED, OUT_OF_MEMORY. */
KINGLET_API kinglet_status kinglet_model_open_path(const char* path, kinglet_model** out);

/* Opens the model that lies at [offset, offset + length) of an open file (an asset inside an APK, say). The
 * descriptor is duplicated: the caller may close its own. `offset` must be a multiple of 4. length 0: to the end. */
KINGLET_API kinglet_status kinglet_model_open_fd(int fd, uint64_t offset, uint64_t length, kinglet_model** out);

/* Opens a model in memory, which must stay readable and unchanged until the model is closed. `data` must be a
 * multiple of 4. */
KINGLET_API kinglet_status kinglet_model_open_memory(const void* data, size_t size, kinglet_model** out);

/* Releases the caller's hold. Sessions keep their model alive. */
KINGLET_API void kinglet_model_close(kinglet_model* model);

KINGLET_API const char* kinglet_model_message(const kinglet_model* model);

/* Fills *info up to info->struct_size. */
KINGLET_API kinglet_status kinglet_model_get_info(const kinglet_model* model, kinglet_model_info* info);

/* Names, model-owned; NULL when the index is out of range. */
KINGLET_API const char* kinglet_model_label(const kinglet_model* model, uint32_t index);
KINGLET_API const char* kinglet_model_output_name(const kinglet_model* model, uint32_t index);
KINGLET_API const char* kinglet_model_prompt_name(const kinglet_model* model, uint32_t index);
/* The text of a token, model-owned, not 0-terminated: *length bytes. NULL for an unknown id. */
KINGLET_API const char* kinglet_model_token(const kinglet_model* model, int32_t id, size_t* length);
/* What a token says by itself, as decode([id]) of transformers has it: " are" for "\xc4\xa0" "are" in a byte-level
 * vocabulary, U+FFFD for bytes that are no character. Writes at most `capacity` bytes of UTF-8 to the caller-owned
 * `text` (no terminating 0) and returns how many there are; 0 for an unknown id. */
KINGLET_API size_t kinglet_model_token_text(const kinglet_model* model, int32_t id, char* text, size_t capacity);

/* Runs the samples that the file carries and compares their outputs: OK, or BAD_MODEL with the difference. */
KINGLET_API kinglet_status kinglet_model_self_test(kinglet_model* model);

/* ---- Sessions ------------------------------------------------------------------------------------------------ */

typedef struct kinglet_session kinglet_session;

/* The unit that offsets count in. Java, Swift and JavaScript count in UTF-16, Python in code points. */
typedef enum kinglet_offset_unit {
  KINGLET_OFFSETS_BYTES = 0,
  KINGLET_OFFSETS_UTF16 = 1,
  KINGLET_OFFSETS_CODEPOINTS = 2
} kinglet_offset_unit;

/* Threads that an app supplies. `run` must call work(context, i) once for every i in [0, threads), each on a thread
 * of its own and all of them at the same time (they wait for one another), and return when all have returned. */
typedef struct kinglet_thread_pool {
  void* self;
  uint32_t threads;
  void (*run)(void* self, void (*work)(void* context, uint32_t thread), void* context);
} kinglet_thread_pool;

typedef struct kinglet_session_options {
  size_t struct_size;
  uint32_t threads;     /* default 1; ignored when `pool` is given */
  uint32_t max_length;  /* tokens per sequence; default: the model's limit, and never above it */
  uint32_t batch;       /* sequences computed at once; default 1 */
  kinglet_offset_unit offset_unit;
  int raw_outputs;      /* 1: kinglet_encode is to be used; plans every output of the model */
  const kinglet_thread_pool* pool; /* NULL: the session starts `threads` - 1 threads of its own */
  const char* prompt;   /* embed: the name of a prompt to put before every text; NULL: the model's default one */
  uint32_t document_tokens; /* tag, answer: tokens that the texts of one call may have together, however many windows
                               they are cut into; default 65,536, and never below batch * max_length */
  uint32_t top_k;           /* answer, fill mask: the most results per question or mask that a call may ask for;
                               default 16 */
} kinglet_session_options;
#define KINGLET_SESSION_OPTIONS_INIT \
  {sizeof(kinglet_session_options), 0, 0, 0, KINGLET_OFFSETS_BYTES, 0, NULL, NULL, 0, 0}

/* Plans and allocates everything that inference needs. Returns INVALID_ARGUMENT, OUT_OF_MEMORY, UNSUPPORTED. */
KINGLET_API kinglet_status kinglet_session_create(kinglet_model* model, const kinglet_session_options* options,
                                                  kinglet_session** out);
KINGLET_API void kinglet_session_close(kinglet_session* session);
KINGLET_API const char* kinglet_session_message(const kinglet_session* session);

/* Makes the call in progress on the session, if any, return KINGLET_CANCELLED soon. From any thread. */
KINGLET_API void kinglet_session_cancel(kinglet_session* session);

/* Bytes that the session allocated when it was created. */
KINGLET_API size_t kinglet_session_memory(const kinglet_session* session);

/* One input: a text, a pair of texts, or token ids with the special tokens already in place. Caller-owned. */
typedef struct kinglet_input {
  const char* text; /* UTF-8; NULL when ids are given */
  size_t text_length;
  const char* pair; /* NULL: no second text */
  size_t pair_length;
  const int32_t* ids; /* NULL: text */
  const int32_t* type_ids; /* NULL: all 0. XLM: the language of every token */
  size_t id_count;
} kinglet_input;

/* A token's place in its text, [begin, end) in the session's offset unit. Tokens that the template adds have none:
 * both are KINGLET_NO_OFFSET. For the second text of a pair they count from its own start. */
typedef struct kinglet_span {
  uint32_t begin, end;
} kinglet_span;
#define KINGLET_NO_OFFSET UINT32_MAX

/* Turns one text or pair into tokens; an input of ids is an INVALID_ARGUMENT. max_length 0 cuts nothing; any other
 * value keeps at most that many, special tokens included. Writes at most `capacity` entries to each of the
 * caller-owned arrays that is not NULL, and the number that there are to *count; KINGLET_TOO_LONG when there are more
 * than `capacity`. *truncated (may be NULL) says whether max_length cut something. */
KINGLET_API kinglet_status kinglet_tokenize(kinglet_session* session, const kinglet_input* input, uint32_t max_length,
                                            int32_t* ids, int32_t* type_ids, kinglet_span* offsets, size_t capacity,
                                            size_t* count, int* truncated);

/* Writes count × embedding_size floats, row by row. A text over the session's max_length is cut, and
 * truncated[i] (may be NULL) set to 1. */
KINGLET_API kinglet_status kinglet_embed(kinglet_session* session, const kinglet_input* inputs, size_t count,
                                         float* embeddings, uint8_t* truncated);

/* Writes count × label_count scores (see kinglet_scoring) and, where `logits` is not NULL, the raw numbers. */
KINGLET_API kinglet_status kinglet_classify(kinglet_session* session, const kinglet_input* inputs, size_t count,
                                            float* scores, float* logits, uint8_t* truncated);

/* Ranks texts by a query with a cross-encoder, a classifier of pairs with one output: writes `count` scores, that of
 * (query, texts[i]) to scores[i]. They are the raw numbers after the activation that the checkpoint configures (as
 * CrossEncoder of sentence-transformers has it; without one a sigmoid). query and texts are inputs with a text and
 * no pair. WRONG_TASK for any other model. */
KINGLET_API kinglet_status kinglet_rerank(kinglet_session* session, const kinglet_input* query,
                                          const kinglet_input* texts, size_t count, float* scores,
                                          uint8_t* truncated);

/* The cosine of two embeddings, in [-1, 1]; 0 when either is all zeros. */
KINGLET_API float kinglet_cosine(const float* a, const float* b, size_t size);

/* One raw output of one input: `data` is session-owned, row-major, shape[0] × … × shape[rank - 1]. */
typedef struct kinglet_output {
  const char* name; /* its Hugging Face name; model-owned */
  const float* data;
  uint32_t rank;
  uint32_t shape[2];
} kinglet_output;

/* Runs up to `batch` inputs on a session made with raw_outputs = 1, and keeps their outputs. */
KINGLET_API kinglet_status kinglet_encode(kinglet_session* session, const kinglet_input* inputs, size_t count,
                                          uint8_t* truncated);
/* An output of the last kinglet_encode. */
KINGLET_API kinglet_status kinglet_session_output(kinglet_session* session, size_t input, uint32_t output,
                                                  kinglet_output* view);

/* ---- Spans of texts, and masked tokens ------------------------------------------------------------------------- *
 * The numbers of these three tasks are those of the pipelines of transformers 4.57.3. Each call takes up to the
 * session's `batch` inputs and keeps its results in memory that was planned when the session was made: they are
 * session-owned, and the functions that read them invalidate nothing. Spans count in the session's offset unit from
 * the start of the text (the context, for answers) and begin and end where the text does: white space around them is
 * left out. */

/* How the labels of the pieces of a word become one (aggregation_strategy). */
typedef enum kinglet_aggregation {
  KINGLET_AGGREGATION_SIMPLE = 0,  /* not at all: a word may have pieces of several entities */
  KINGLET_AGGREGATION_FIRST = 1,   /* that of its first piece */
  KINGLET_AGGREGATION_AVERAGE = 2, /* the best of the average of their scores */
  KINGLET_AGGREGATION_MAX = 3      /* that of the piece with the highest score */
} kinglet_aggregation;

typedef struct kinglet_tag_options {
  size_t struct_size;
  kinglet_aggregation aggregation;
  int windows;     /* 0: a text over the session's max_length is cut. 1: it is tagged in windows of max_length tokens;
                      of entities that overlap in two windows the longer one, then the surer one counts */
  uint32_t stride; /* tokens that a window shares with the one before it; less than a window has of the text */
} kinglet_tag_options;
#define KINGLET_TAG_OPTIONS_INIT {sizeof(kinglet_tag_options), KINGLET_AGGREGATION_SIMPLE, 0, 0}

typedef struct kinglet_entity {
  kinglet_span span;
  float score;          /* the mean over its tokens, or words */
  uint32_t label_index; /* of its first token */
  const char* label;    /* its name without "B-", "I-", …: what follows the first hyphen; model-owned; NULL when the
                           model has no names */
} kinglet_entity;

/* Tags texts: adjacent tokens of one label, BIO or not, become entities; the label "O" is left out. options may be
 * NULL. Inputs are texts without a pair. TOO_LONG for more than `batch` inputs, or more tokens than the session's
 * document_tokens. */
KINGLET_API kinglet_status kinglet_tag(kinglet_session* session, const kinglet_input* inputs, size_t count,
                                       const kinglet_tag_options* options, uint8_t* truncated);
/* The entities of an input of the last kinglet_tag, in the order of the text; *entities is session-owned. */
KINGLET_API kinglet_status kinglet_session_entities(kinglet_session* session, size_t input,
                                                    const kinglet_entity** entities, size_t* count);

typedef struct kinglet_answer_options {
  size_t struct_size;
  uint32_t top_k;             /* default 1, at most the session's top_k */
  uint32_t max_answer_tokens; /* max_answer_len; default 15 */
  uint32_t max_length;        /* tokens of a window, question and special tokens included (max_seq_len); default: the
                                 session's max_length or 384, whichever is less */
  uint32_t stride;            /* tokens of the context that a window shares with the one before it (doc_stride);
                                 default 128, or half of what is less: max_length, or the context's part of it */
  int no_answer;              /* 1: "there is none" competes, as the empty span [0, 0) (handle_impossible_answer) */
} kinglet_answer_options;
#define KINGLET_ANSWER_OPTIONS_INIT {sizeof(kinglet_answer_options), 0, 0, 0, 0, 0}

typedef struct kinglet_answer_span {
  kinglet_span span; /* of the context */
  float score;
} kinglet_answer_span;

/* Finds answers to questions in contexts of any length, which are read in overlapping windows. In each input `text`
 * is the question and `pair` the context. Answers begin and end with words; equal texts, but for case, count as one
 * answer with the sum of their scores. options may be NULL. TOO_LONG for more than `batch` inputs, more tokens than
 * the session's document_tokens, or a question that leaves a window no room. */
KINGLET_API kinglet_status kinglet_answer(kinglet_session* session, const kinglet_input* inputs, size_t count,
                                          const kinglet_answer_options* options);
/* The answers to an input of the last kinglet_answer by falling score: up to top_k, and none for an empty context. */
KINGLET_API kinglet_status kinglet_session_answers(kinglet_session* session, size_t input,
                                                   const kinglet_answer_span** answers, size_t* count);

typedef struct kinglet_prediction {
  int32_t id; /* of a token: see kinglet_model_token */
  float score;
} kinglet_prediction;

/* Predicts the tokens that are masked in texts, pairs or ids: for every mask the top_k best (0: 5), at most the
 * session's top_k. INVALID_ARGUMENT for an input without a mask. */
KINGLET_API kinglet_status kinglet_fill_mask(kinglet_session* session, const kinglet_input* inputs, size_t count,
                                             uint32_t top_k, uint8_t* truncated);
/* How many masks an input of the last kinglet_fill_mask has, and the predictions for one of them by falling score. */
KINGLET_API kinglet_status kinglet_session_masks(kinglet_session* session, size_t input, size_t* count);
KINGLET_API kinglet_status kinglet_session_predictions(kinglet_session* session, size_t input, size_t mask,
                                                       const kinglet_prediction** predictions, size_t* count);

#ifdef __cplusplus
}
#endif
#endif /* KINGLET_H_ */
