// eval for taggers and for models that answer questions.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "kinglet.hpp"

namespace kinglet::cli {

// Fractions.
struct SpanFigures {
  size_t count = 0;      // sentences, or questions
  size_t truncated = 0;  // sentences that were cut
  double accuracy = 0;   // tags of words
  double precision = 0, recall = 0;  // entities
  double exact_match = 0;            // answers
  double f1 = 0;                     // entities, or words of answers
};

// Tags the sentences of a CoNLL file, each word by its first token, on a session made with raw outputs. Words that were
// cut are O. Throws convert::Error for the file, InputError for a sentence that cannot be computed.
SpanFigures measure_tags(const Model& model, Session& session, const std::filesystem::path& data, uint32_t max_length,
                         uint32_t batch);

// Answers the questions of a SQuAD file; "there is no answer" competes where some question of the file has none.
SpanFigures measure_answers(Session& session, const std::filesystem::path& data, uint32_t batch);

}  // namespace kinglet::cli
