// PreTrainedTokenizerFast.__init__ and that of its classes as far as they decide about the tokens of a text.
#include "tokenizers/auto_tokenizer.h"

#include <algorithm>
#include <set>

#include "error.h"
#include "tokenizers/convert_slow.h"
#include "tokenizers/tokenizer_settings.h"

namespace kinglet::convert {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Classes with a file of SentencePiece's, and its name.
const std::map<std::string, std::string> kSentencePiece = {{"AlbertTokenizer", "spiece.model"},
                                                           {"XLMRobertaTokenizer", "sentencepiece.bpe.model"},
                                                           {"CamembertTokenizer", "sentencepiece.bpe.model"},
                                                           {"DebertaV2Tokenizer", "spm.model"},
                                                           {"LlamaTokenizer", "tokenizer.model"},
                                                           {"GemmaTokenizer", "tokenizer.model"}};

class Loader {
 public:
  explicit Loader(const fs::path& folder) : folder_(folder), settings_(folder) {}

  std::optional<LoadedTokenizer> load();

 private:
  std::string path(const char* name) const { return settings_.path(name); }
  void refuse_other_models() const;
  void convert_slow();
  void convert_slow_bytes();
  void convert_slow_pieces(const std::string& file);
  int32_t id_after_adding(const std::string& content) const;
  void override_byte_level();
  void override_templates();
  void add_tokens();
  void override_normalizer(bool chinese);

