// Checkpoints converted for a test, and what they are compared with.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "kinglet.h"

namespace kinglet::test {

// Converts a checkpoint folder into `output`.
void convert_checkpoint(const std::filesystem::path& source, const std::filesystem::path& output,
                        const std::string& precision);

// A model and a session on it; throws std::runtime_error with kinglet's message.
class OpenSession {
 public:
  OpenSession(const std::filesystem::path& file, kinglet_session_options options);
  ~OpenSession();
  OpenSession(const OpenSession&) = delete;
  OpenSession& operator=(const OpenSession&) = delete;

  kinglet_model* model = nullptr;
  kinglet_session* session = nullptr;
  kinglet_model_info info = {};
};

// The inputs refer to the texts: those must outlive them.
inline kinglet_input text_input(std::string_view text) {
  kinglet_input input = {};
  input.text = text.data();
  input.text_length = text.size();
  return input;
}

inline kinglet_input pair_input(std::string_view text, std::string_view pair) {
  kinglet_input input = text_input(text);
  input.pair = pair.data();
  input.pair_length = pair.size();
  return input;
}

// Every raw output of `inputs`, run as one batch: for each input, its outputs one after the other.
std::vector<std::vector<float>> encode_all(OpenSession& session, const std::vector<kinglet_input>& inputs);

double cosine(const float* a, const float* b, size_t size);

}  // namespace kinglet::test
