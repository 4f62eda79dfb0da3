// The pipeline's functions in its order; their names stand in the comments. What differs: pairs with score 0 are no
// answers (the pipeline lists them, reversed ones too, when there are not enough others), nor are spans that touch a
// "no answer" token inside the question.
#include "tasks/answer_finder.h"

#include "base/fp_environment.h"
#include "session/offset_units.h"
#include "tasks/lowercase.h"
#include "tasks/trim.h"

namespace kinglet {
namespace {

constexpr uint32_t kDefaultLength = 384, kDefaultStride = 128;
constexpr double kNoScore = 1000000;  // min_null_score before the first window

// The pairs of a window that are looked at: words may make several of them the same text.
uint32_t pairs_for(uint32_t top_k) { return 2 * top_k + 10; }

}  // namespace

kinglet_status AnswerFinder::create(const Session& session, const Documents& documents, uint32_t top_k, Error& error) {
  uint32_t buckets = 16;
  while (buckets < documents.capacity()) {
    buckets *= 2;
  }
  const bool fits = allowed_.allocate(session.max_length()) && start_.allocate(session.max_length()) &&
                    end_.allocate(session.max_length()) && pairs_.allocate(pairs_for(top_k)) &&
                    candidates_.allocate(documents.capacity()) && buckets_.allocate(buckets) &&
                    answers_.allocate(size_t{session.batch()} * top_k) && begin_.allocate(session.batch() + 1);
  return fits ? KINGLET_OK : fail(error, KINGLET_OUT_OF_MEMORY, "no memory for %u answers to a question", top_k);
}

size_t AnswerFinder::memory() const {
  return allowed_.bytes() + start_.bytes() + end_.bytes() + pairs_.bytes() + candidates_.bytes() + buckets_.bytes() +
         answers_.bytes() + begin_.bytes();
}

kinglet_status AnswerFinder::run(Session& session, Documents& documents, const kinglet_input* inputs, size_t count,
                                 const kinglet_answer_options& options, Error& error) {
  inputs_ = answer_count_ = 0;
  forget_candidates();  // of a call that failed
  KINGLET_TRY(documents.load(session, inputs, count, Documents::Body::pair, false, 0, nullptr, error));
  Windowing windowing;
  windowing.max_length = options.max_length != 0                  ? options.max_length
                         : session.max_length() < kDefaultLength ? session.max_length()
                                                                 : kDefaultLength;
  windowing.fit_stride = options.stride == 0;
  const uint32_t half = windowing.max_length / 2;
  windowing.stride = options.stride != 0 ? options.stride : half < kDefaultStride ? half : kDefaultStride;
  const FpEnvironment environment;
  begin_[0] = 0;
  KINGLET_TRY(documents.run(session, windowing, error, [&](const Window& window, uint32_t sequence) -> kinglet_status {
    const kinglet_input& input = inputs[window.document];
    const std::string_view context(input.pair, input.pair_length);
    KINGLET_TRY(read_window(session, documents, window, sequence, options, context, error));
    if (window.last) {
      finish(session, context, options);
      begin_[window.document + 1] = answer_count_;
    }
    return KINGLET_OK;
  }));
  inputs_ = documents.size();
  return KINGLET_OK;
}

bool AnswerFinder::answers(size_t index, const kinglet_answer_span** out, size_t* count) const {
  if (index >= inputs_) {
    return false;
  }
  *out = answers_.data() + begin_[index];
  *count = begin_[index + 1] - begin_[index];
  return true;
}

// select_starts_ends
kinglet_status AnswerFinder::read_window(const Session& session, const Documents& documents, const Window& window,
                                         uint32_t sequence, const kinglet_answer_options& options,
                                         std::string_view context, Error& error) {
  const fmt::SpecialTokens* special = session.model().table().special_tokens();
  const int32_t cls = special != nullptr ? special->cls() : -1;
  const uint32_t length = documents.length_of(window);
  const uint32_t prefix = documents[window.document].body_begin - documents[window.document].begin;
  const uint32_t body = window.end - window.begin;
  uint32_t count = 0;
  for (uint32_t at = 0; at < length; ++at) {
    const bool in_context = at >= prefix && at - prefix < body;
    if (!in_context && documents.id(documents.token_of(window, at)) != cls) {
      continue;
    }
    start_[count] = *session.token_row(0, sequence, at);
    end_[count] = *session.token_row(1, sequence, at);
    allowed_[count++] = at;
  }
  if (count == 0) {
    const double uniform = 1.0 / length;  // all tokens are masked alike
    no_answer_ = uniform * uniform < no_answer_ ? uniform * uniform : no_answer_;
    return KINGLET_OK;
  }
  if (!session.all_finite(start_.data(), count) || !session.all_finite(end_.data(), count)) {
    return fail(error, KINGLET_NON_FINITE, "an output is infinite or not a number: the weights are too large");
  }
  kernels::softmax_f32(start_.data(), count, start_.data());
  kernels::softmax_f32(end_.data(), count, end_.data());
  // The first token, which stands for "no answer" where it is one of the tokens chosen here; else its score is 0.
  const double none = allowed_[0] == 0 ? double{start_[0] * end_[0]} : 0.0;
  no_answer_ = none < no_answer_ ? none : no_answer_;
  for (uint32_t i = 0; i < count; ++i) {
    const bool in_context = allowed_[i] >= prefix && allowed_[i] - prefix < body;
    if (allowed_[i] == 0 || !in_context) {
      start_[i] = end_[i] = 0;
    }
  }
  choose_pairs(count, pairs_for(options.top_k), options.max_answer_tokens);
  for (uint32_t i = 0; i < pair_count_; ++i) {
    const Pair& pair = pairs_[i];
    const uint32_t first = window.begin + (allowed_[pair.start] - prefix);
    const uint32_t last = window.begin + (allowed_[pair.end] - prefix);
    const kinglet_span span = align(documents, window, first, last);
    if (!add_candidate(context, span, double{pair.score})) {
      return fail(error, KINGLET_TOO_LONG,
                  "input %u: more than %zu different answers: lower top_k or stride, or raise document_tokens",
                  window.document, candidates_.size());
    }
  }
  return KINGLET_OK;
}

// decode_spans: the best pairs that are in order and not too far apart. Equal ones keep their order.
void AnswerFinder::choose_pairs(uint32_t count, uint32_t wanted, uint32_t max_answer_tokens) {
  pair_count_ = 0;
  for (uint32_t s = 0; s < count; ++s) {
    for (uint32_t e = s; e < count && allowed_[e] - allowed_[s] < max_answer_tokens; ++e) {
      const float score = start_[s] * end_[e];
      if (!(score > 0) || (pair_count_ == wanted && !(score > pairs_[wanted - 1].score))) {
        continue;
      }
      uint32_t at = pair_count_ < wanted ? pair_count_++ : wanted - 1;
      for (; at > 0 && pairs_[at - 1].score < score; --at) {
        pairs_[at] = pairs_[at - 1];
      }
      pairs_[at] = {score, s, e};
    }
  }
}

// get_indices: from the beginning of the first token's word to the end of the last one's, as far as the window has
// them. `start` and `end` are places in the documents' arrays.
kinglet_span AnswerFinder::align(const Documents& documents, const Window& window, uint32_t start, uint32_t end) const {
  if (documents.word(start) != kNoWord && documents.word(end) != kNoWord) {
    while (start > window.begin && documents.word(start - 1) == documents.word(start)) {
      --start;
    }
    while (end + 1 < window.end && documents.word(end + 1) == documents.word(end)) {
      ++end;
    }
  }
  return {documents.span(start).begin, documents.span(end).end};
}

// get_answer: false when there is no room for one more text.
bool AnswerFinder::add_candidate(std::string_view context, kinglet_span span, double score) {
  const std::string_view text = part_of(context, span);
  const auto bucket = static_cast<uint32_t>(hash_lowercase(text) & (buckets_.size() - 1));
  for (uint32_t i = buckets_[bucket]; i != 0; i = candidates_[i - 1].next) {
    if (equal_lowercase(part_of(context, candidates_[i - 1].span), text)) {
      candidates_[i - 1].score += score;
      return true;
    }
  }
  if (candidate_count_ == candidates_.size()) {
    return false;
  }
  candidates_[candidate_count_++] = {score, span, bucket, buckets_[bucket]};
  buckets_[bucket] = candidate_count_;
  return true;
}

void AnswerFinder::forget_candidates() {
  for (uint32_t i = 0; i < candidate_count_; ++i) {
    buckets_[candidates_[i].bucket] = 0;
  }
  candidate_count_ = 0;
  no_answer_ = kNoScore;
}

// The best texts of a question, "none" among them where it competes.
void AnswerFinder::finish(const Session& session, std::string_view context, const kinglet_answer_options& options) {
  const uint32_t first = answer_count_;
  double previous = 0;  // the last answer's score, and its place among the candidates
  uint32_t previous_index = 0;
  const uint32_t total = candidate_count_ + (options.no_answer != 0 ? 1 : 0);
  const auto score_of = [&](uint32_t i) { return i < candidate_count_ ? candidates_[i].score : no_answer_; };
  for (uint32_t rank = 0; rank < options.top_k && rank < total; ++rank) {
    uint32_t best = kNone;
    for (uint32_t i = 0; i < total; ++i) {
      const bool behind = rank == 0 || score_of(i) < previous || (score_of(i) == previous && i > previous_index);
      if (behind && (best == kNone || score_of(i) > score_of(best))) {
        best = i;
      }
    }
    kinglet_answer_span& answer = answers_[answer_count_++];
    answer.span = best < candidate_count_ ? trim(context, candidates_[best].span) : kinglet_span{0, 0};
    answer.score = static_cast<float>(score_of(best));
    previous = score_of(best);
    previous_index = best;
  }
  if (first < answer_count_) {
    convert_offsets(session.offset_unit(), context, &answers_[first].span, answer_count_ - first,
                    sizeof(kinglet_answer_span));
  }
  forget_candidates();
}

}  // namespace kinglet