  const fs::path folder_;
  TokenizerSettings settings_;
  SourceTokenizer tokenizer_;
};

std::optional<LoadedTokenizer> Loader::load() {
  std::error_code code;
  const bool raw = fs::exists(folder_ / "vocab.txt", code) ||
                   (fs::exists(folder_ / "vocab.json", code) && fs::exists(folder_ / "merges.txt", code));
  const std::string& name = settings_.class_name();
  const auto pieces = kSentencePiece.find(name);
  const auto& tokenizer_json = settings_.tokenizer_json();
  if (!tokenizer_json && !raw && (pieces == kSentencePiece.end() || !fs::exists(folder_ / pieces->second, code))) {
    refuse_other_models();
    return std::nullopt;
  }
  const bool bert = is_bert_class(name), roberta = is_roberta_class(name);
  const bool llama = name == "LlamaTokenizer", gemma = name == "GemmaTokenizer";
  const bool from_slow = !tokenizer_json || (llama && !settings_.get("add_prefix_space").is_null());
  if (!from_slow) {
    tokenizer_ = read_tokenizer_json(path("tokenizer.json"), *tokenizer_json);
  }
  const bool byte_level = roberta || name == "DebertaTokenizer";
  if (!is_generic_class(name) && !byte_level && pieces == kSentencePiece.end() && name != "MPNetTokenizer" && !bert) {
    throw Error(path("tokenizer_config.json") + ": tokenizer_class: \"" + name + "\" is not implemented");
  }
  settings_.read_tokens();
  if (from_slow) {
    if (byte_level) {
      convert_slow_bytes();
    } else if (pieces != kSentencePiece.end()) {
      convert_slow_pieces(pieces->second);
    } else if (bert) {
      convert_slow();
    } else {
      throw Error(folder_.string() + ": " + name + " without a tokenizer.json is not implemented");
    }
  }
  add_tokens();
  if (tokenizer_.bpe && !tokenizer_.bpe->metaspace) {
    override_byte_level();
  } else if (tokenizer_.is_wordpiece() && (name == "MPNetTokenizer" || bert)) {
    override_normalizer(name != "MPNetTokenizer");
  }
  if (llama || gemma) {
    override_templates();
  }
  std::map<std::string, std::string> specials;
  for (const auto& [key, special] : settings_.specials()) {
    specials[key] = special.token.content;
  }
  return LoadedTokenizer{std::move(tokenizer_), settings_.model_max_length(), std::move(specials),
                         settings_.clean_up_spaces()};
}

void Loader::refuse_other_models() const {
  static constexpr std::pair<const char*, const char*> kOthers[] = {{"merges.txt", "BPE"},
                                                                    {"spiece.model", "SentencePiece"},
                                                                    {"sentencepiece.bpe.model", "SentencePiece"},
                                                                    {"spm.model", "SentencePiece"},
                                                                    {"tokenizer.model", "SentencePiece"},
                                                                    {"vocab.json", "BPE"}};
  std::error_code code;
  for (const auto& [file, model] : kOthers) {
    if (fs::exists(folder_ / file, code)) {
      throw Error(path(file) + ": this is a " + model +
                  " tokenizer; its files are not complete, or are not implemented");
    }
  }
}

// BertConverter: the tokenizer of Python's BertTokenizer.
void Loader::convert_slow() {
  tokenizer_.vocabulary = read_vocab_txt(path("vocab.txt"), read_file(folder_ / "vocab.txt"));
  const auto flag = [&](const char* key, bool value) {
    return settings_.has(key) ? settings_.get(key).boolean() : value;
  };
  std::optional<bool> strip;
  if (!settings_.get("strip_accents").is_null()) {
    strip = settings_.get("strip_accents").boolean();
  }
  if (flag("do_basic_tokenize", true)) {
    tokenizer_.set_normalizer(true, flag("tokenize_chinese_chars", true), strip, flag("do_lower_case", true));
  } else {
    tokenizer_.set_normalizer(true, false, false, false);
  }
  tokenizer_.unknown_token = settings_.special_token("unk_token");
  const int32_t cls_id = id_after_adding(settings_.special_token("cls_token"));
  const int32_t sep_id = id_after_adding(settings_.special_token("sep_token"));
  constexpr int32_t a = TemplateEntry::kFirstText, b = TemplateEntry::kSecondText;
  tokenizer_.single = {{cls_id, 0}, {a, 0}, {sep_id, 0}};
  tokenizer_.pair = {{cls_id, 0}, {a, 0}, {sep_id, 0}, {b, 1}, {sep_id, 1}};
}

// The id that a special token has once all of them are added, which is what templates are made with.
int32_t Loader::id_after_adding(const std::string& content) const {
  AddedVocabulary added;
  std::vector<AddedToken> all;
  for (const auto& [id, decoded] : settings_.decoder()) {
    all.push_back(decoded);
  }
  for (const auto& [name, special] : settings_.specials()) {
    all.push_back(special.token);
  }
  added.add(all, tokenizer_.vocabulary, [](const std::string& text) { return text; });
  const auto id = added.id(content, tokenizer_.vocabulary);
  if (!id) {
    throw Error(folder_.string() + ": the vocabulary lacks \"" + content + "\", which the tokenizer's template needs");
  }
  return static_cast<int32_t>(*id);
}

// RobertaConverter and DebertaConverter.
void Loader::convert_slow_bytes() {
  const auto vocabulary = read_json(folder_ / "vocab.json");
  std::error_code code;
  if (!vocabulary || !fs::exists(folder_ / "merges.txt", code)) {
    throw Error(folder_.string() + ": expected tokenizer.json, or vocab.json and merges.txt");
  }
  tokenizer_.vocabulary = read_vocabulary(Field(path("vocab.json"), "", *vocabulary));
  tokenizer_.bpe.emplace();
  tokenizer_.bpe->merges = read_merges_txt(path("merges.txt"), read_file(folder_ / "merges.txt"));
  const int32_t cls = id_after_adding(settings_.special_token("cls_token")),
                sep = id_after_adding(settings_.special_token("sep_token"));
  constexpr int32_t a = TemplateEntry::kFirstText, b = TemplateEntry::kSecondText;
  tokenizer_.single = {{cls, 0}, {a, 0}, {sep, 0}};
  if (is_roberta_class(settings_.class_name())) {
    tokenizer_.pair = {{cls, 0}, {a, 0}, {sep, 0}, {sep, 0}, {b, 0}, {sep, 0}};
    tokenizer_.has_trim = true;
  } else {
    tokenizer_.pair = {{cls, 0}, {a, 0}, {sep, 0}, {b, 1}, {sep, 1}};
  }
}

void Loader::convert_slow_pieces(const std::string& file) {
  const std::string& name = settings_.class_name();
  if (!fs::exists(folder_ / file)) {
    throw Error(folder_.string() + ": expected " + (settings_.tokenizer_json() ? "" : "tokenizer.json or ") + file);
  }
  if (name == "DebertaV2Tokenizer" && settings_.flag("split_by_punct", false)) {
    settings_.get("split_by_punct").fail("is not implemented, expected false");
  }
  const bool llama = name == "LlamaTokenizer", gemma = name == "GemmaTokenizer";
  if (!llama && !settings_.flag("add_prefix_space", true)) {
    settings_.get("add_prefix_space").fail("is not implemented for SentencePiece files, expected true");
  }
  SlowSettings settings;
  settings.class_name = name;
  settings.lower_case = settings_.flag("do_lower_case", name == "AlbertTokenizer");
  settings.keep_accents = settings_.flag("keep_accents", false);
  settings.legacy = !llama || settings_.flag("legacy", true);
  settings.add_prefix_space = settings_.flag("add_prefix_space", true);
  if (gemma) {
    settings.first_pieces = {settings_.special_token("pad_token"), settings_.special_token("eos_token"),
                             settings_.special_token("bos_token")};
  }
  tokenizer_ = convert_sentencepiece(path(file.c_str()),
                                     read_sentencepiece(path(file.c_str()), read_file(folder_ / file)), settings);
  constexpr int32_t a = TemplateEntry::kFirstText, b = TemplateEntry::kSecondText;
  if (llama || gemma) {
    return;  // override_templates
  }
  if (name == "AlbertTokenizer" || name == "DebertaV2Tokenizer") {
    const int32_t cls = id_after_adding("[CLS]"), sep = id_after_adding("[SEP]");
    tokenizer_.single = {{cls, 0}, {a, 0}, {sep, 0}};
    tokenizer_.pair = {{cls, 0}, {a, 0}, {sep, 0}, {b, 1}, {sep, 1}};
  } else {
    const int32_t cls = id_after_adding("<s>"), sep = id_after_adding("</s>");
    tokenizer_.single = {{cls, 0}, {a, 0}, {sep, 0}};
    tokenizer_.pair = {{cls, 0}, {a, 0}, {sep, 0}, {sep, 0}, {b, 0}, {sep, 0}};
  }
}

// What the settings of tokenizer_config.json change in the pre-tokenizer (of every class) and in the post-processor
// (of RobertaTokenizerFast).
void Loader::override_byte_level() {
  const bool prefix = settings_.flag("add_prefix_space", false);
  if (!tokenizer_.bpe->in_sequence) {
    tokenizer_.bpe->add_prefix_space = prefix;
  }
  if (is_roberta_class(settings_.class_name()) && tokenizer_.has_trim) {
    tokenizer_.rules.trim =
        static_cast<uint8_t>(settings_.flag("trim_offsets", true) ? Rules::kTrim | (prefix ? Rules::kPrefixed : 0) : 0);
  }
}

// update_post_processor of LlamaTokenizerFast and GemmaTokenizerFast.
void Loader::override_templates() {
  const auto id = [&](const char* add, bool otherwise, const char* key) -> std::optional<int32_t> {
    if (!settings_.flag(add, otherwise)) {
      return std::nullopt;
    }
    const auto found = tokenizer_.added.id(settings_.special_token(key), tokenizer_.vocabulary);
    if (!found) {
      throw Error(folder_.string() + ": the vocabulary lacks the " + key + ", which the tokenizer's template needs");
    }
    return static_cast<int32_t>(*found);
  };
  const auto bos = id("add_bos_token", true, "bos_token"), eos = id("add_eos_token", false, "eos_token");
  tokenizer_.pair.clear();
  for (const int32_t text : {TemplateEntry::kFirstText, TemplateEntry::kSecondText}) {
    const uint32_t type = text == TemplateEntry::kFirstText ? 0 : 1;
    if (bos) {
      tokenizer_.pair.push_back({*bos, type});
    }
    tokenizer_.pair.push_back({text, type});
    if (eos) {
      tokenizer_.pair.push_back({*eos, type});
    }
    if (type == 0) {
      tokenizer_.single = tokenizer_.pair;
    }
  }
}

// What PreTrainedTokenizerFast.__init__ adds: everything in added_tokens_decoder, and the special tokens that are not
// there. A special token with options differs from every string, so it is compared with tokens only.
void Loader::add_tokens() {
  std::vector<SpecialToken> all_special;
  std::set<std::string> contents;
  const auto note = [&](const SpecialToken& special) {
    if (contents.insert(special.token.content).second) {
      all_special.push_back(special);
    }
  };
  for (const auto& [key, special] : settings_.specials()) {
    note(special);
  }
  for (const SpecialToken& special : settings_.additional()) {
    note(special);
  }
  std::vector<AddedToken> tokens;
  std::set<std::string> known;
  for (const auto& [content, id] : tokenizer_.added.ids()) {
    known.insert(content);
  }
  for (const auto& [id, token] : settings_.decoder()) {
    tokens.push_back(token);
    known.insert(token.content);
  }
  std::multimap<std::string, AddedToken> decoded;
  for (const AddedToken& token : tokens) {
    decoded.emplace(token.content, token);
  }
  for (const SpecialToken& special : all_special) {
    const auto [first, last] = decoded.equal_range(special.token.content);
    const bool there = special.plain
                           ? known.count(special.token.content) != 0
                           : std::any_of(first, last, [&](const auto& entry) { return entry.second == special.token; });
    if (!there) {
      tokens.push_back(special.token);
    }
  }
  for (AddedToken& token : tokens) {
    token.special = token.special || contents.count(token.content) != 0;
  }
  if (!tokens.empty()) {
    tokenizer_.add_tokens(tokens);
  }
}

// The settings of the class win over those of tokenizer.json, its defaults too.
void Loader::override_normalizer(bool chinese) {
  if (!tokenizer_.has_normalizer) {
    throw Error(path("tokenizer.json") + ": normalizer: is null, which transformers refuses for this tokenizer class");
  }
  const auto flag = [&](const char* key) { return settings_.has(key) ? settings_.get(key).boolean() : true; };
  std::optional<bool> strip;
  if (!settings_.get("strip_accents").is_null()) {
    strip = settings_.get("strip_accents").boolean();
  }
  const NormalizerSettings& now = tokenizer_.normalizer;
  tokenizer_.set_normalizer(now.clean_text, chinese ? flag("tokenize_chinese_chars") : now.chinese_chars, strip,
                            flag("do_lower_case"));
}

}  // namespace

std::optional<LoadedTokenizer> load_tokenizer(const fs::path& folder) {
  return Loader(folder).load();
}

}  // namespace kinglet::convert
