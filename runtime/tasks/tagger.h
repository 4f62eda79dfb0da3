// Entities from the label scores of tokens: TokenClassificationPipeline of transformers 4.57.3
// (pipelines/token_classification.py).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/buffer.h"
#include "base/error.h"
#include "session/session.h"
#include "tasks/documents.h"

namespace kinglet {

// Belongs to a session; nothing allocates after `create`.
class Tagger {
 public:
  // OUT_OF_MEMORY. `documents` says how many entities there can be.
  kinglet_status create(const Session& session, const Documents& documents, Error& error);
  size_t memory() const;

  // Tags the inputs of a call; see kinglet_tag. `options` is complete.
  kinglet_status run(Session& session, Documents& documents, const kinglet_input* inputs, size_t count,
                     const kinglet_tag_options& options, uint8_t* truncated, Error& error);
  // The entities of input `index` of the last run; false when there is no such input.
  bool entities(size_t index, const kinglet_entity** out, size_t* count) const;

 private:
  // A token or a word with the label that it got, in bytes of the text.
  struct Unit {
    uint32_t label = 0;
    float score = 0;
    kinglet_span span = {};
  };
  struct Group {
    bool open = false;
    uint32_t first_label = 0, last_label = 0;
    kinglet_span span = {};
    double score = 0;
    uint32_t units = 0;
  };
  struct Word {
    bool open = false;
    Unit unit;
    uint32_t tokens = 0;
  };

  kinglet_status tag_window(const Session& session, const Documents& documents, const Window& window,
                            uint32_t sequence, std::string_view text, Error& error);
  bool continues_word(const Model& model, int32_t id, kinglet_span span, std::string_view text) const;
  void add_token(kinglet_span span);
  void end_word();
  void add_unit(const Unit& unit);
  void end_group();
  bool same_tag(uint32_t a, uint32_t b) const;
  std::string_view label(uint32_t index) const;
  void merge_windows(std::string_view text, uint32_t first);
  void finish(const Session& session, std::string_view text, uint32_t first);

  const fmt::Model* table_ = nullptr;
  kinglet_aggregation aggregation_ = KINGLET_AGGREGATION_SIMPLE;
  uint32_t labels_ = 0;
  Buffer<float> scores_;   // of the token at hand
  Buffer<double> sums_;    // of the word's tokens
  Buffer<kinglet_entity> entities_;
  uint32_t entity_count_ = 0;
  bool full_ = false;
  Buffer<uint32_t> begin_;  // where the entities of each input begin
  uint32_t inputs_ = 0;
  Group group_;
  Word word_;
};

}  // namespace kinglet
