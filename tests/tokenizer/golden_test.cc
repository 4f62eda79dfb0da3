// Recorded tokenizations of Hugging Face: ids, type ids and byte offsets must be equal.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "compiled.h"
#include "support/paths.h"

using namespace kinglet;
using namespace kinglet::test;
namespace fs = std::filesystem;

namespace {

std::vector<kinglet_span> spans(const nlohmann::json& offsets) {
  std::vector<kinglet_span> result;
  for (const auto& offset : offsets) {
    result.push_back(offset.is_null() ? kinglet_span{KINGLET_NO_OFFSET, KINGLET_NO_OFFSET}
                                      : kinglet_span{offset[0].get<uint32_t>(), offset[1].get<uint32_t>()});
  }
  return result;
}

bool equal(const std::vector<kinglet_span>& a, const std::vector<kinglet_span>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const kinglet_span& x, const kinglet_span& y) { return x.begin == y.begin && x.end == y.end; });
}

// Compares every line, and returns how many there were.
size_t check(const fs::path& recording, const fs::path& tokenizer) {
  const Compiled compiled(tokenizer);
  std::ifstream stream(recording);
  REQUIRE_MESSAGE(stream.good(), recording.string());
  size_t lines = 0;
  for (std::string line; std::getline(stream, line); ++lines) {
    const auto want = nlohmann::json::parse(line);
    const std::string text = want["text"];
    const std::string pair = want.value("pair", "");
    const std::string_view second = pair;
    const size_t max_length = want.value("max_length", size_t{0});
    const Tokens got = compiled.encode(text, want.contains("pair") ? &second : nullptr, max_length);
    INFO(recording.string(), " line ", lines + 1);
    CHECK(got.ids == want["ids"].get<std::vector<int32_t>>());
    if (want.contains("type_ids")) {
      CHECK(got.type_ids == want["type_ids"].get<std::vector<int32_t>>());
    }
    CHECK(equal(got.offsets, spans(want["offsets"])));
  }
  return lines;
}

}  // namespace

TEST_CASE("recordings in the repository") {
  const fs::path folder = data_folder() / "tokens";
  for (const char* name : {"all-MiniLM-L6-v2", "wordpiece-cased-ko"}) {
    CHECK(check(folder / (std::string(name) + ".jsonl"), folder / name) > 100);
  }
  // Made and recorded by make_bpe.py.
  for (const char* name : {"bpe-llama-normalized", "bpe-xlmr"}) {
    CHECK(check(folder / (std::string(name) + ".jsonl"), folder / name) > 20);
  }
}

TEST_CASE("all recordings") {
  const auto shared = shared_folder();
  if (!shared) {
    skipped("all tokenizer recordings", "there is no folder KINGLET_SHARED");
    return;
  }
  const fs::path models = *shared / "models";
  CHECK(check(models / "tokens/wordpiece-cased-ko.jsonl", models / "tiny/bert-mlm-ko-cased") == 1132);
  CHECK(check(models / "tokens/wordpiece-mpnet.jsonl", models / "tiny/mpnet") == 1132);
  CHECK(check(models / "tokens/byte-bpe-roberta.jsonl", models / "tiny/roberta-seqcls") == 1132);
  CHECK(check(models / "tokens/byte-bpe-roberta.jsonl", models / "tiny/roberta-mlm") == 1132);  // raw files
  CHECK(check(models / "tokens/byte-bpe-roberta.jsonl", models / "tiny/roberta-mlm-v5") == 1132);
  CHECK(check(models / "tokens/byte-bpe-modernbert.jsonl", models / "tiny/modernbert-mlm") == 1132);
  CHECK(check(models / "tokens/byte-bpe-modernbert.jsonl", models / "tiny/modernbert-seqcls-v5") == 1132);
  CHECK(check(models / "tokens/unigram-albert.jsonl", models / "tiny/albert-qa") == 1132);
  CHECK(check(models / "tokens/unigram-albert.jsonl", models / "tiny/albert-seqcls") == 1132);  // raw file
  CHECK(check(models / "tokens/unigram-xlmr.jsonl", models / "tiny/xlmr-mlm") == 1132);
  CHECK(check(models / "tokens/unigram-xlmr.jsonl", models / "tiny/xlmr-seqcls") == 1132);  // raw file
  CHECK(check(models / "tokens/unigram-deberta-v3.jsonl", models / "tiny/deberta-v3-seqcls") == 1132);
  CHECK(check(models / "tokens/unigram-deberta-v3.jsonl", models / "tiny/deberta-v3-ner") == 1132);  // raw file
  CHECK(check(models / "tokens/unigram-camembert.jsonl", models / "tiny/camembert-mlm") == 1132);
  CHECK(check(models / "tokens/all-MiniLM-L6-v2.jsonl", models / "minilm-sst2") == 1132);    // vocab.txt only
  CHECK(check(models / "tokens/all-MiniLM-L6-v2.jsonl", models / "minilm-agnews") == 1132);  // tokenizer.json only
}

TEST_CASE("the texts of every small checkpoint") {
  const auto shared = shared_folder();
  if (!shared) {
    skipped("texts of small checkpoints", "there is no folder KINGLET_SHARED");
    return;
  }
  size_t folders = 0;
  for (const auto& entry : fs::directory_iterator(*shared / "models/tiny")) {
    std::ifstream stream(entry.path() / "expected.json");
    // xlm-seqcls has ids only.
    if (!stream.good() || entry.path().filename() == "xlm-seqcls") {
      continue;
    }
    INFO(entry.path().string());
    const auto expected = nlohmann::json::parse(stream);
    std::unique_ptr<Compiled> compiled;
    try {
      compiled = std::make_unique<Compiled>(entry.path());
    } catch (const std::exception& error) {
      FAIL_CHECK(error.what());
      continue;
    }
    ++folders;
    for (const auto& want : expected["cases"]) {
      const std::string text = want["text"], pair = want.value("pair", "");
      const std::string_view second = pair;
      const Tokens got =
          compiled->encode(text, want.contains("pair") ? &second : nullptr, expected.value("max_length", 0));
      CHECK(got.ids == want["ids"].get<std::vector<int32_t>>());
      // This folder's tokenizer.json splits at white space, so that a marker has the range of the first letter;
      // the recording is that of the tokenizer that it was made from, where it has the range of the space.
      if (want.contains("offsets") && entry.path().filename() != "xlmr-seqcls-v5") {
        CHECK(equal(got.offsets, spans(want["offsets"])));
      }
    }
  }
  CHECK(folders >= 50);
}

TEST_CASE("all recordings with the tokenizer of the real checkpoint") {
  const auto shared = shared_folder();
  const auto minilm = minilm_folder();
  if (!shared || !minilm) {
    skipped("recordings of all-MiniLM-L6-v2", "KINGLET_SHARED or KINGLET_MINILM is missing");
    return;
  }
  CHECK(check(*shared / "models/tokens/all-MiniLM-L6-v2.jsonl", *minilm) == 1132);
  CHECK(Compiled(*minilm).bytes().size() < 700000);
}
