// Tokens to words to groups, each as the pipeline does it; the names of its functions stand in the comments.
#include "tasks/tagger.h"

#include "base/fp_environment.h"
#include "session/offset_units.h"
#include "tasks/trim.h"

namespace kinglet {
namespace {

// Windows that overlap find an entity more than once before it is merged.
constexpr uint32_t kEntitiesPerToken = 2;

template <typename Number>
uint32_t arg_max(const Number* scores, uint32_t count) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < count; ++i) {
    best = scores[i] > scores[best] ? i : best;
  }
  return best;
}

bool has_prefix(std::string_view name, char letter) { return name.size() >= 2 && name[0] == letter && name[1] == '-'; }

// get_tag: "B-" and "I-" are prefixes; any other name continues as a whole ("U-PER" is a tag of its own).
std::string_view tag_of(std::string_view name) {
  if (has_prefix(name, 'B') || has_prefix(name, 'I')) {
    name.remove_prefix(2);
  }
  return name;
}

size_t characters(std::string_view text) {
  const Source source({}, text);
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    decode(source, text.size(), at);
  }
  return count;
}

// Of the part that a span stands for.
size_t characters(std::string_view text, kinglet_span span) {
  return characters(part_of(text, span));
}

}  // namespace

kinglet_status Tagger::create(const Session& session, const Documents& documents, Error& error) {
  table_ = &session.model().table();
  labels_ = session.plan().task_output(0).width;
  const bool fits = scores_.allocate(labels_) && sums_.allocate(labels_) &&
                    entities_.allocate(size_t{documents.capacity()} * kEntitiesPerToken) &&
                    begin_.allocate(session.batch() + 1);
  return fits ? KINGLET_OK : fail(error, KINGLET_OUT_OF_MEMORY, "no memory for the entities of a tagger");
}

size_t Tagger::memory() const { return scores_.bytes() + sums_.bytes() + entities_.bytes() + begin_.bytes(); }

kinglet_status Tagger::run(Session& session, Documents& documents, const kinglet_input* inputs, size_t count,
                           const kinglet_tag_options& options, uint8_t* truncated, Error& error) {
  inputs_ = entity_count_ = 0;
  full_ = false;
  aggregation_ = options.aggregation;
  for (size_t i = 0; inputs != nullptr && i < count; ++i) {
    if (inputs[i].pair != nullptr) {
      return fail(error, KINGLET_INVALID_ARGUMENT, "input %zu: a pair of texts, expected one text", i);
    }
  }
  const uint32_t cut = options.windows != 0 ? 0 : session.max_length();
  KINGLET_TRY(documents.load(session, inputs, count, Documents::Body::text, false, cut, truncated, error));
  const FpEnvironment environment;
  bool single = true;  // the document has one window
  begin_[0] = 0;
  KINGLET_TRY(documents.run(
      session, {session.max_length(), options.windows != 0 ? options.stride : 0, false}, error,
      [&](const Window& window, uint32_t sequence) -> kinglet_status {
        const std::string_view text(inputs[window.document].text, inputs[window.document].text_length);
        KINGLET_TRY(tag_window(session, documents, window, sequence, text, error));
        single = single && window.last;
        if (window.last) {
          const uint32_t first = begin_[window.document];
          if (!single) {
            merge_windows(text, first);
          }
          finish(session, text, first);
          begin_[window.document + 1] = entity_count_;
          single = true;
        }
        return KINGLET_OK;
      }));
  inputs_ = documents.size();
  return KINGLET_OK;
}

bool Tagger::entities(size_t index, const kinglet_entity** out, size_t* count) const {
  if (index >= inputs_) {
    return false;
  }
  *out = entities_.data() + begin_[index];
  *count = begin_[index + 1] - begin_[index];
  return true;
}

// postprocess for one window: gather_pre_entities and aggregate.
kinglet_status Tagger::tag_window(const Session& session, const Documents& documents, const Window& window,
                                  uint32_t sequence, std::string_view text, Error& error) {
  const uint32_t prefix = documents[window.document].body_begin - documents[window.document].begin;
  word_.open = group_.open = false;
  for (uint32_t token = window.begin; token < window.end; ++token) {
    const kinglet_span span = documents.span(token);
    if (span.begin == KINGLET_NO_OFFSET) {
      continue;
    }
    const float* logits = session.token_row(0, sequence, prefix + (token - window.begin));
    if (!session.all_finite(logits, labels_)) {
      return fail(error, KINGLET_NON_FINITE, "an output is infinite or not a number: the weights are too large");
    }
    kernels::softmax_f32(logits, labels_, scores_.data());
    if (aggregation_ == KINGLET_AGGREGATION_SIMPLE) {
      const uint32_t best = arg_max(scores_.data(), labels_);
      add_unit({best, scores_[best], span});
      continue;
    }
    if (!word_.open || !continues_word(session.model(), documents.id(token), span, text)) {
      end_word();
      word_ = {true, {}, 0};
      word_.unit.span = span;
    }
    add_token(span);
  }
  end_word();
  end_group();
  return full_ ? fail(error, KINGLET_TOO_LONG, "more than %zu entities: overlap windows less, or raise document_tokens",
                      entities_.size())
               : KINGLET_OK;
}

