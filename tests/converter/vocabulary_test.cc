// Pruned vocabularies: texts whose tokens all stay are what they were, others get no unknown token, rows follow ids.
#include "prune/vocabulary.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <set>

#include "error.h"
#include "fixtures.h"
#include "prune/kept_tokens.h"
#include "support/checkpoints.h"
#include "support/paths.h"
#include "support/temporary.h"
#include "tokenizer/subwords.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;
using convert::CheckpointFolder;

const std::vector<std::string> kLetters = {"a", "b", "c", "d", "é"};

std::string random_text(std::mt19937& random, const std::vector<std::string>& parts) {
  std::string text;
  for (uint32_t i = random() % 12; i-- > 0;) {
    text += parts[random() % parts.size()] + (random() % 4 == 0 ? " " : "");
  }
  return text;
}

Json added(const std::vector<std::string>& contents, uint32_t first) {
  Json tokens = Json::array();
  for (const std::string& content : contents) {
    tokens.push_back({{"id", first++}, {"content", content}, {"special", true}, {"normalized", false}});
  }
  return tokens;
}

// Weights for a tokenizer of this size, and what makes a folder of it.
void write_around(const fs::path& folder, uint32_t vocabulary, const Json& tokenizer) {
  const BertShape shape = {16, 2, 1, 16, vocabulary, 24, 2};
  Tensors tensors = random_bert(shape, 3);
  tensors["cls.predictions.bias"] = {{vocabulary}, std::vector<float>(vocabulary)};
  for (uint32_t i = 0; i < vocabulary; ++i) {
    tensors["cls.predictions.bias"].values[i] = static_cast<float>(i);
  }
  write_bert(folder, shape, tensors, "BertModel");
  write_file(folder / "tokenizer.json", tokenizer.dump());
  write_file(folder / "tokenizer_config.json",
             R"({"tokenizer_class":"PreTrainedTokenizerFast","unk_token":"<unk>","mask_token":"<mask>"})");
  edit_json(folder / "config.json", [](Json& config) {
    config["pad_token_id"] = 1;
    config["eos_token_id"] = {2, 999999};
  });
}

// Special tokens first, then the letters of all bytes, then random merges, some of which make the same token.
void write_bpe(const fs::path& folder, std::mt19937& random) {
  const convert::LoadedTokenizer bytes = make_bpe({});
  Json vocabulary = {{"<s>", 0}, {"<pad>", 1}, {"<unk>", 2}};
  for (const auto& [letter, id] : bytes.tokenizer.vocabulary) {
    vocabulary[letter] = id + 3;
  }
  std::vector<std::string> pool = {"a", "b", "c", "d", "Ġ", "Ã", "©"};
  Json merges = Json::array();
  while (merges.size() < 120) {
    const std::string left = pool[random() % pool.size()], right = pool[random() % pool.size()];
    if (left.size() + right.size() <= 12) {
      merges.push_back(left + " " + right);
      if (!vocabulary.contains(left + right)) {
        vocabulary[left + right] = vocabulary.size();
        pool.push_back(left + right);
      }
    }
  }
  const auto size = static_cast<uint32_t>(vocabulary.size());
  const Json specials = {{"<s>", {{"id", "<s>"}, {"ids", {0}}, {"tokens", {"<s>"}}}}};
  const Json first = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
             a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  Json tokens = added({"<s>", "<pad>", "<unk>"}, 0);
  tokens.push_back(added({"<mask>"}, size)[0]);
  write_around(
      folder, size + 1,
      {{"added_tokens", tokens},
       {"normalizer", nullptr},
       {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}}},
       {"post_processor",
        {{"type", "TemplateProcessing"}, {"single", {first, a}}, {"pair", {first, a}}, {"special_tokens", specials}}},
       {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}}}});
}

// Scores are often equal. With bytes for unknown characters there are pieces of such a character, too, and a piece that
// makes it unlikely to be taken for itself.
void write_unigram(const fs::path& folder, std::mt19937& random, bool bytes) {
  std::vector<std::string> pool = kLetters;
  pool.push_back("▁");
  Json pieces = Json::array();
  for (const char* special : {"<s>", "<pad>", "<unk>"}) {
    pieces.push_back({special, 0});
  }
  std::set<std::string> known;
  const auto add = [&](const std::string& text) {
    if (known.insert(text).second) {
      pieces.push_back({text, -0.5 * static_cast<double>(1 + random() % 20)});
    }
  };
  while (pieces.size() < 150) {
    std::string text;
    for (uint32_t i = 2 + random() % 4; i-- > 0;) {
      text += pool[random() % pool.size()];
    }
    add(text);
  }
  for (const std::string& letter : pool) {
    add(letter);
  }
  for (uint32_t byte = 0; bytes && byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof(text), "<0x%02X>", byte);
    pieces.push_back({text, -3});
  }
  if (bytes) {
    pieces.push_back({"aж", -30});
    pieces.push_back({"жb", -25});
    pieces.push_back({"ддд", -50});
  }
  Json tokens = added({"<s>", "<pad>", "<unk>"}, 0);
  const auto size = static_cast<uint32_t>(pieces.size());
  tokens.push_back(added({"<mask>"}, size)[0]);
  write_around(folder, size + 3,  // two rows have no token
               {{"added_tokens", tokens},
                {"normalizer", nullptr},
                {"pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}}},
                {"post_processor", nullptr},
                {"model", {{"type", "Unigram"}, {"unk_id", 2}, {"byte_fallback", bytes}, {"vocab", pieces}}}});
}

