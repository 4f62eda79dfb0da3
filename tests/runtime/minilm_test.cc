// The real all-MiniLM-L6-v2 against recorded embeddings of transformers 4.57.3.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/checkpoints.h"
#include "support/paths.h"
#include "support/temporary.h"

using namespace kinglet::test;

namespace {

struct Similarity {
  double least = 1, mean = 0;
};

Similarity compare(const std::filesystem::path& checkpoint, const nlohmann::json& expected, const char* precision) {
  const TemporaryFolder folder;
  convert_checkpoint(checkpoint, folder / "model.kgl", precision);
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  options.batch = 7;
  OpenSession open(folder / "model.kgl", options);
  REQUIRE(open.info.embedding_size == 384);
  std::vector<std::string> texts;
  std::vector<kinglet_input> inputs;
  for (const auto& entry : expected["cases"]) {
    texts.push_back(entry["text"]);
  }
  for (const std::string& text : texts) {
    inputs.push_back(text_input(text));
  }
  std::vector<float> embeddings(texts.size() * 384);
  REQUIRE(kinglet_embed(open.session, inputs.data(), inputs.size(), embeddings.data(), nullptr) == KINGLET_OK);
  Similarity similarity;
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::vector<float> reference = expected["cases"][i]["embedding"];
    const double c = cosine(reference.data(), &embeddings[i * 384], 384);
    similarity.least = std::min(similarity.least, c);
    similarity.mean += c / static_cast<double>(texts.size());
  }
  return similarity;
}

}  // namespace

TEST_CASE("embeddings of all-MiniLM-L6-v2") {
  if (!minilm_folder() || !shared_folder()) {
    skipped("embeddings of all-MiniLM-L6-v2", "KINGLET_MINILM or KINGLET_SHARED is missing");
    return;
  }
  std::ifstream in(*shared_folder() / "models" / "all-MiniLM-L6-v2" / "expected.json");
  const nlohmann::json expected = nlohmann::json::parse(in);
  const Similarity fp32 = compare(*minilm_folder(), expected, "fp32");
  CHECK(fp32.least >= 0.999999);
  const Similarity int8 = compare(*minilm_folder(), expected, "int8");
  CHECK(int8.mean >= 0.998);
  std::printf("cosine to the recorded embeddings: fp32 at least %.8f; int8 mean %.6f, at least %.6f\n", fp32.least,
              int8.mean, int8.least);
}