// is_subword. The fallback for tokenizers without marked pieces looks at the character before the token and at its
// first one.
bool Tagger::continues_word(const Model& model, int32_t id, kinglet_span span, std::string_view text) const {
  const fmt::SpecialTokens* special = table_->special_tokens();
  if (special != nullptr && special->unknown() == id) {
    return false;
  }
  if (special != nullptr && special->marked_pieces()) {
    return characters(model.tokenizer().token(id)) != characters(text, span);
  }
  return span.begin > 0 && text[span.begin - 1] != ' ' && !(span.begin < text.size() && text[span.begin] == ' ');
}

// aggregate_word, token by token.
void Tagger::add_token(kinglet_span span) {
  word_.unit.span.end = span.end;
  if (aggregation_ == KINGLET_AGGREGATION_AVERAGE) {
    for (uint32_t i = 0; i < labels_; ++i) {
      sums_[i] = (word_.tokens == 0 ? 0.0 : sums_[i]) + double{scores_[i]};
    }
  } else {
    const uint32_t best = arg_max(scores_.data(), labels_);
    if (word_.tokens == 0 || (aggregation_ == KINGLET_AGGREGATION_MAX && scores_[best] > word_.unit.score)) {
      word_.unit.label = best;
      word_.unit.score = scores_[best];
    }
  }
  ++word_.tokens;
}

void Tagger::end_word() {
  if (!word_.open) {
    return;
  }
  word_.open = false;
  if (aggregation_ == KINGLET_AGGREGATION_AVERAGE) {
    word_.unit.label = arg_max(sums_.data(), labels_);
    word_.unit.score = static_cast<float>(sums_[word_.unit.label] / word_.tokens);
  }
  add_unit(word_.unit);
}

std::string_view Tagger::label(uint32_t index) const {
  const auto* labels = table_->labels();
  return labels != nullptr && index < labels->size() ? labels->Get(index)->string_view() : std::string_view();
}

bool Tagger::same_tag(uint32_t a, uint32_t b) const {
  const bool named = table_->labels() != nullptr && table_->labels()->size() != 0;
  return a == b || (named && tag_of(label(a)) == tag_of(label(b)));
}

// group_entities
void Tagger::add_unit(const Unit& unit) {
  if (!group_.open || !same_tag(unit.label, group_.last_label) || has_prefix(label(unit.label), 'B')) {
    end_group();
    group_ = {true, unit.label, unit.label, unit.span, 0, 0};
  }
  group_.last_label = unit.label;
  group_.span.end = unit.span.end;
  group_.score += double{unit.score};
  ++group_.units;
}

// group_sub_entities, and the filter of ignore_labels.
void Tagger::end_group() {
  if (!group_.open) {
    return;
  }
  group_.open = false;
  std::string_view shown = label(group_.first_label);
  if (const size_t hyphen = shown.find('-'); hyphen != std::string_view::npos) {
    shown.remove_prefix(hyphen + 1);
  }
  if (shown == "O") {
    return;
  }
  if (entity_count_ == entities_.size()) {
    full_ = true;
    return;
  }
  kinglet_entity& entity = entities_[entity_count_++];
  entity.span = group_.span;
  entity.score = static_cast<float>(group_.score / group_.units);
  entity.label_index = group_.first_label;
  // The end of a string of the file, so that a 0 follows.
  entity.label = table_->labels() != nullptr && table_->labels()->size() != 0 ? shown.data() : nullptr;
}

// aggregate_overlapping_entities. Those of a window are in order and overlap with few of those before them: insertion
// is the sort.
void Tagger::merge_windows(std::string_view text, uint32_t first) {
  for (uint32_t i = first + 1; i < entity_count_; ++i) {
    const kinglet_entity entity = entities_[i];
    uint32_t at = i;
    for (; at > first && entities_[at - 1].span.begin > entity.span.begin; --at) {
      entities_[at] = entities_[at - 1];
    }
    entities_[at] = entity;
  }
  if (first == entity_count_) {
    return;
  }
  uint32_t kept = first;  // the entity that the next ones are compared with
  for (uint32_t i = first + 1; i < entity_count_; ++i) {
    const kinglet_entity entity = entities_[i], previous = entities_[kept];
    if (entity.span.begin < previous.span.end) {
      const size_t length = characters(text, entity.span), previous_length = characters(text, previous.span);
      if (length > previous_length || (length == previous_length && entity.score > previous.score)) {
        entities_[kept] = entity;
      }
    } else {
      entities_[++kept] = entity;
    }
  }
  entity_count_ = kept + 1;
}

// White space, and the unit of offsets.
void Tagger::finish(const Session& session, std::string_view text, uint32_t first) {
  for (uint32_t i = first; i < entity_count_; ++i) {
    entities_[i].span = trim(text, entities_[i].span);
  }
  if (first < entity_count_) {
    convert_offsets(session.offset_unit(), text, &entities_[first].span, entity_count_ - first,
                    sizeof(kinglet_entity));
  }
}

}  // namespace kinglet