std::map<std::string, convert::Tensor> tensors_of(const CheckpointFolder& folder) {
  std::map<std::string, convert::Tensor> tensors;
  for (const convert::Tensor& tensor : folder.tensors) {
    tensors[tensor.name] = tensor;
  }
  return tensors;
}

std::vector<std::string> tokens_of(const Compiled& compiled, const std::string& text) {
  std::vector<std::string> tokens;
  for (const int32_t id : compiled.encode(text).ids) {
    tokens.emplace_back(compiled.tokenizer().token(id));
  }
  return tokens;
}

// Prunes `source` by some random texts and compares before with after; returns how many texts kept all their tokens.
size_t compare(const fs::path& source, const std::vector<std::string>& parts, const std::string& unknown,
               uint64_t min_count, std::mt19937& random) {
  const TemporaryFolder out;
  std::string data = "\n";
  std::vector<std::string> words;  // that stay, if once is enough
  for (uint32_t i = 2 + random() % 10; i-- > 0;) {
    const std::string text = random_text(random, parts);
    data += text + "\n";
    words.push_back(text.substr(0, text.find(' ')));
  }
  write_file(out / "texts.txt", data + "a\n");
  CheckpointFolder folder = convert::read_checkpoint_folder(source);
  const auto result = convert::prune_vocabulary(folder, {out / "texts.txt", min_count, {}});
  convert::write_checkpoint_folder(folder, out / "m");
  CHECK(result.after < result.before);

  const Compiled before(source), after(out / "m");
  CHECK(after.compiled().size() == result.after);
  std::map<std::string, int32_t> new_ids;
  for (uint32_t id = 0; id < result.after; ++id) {
    new_ids[std::string(after.tokenizer().token(static_cast<int32_t>(id)))] = static_cast<int32_t>(id);
  }
  size_t same = 0;
  for (int i = 0; i < 300; ++i) {
    const std::string text = random_text(random, i % 2 == 0 ? parts : words);
    const std::vector<std::string> old = tokens_of(before, text), now = tokens_of(after, text);
    CAPTURE(text);
    const auto stays = [&](const std::string& token) { return new_ids.count(token) != 0; };
    if (std::all_of(old.begin(), old.end(), stays)) {
      CHECK(old == now);
      ++same;
    } else {
      CHECK((std::find(old.begin(), old.end(), unknown) != old.end() ||
             std::find(now.begin(), now.end(), unknown) == now.end()));
    }
  }
  auto old_tensors = tensors_of(convert::read_checkpoint_folder(source));
  auto new_tensors = tensors_of(convert::read_checkpoint_folder(out / "m"));
  REQUIRE(old_tensors.size() == new_tensors.size());
  for (const auto& entry : old_tensors) {
    const std::string& name = entry.first;
    const convert::Tensor& tensor = entry.second;
    const std::vector<float> a = tensor.read_all(), b = new_tensors[name].read_all();
    if (tensor.shape[0] != result.before) {
      CHECK(a == b);
      continue;
    }
    CAPTURE(name);
    const size_t width = tensor.shape.size() == 2 ? tensor.shape[1] : 1;
    REQUIRE(b.size() == result.after * width);
    for (uint32_t id = 0; id < before.compiled().size(); ++id) {
      const auto found = new_ids.find(std::string(before.tokenizer().token(static_cast<int32_t>(id))));
      if (found != new_ids.end()) {
        CHECK(std::equal(a.begin() + static_cast<std::ptrdiff_t>(id * width),
                         a.begin() + static_cast<std::ptrdiff_t>((id + 1) * width),
                         b.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(found->second) * width)));
      }
    }
  }
  return same;
}

TEST_CASE("what must stay: letters and the path of a merged token, single characters and the least score") {
  const convert::LoadedTokenizer bpe = make_bpe({{"a", "b"}, {"d", "e"}, {"ab", "c"}, {"b", "c"}, {"a", "bc"}});
  const auto id = [&](const char* token) { return bpe.tokenizer.vocabulary.at(token); };
  std::vector<bool> keep(bpe.tokenizer.vocabulary.size());
  keep[id("abc")] = true;
  convert::keep_needed(bpe, "here", &keep);
  CHECK(keep[id("ab")]);
  CHECK(keep[id("x")]);
  CHECK(!keep[id("de")]);
  CHECK(!keep[id("bc")]);  // another way to the same token, which no text goes

  const convert::LoadedTokenizer unigram =
      make_unigram({{"<unk>", 0}, {"ab", -4}, {"abb", -50}, {"a", -2}, {"b", -3}});
  keep.assign(5, false);
  convert::keep_needed(unigram, "here", &keep);
  CHECK(keep == std::vector<bool>{true, false, true, true, true});
}

