// Runs a model on threads that share blocks, and compares bits with one thread that does not. What a row costs is set
// so low that small models share theirs too.
#pragma once

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "session/session.h"

namespace kinglet::test {

// `sequences` sequences that together have `tokens` tokens, each at least one.
inline std::vector<std::vector<int32_t>> random_ids(uint32_t sequences, uint32_t tokens, uint32_t vocabulary) {
  std::vector<std::vector<int32_t>> ids(sequences);
  uint32_t state = tokens;
  for (uint32_t i = 0; i < tokens; ++i) {
    state = state * 1664525 + 1013904223;
    ids[i % sequences].push_back(static_cast<int32_t>((state >> 8) % vocabulary));
  }
  return ids;
}

// All raw outputs, one after the other. `shared_stages`: how many stages threads shared blocks of.
inline std::vector<float> outputs_of(const Model& model, uint32_t threads,
                                     const std::vector<std::vector<int32_t>>& batch,
                                     uint32_t* shared_stages = nullptr) {
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  options.threads = threads;
  options.batch = static_cast<uint32_t>(batch.size());
  options.raw_outputs = 1;
  Session session;
  Error error;
  REQUIRE_MESSAGE(session.create(model, options, error, 1) == KINGLET_OK, error.message);
  uint32_t tokens = 0;
  for (size_t i = 0; i < batch.size(); ++i) {
    kinglet_input input = {};
    input.ids = batch[i].data();
    input.id_count = batch[i].size();
    bool truncated = false;
    REQUIRE_MESSAGE(session.add(input, {}, i, &truncated, error) == KINGLET_OK, error.message);
    tokens += static_cast<uint32_t>(batch[i].size());
  }
  REQUIRE_MESSAGE(session.run(error) == KINGLET_OK, error.message);
  for (uint32_t i = 0; shared_stages != nullptr && i < session.plan().stage_count(); ++i) {
    const Stage& stage = session.plan().stages()[i];
    const bool of_tokens = stage.extent == fmt::Extent::tokens;
    *shared_stages += stage.kind == StageKind::rows && (of_tokens ? tokens : batch.size()) <= stage.shared_rows;
  }
  std::vector<float> all;
  for (size_t i = 0; i < batch.size(); ++i) {
    for (uint32_t j = 0; j < session.plan().outputs().size(); ++j) {
      kinglet_output view = {};
      REQUIRE_MESSAGE(session.output(i, j, &view, error) == KINGLET_OK, error.message);
      size_t count = 1;
      for (uint32_t k = 0; k < view.rank; ++k) {
        count *= view.shape[k];
      }
      all.insert(all.end(), view.data, view.data + count);
    }
  }
  return all;
}

// For batches of 1 and 3 sequences that together have so many tokens.
inline void check_shared(const Model& model, const std::vector<uint32_t>& lengths) {
  const uint32_t vocabulary = model.table().vocabulary();
  for (const uint32_t length : lengths) {
    for (const uint32_t sequences : {1u, 3u}) {
      if (length < sequences) {
        continue;
      }
      const auto batch = random_ids(sequences, length, vocabulary);
      const std::vector<float> alone = outputs_of(model, 1, batch);
      for (const uint32_t threads : {2u, 3u, 7u}) {
        CAPTURE(length);
        CAPTURE(sequences);
        CAPTURE(threads);
        uint32_t shared_stages = 0;
        const std::vector<float> together = outputs_of(model, threads, batch, &shared_stages);
        CHECK(shared_stages > 0);
        REQUIRE(together.size() == alone.size());
        CHECK(std::memcmp(together.data(), alone.data(), alone.size() * sizeof(float)) == 0);
      }
    }
  }
}

}  // namespace kinglet::test
