// Answers from start and end logits over windows of a context: QuestionAnsweringPipeline of transformers 4.57.3
// (pipelines/question_answering.py), with align_to_words as it is by default.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/buffer.h"
#include "base/error.h"
#include "session/session.h"
#include "tasks/documents.h"

namespace kinglet {

// Belongs to a session; nothing allocates after `create`.
class AnswerFinder {
 public:
  // `top_k`: the most answers per question. OUT_OF_MEMORY.
  kinglet_status create(const Session& session, const Documents& documents, uint32_t top_k, Error& error);
  size_t memory() const;

  // Answers the questions of a call; see kinglet_answer. `options` has every default filled in but for max_length and
  // stride, which may be 0.
  kinglet_status run(Session& session, Documents& documents, const kinglet_input* inputs, size_t count,
                     const kinglet_answer_options& options, Error& error);
  // The answers to input `index` of the last run; false when there is no such input.
  bool answers(size_t index, const kinglet_answer_span** out, size_t* count) const;

 private:
  // A pair of tokens of a window, by place in allowed_.
  struct Pair {
    float score = 0;
    uint32_t start = 0, end = 0;
  };
  // A text that answers, with the sum of its scores in all windows.
  struct Candidate {
    double score = 0;
    kinglet_span span = {};
    uint32_t bucket = 0;
    uint32_t next = 0;  // in its bucket; index + 1
  };

  kinglet_status read_window(const Session& session, const Documents& documents, const Window& window,
                             uint32_t sequence, const kinglet_answer_options& options, std::string_view context,
                             Error& error);
  void choose_pairs(uint32_t count, uint32_t wanted, uint32_t max_answer_tokens);
  kinglet_span align(const Documents& documents, const Window& window, uint32_t start, uint32_t end) const;
  bool add_candidate(std::string_view context, kinglet_span span, double score);
  void forget_candidates();
  void finish(const Session& session, std::string_view context, const kinglet_answer_options& options);

  // Of a window: the tokens that may be part of an answer (and tokens that stand for none), ascending.
  Buffer<uint32_t> allowed_;  // their places in the window
  Buffer<float> start_, end_;
  Buffer<Pair> pairs_;
  uint32_t pair_count_ = 0;
  // Of a question.
  Buffer<Candidate> candidates_;
  Buffer<uint32_t> buckets_;  // index + 1 of the first candidate
  uint32_t candidate_count_ = 0;
  double no_answer_ = 0;
  Buffer<kinglet_answer_span> answers_;
  Buffer<uint32_t> begin_;  // where the answers to each question begin
  uint32_t answer_count_ = 0, inputs_ = 0;
};

}  // namespace kinglet