TEST_CASE("kept texts stay and nothing new is unknown: byte-level BPE, Unigram, WordPiece") {
  const uint32_t seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937 random(seed);
  size_t same = 0;
  for (int round = 0; round < (small_scale() ? 1 : 2); ++round) {
    const uint64_t min_count = 1 + random() % 4 / 3;
    {
      const TemporaryFolder source;
      write_bpe(source.path(), random);
      same += compare(source.path(), {"a", "b", "c", "d", "é", "ab", "cd", "<mask>", "ж", "aж"}, "<unk>", min_count,
                      random);
    }
    {
      const TemporaryFolder source;
      write_unigram(source.path(), random, random() % 2 == 0);
      same += compare(source.path(), {"a", "b", "c", "d", "é", "ab", "cd", "<mask>", "ж", "aж"}, "<unk>", min_count,
                      random);
    }
    const std::vector<std::string> parts = {"the", "er", "in",   "s",  "z",  "Q",   "[MASK]",
                                            "é",   ".",  "movi", "es", "一", "\x01"};
    same += compare(data_folder() / "tiny/bert-seqcls", parts, "[UNK]", min_count, random);
  }
  CHECK(same > 50);
}

TEST_CASE("the pruned model computes the same, from tokenizer.json and from vocab.txt alone") {
  const TemporaryFolder work;
  fs::copy(data_folder() / "tiny/bert-seqcls", work / "raw", fs::copy_options::recursive);
  fs::remove(work / "raw/tokenizer.json");
  const std::string text = "the story of a small film", pair = "and another one";
  write_file(work / "data.tsv", "label\tsentence1\tsentence2\n0\t" + text + "\t" + pair + "\n");
  for (const fs::path& source : {data_folder() / "tiny/bert-seqcls", work / "raw"}) {
    CheckpointFolder folder = convert::read_checkpoint_folder(source);
    const auto result = convert::prune_vocabulary(folder, {work / "data.tsv", 1, {}});
    CHECK(folder.config["vocab_size"] == result.after);
    CHECK(result.texts == 2);
    convert::write_checkpoint_folder(folder, work / "m");
    convert_checkpoint(source, work / "before.kgl", "fp32");
    convert_checkpoint(work / "m", work / "after.kgl", "fp32");
    kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
    options.raw_outputs = 1;
    OpenSession before(work / "before.kgl", options), after(work / "after.kgl", options);
    CHECK(encode_all(before, {pair_input(text, pair)}) == encode_all(after, {pair_input(text, pair)}));
  }
}

TEST_CASE("ids in the configuration follow, and those of no token become null") {
  std::mt19937 random(1);
  const TemporaryFolder source;
  write_bpe(source.path(), random);
  edit_json(source / "config.json",
            [](Json& config) { config["mask_token_id"] = config["vocab_size"].get<int>() - 1; });
  write_file(source / "generation_config.json", R"({"eos_token_id":1,"max_length":5})");
  write_file(source / "texts.txt", "a\n");
  CheckpointFolder folder = convert::read_checkpoint_folder(source.path());
  const auto result = convert::prune_vocabulary(folder, {source / "texts.txt", 1, {}});
  CHECK(result.after == 3 + 256 + 1);
  CHECK(folder.config["pad_token_id"] == 1);
  CHECK(folder.config["eos_token_id"] == Json{2, nullptr});
  CHECK(folder.config["mask_token_id"] == result.after - 1);
  CHECK(Json::parse(*folder.files.at("generation_config.json")) == Json{{"eos_token_id", 1}, {"max_length", 5}});
  CHECK(folder.passes.back() == "prune_vocabulary min_count=1 kept=260/" + std::to_string(result.before));
}

std::string prune_error(const fs::path& source) {
  try {
    const TemporaryFolder out;
    write_file(out / "texts.txt", "a\n");
    CheckpointFolder folder = convert::read_checkpoint_folder(source);
    convert::prune_vocabulary(folder, {out / "texts.txt", 1, {}});
    return "";
  } catch (const convert::Error& error) {
    return error.what();
  }
}

TEST_CASE("what cannot be pruned is refused by name") {
  std::mt19937 random(1);
  const TemporaryFolder source;
  write_unigram(source.path(), random, false);
  CHECK(prune_error(source.path()) == "");
  edit_json(source / "tokenizer.json", [](Json& json) { json["model"]["vocab"][10][0] = "xy"; });
  contains(prune_error(source.path()), "has the piece \"xy\" without the piece \"x\"");
  write_bpe(source.path(), random);
  const auto rows = Json::parse(read_file(source / "config.json"))["vocab_size"].get<uint32_t>();
  Tensors tensors = random_bert({16, 2, 1, 16, rows, 24, 2}, 3);
  tensors["bert.tables"] = {{rows}, std::vector<float>(rows)};
  write_safetensors(source / "model.safetensors", tensors);
  contains(prune_error(source.path()), "\"bert.tables\" [" + std::to_string(rows) + "] is as large as the vocabulary");
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
    fs::remove(source / name);
  }
  contains(prune_error(source.path()), "has no tokenizer");
}

}  // namespace
}  // namespace kinglet::test
