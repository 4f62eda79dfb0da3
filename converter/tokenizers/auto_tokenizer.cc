// PreTrainedTokenizerBase._from_pretrained, PreTrainedTokenizerFast.__init__ and BertTokenizerFast.__init__ as far as
// they decide about the tokens of a text.
#include "tokenizers/auto_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "error.h"
#include "tokenizers/convert_slow.h"

namespace kinglet::convert {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// SPECIAL_TOKENS_ATTRIBUTES, in its order, but for the additional ones.
constexpr const char* kSpecialKeys[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};

// Classes whose __init__ is that of BertTokenizerFast.
const std::set<std::string> kBertLike = {"BertTokenizer",       "DistilBertTokenizer", "ElectraTokenizer",
                                         "MobileBertTokenizer", "ConvBertTokenizer",   "SqueezeBertTokenizer",
                                         "LayoutLMTokenizer",   "RetriBertTokenizer",  "LxmertTokenizer"};

const std::set<std::string> kRobertaLike = {"RobertaTokenizer", "LongformerTokenizer"};
const std::set<std::string> kGeneric = {"PreTrainedTokenizer", "TokenizersBackend"};

// Of model types whose tokenizer is none of those above.
const std::map<std::string, std::string> kOtherTypes = {{"mpnet", "MPNetTokenizer"},
                                                        {"roberta", "RobertaTokenizer"},
                                                        {"longformer", "LongformerTokenizer"},
                                                        {"deberta", "DebertaTokenizer"},
                                                        {"modernbert", "PreTrainedTokenizer"},
                                                        {"albert", "AlbertTokenizer"},
                                                        {"xlm-roberta", "XLMRobertaTokenizer"},
                                                        {"camembert", "CamembertTokenizer"},
                                                        {"deberta-v2", "DebertaV2Tokenizer"}};

// Classes with a file of SentencePiece's, and its name.
const std::map<std::string, std::string> kSentencePiece = {{"AlbertTokenizer", "spiece.model"},
                                                           {"XLMRobertaTokenizer", "sentencepiece.bpe.model"},
                                                           {"CamembertTokenizer", "sentencepiece.bpe.model"},
                                                           {"DebertaV2Tokenizer", "spm.model"},
                                                           {"LlamaTokenizer", "tokenizer.model"},
                                                           {"GemmaTokenizer", "tokenizer.model"}};

// Model types whose tokenizer is one of those, for folders that do not name a class.
const std::set<std::string> kBertLikeTypes = {"bert",     "distilbert",  "electra",       "mobilebert", "convbert",
                                              "layoutlm", "squeezebert", "megatron-bert", "nezha",      "ernie",
                                              "lxmert",   "visual_bert", "retribert",     "qdqbert"};

// A special token of the configuration: a plain string, or one with options.
struct Special {
  AddedToken token;
  bool plain = true;  // given as a string
};

class Loader {
 public:
  explicit Loader(const fs::path& folder) : folder_(folder) {}

  std::optional<LoadedTokenizer> load();

 private:
  std::string path(const char* name) const { return (folder_ / name).string(); }
  Field config(const char* key) const { return Field(path("tokenizer_config.json"), "", config_).get(key); }
  void refuse_other_models() const;
  std::string class_name() const;
  void read_added_tokens_decoder();
  void read_legacy_files();
  Special read_special(const Field& field, bool from_map) const;
  void read_specials(const std::string& class_name);
  void convert_slow();
  void convert_slow_bytes(bool roberta);
  void convert_slow_pieces(const std::string& name, const std::string& file);
  std::string special_token(const std::string& key) const;
  int32_t id_after_adding(const std::string& content) const;
  void override_byte_level(bool roberta);
  void override_templates();
  void add_tokens();
  void override_normalizer(bool chinese);
  bool clean_up_spaces() const;
  uint64_t model_max_length() const;

  fs::path folder_;
  json config_ = json::object();
  std::optional<json> tokenizer_json_;
  std::map<int64_t, AddedToken> decoder_;                                 // added_tokens_decoder
  std::map<std::string, AddedToken> token_map_;                           // added_tokens_map
  std::vector<std::pair<std::string, std::optional<Special>>> specials_;  // by key, in order; nothing: null
  std::vector<Special> additional_;
  SourceTokenizer tokenizer_;
};

std::optional<LoadedTokenizer> Loader::load() {
  tokenizer_json_ = read_json(folder_ / "tokenizer.json");
  if (auto found = read_json(folder_ / "tokenizer_config.json")) {
    config_ = std::move(*found);
  }
  std::error_code code;
  const bool raw = fs::exists(folder_ / "vocab.txt", code) ||
                   (fs::exists(folder_ / "vocab.json", code) && fs::exists(folder_ / "merges.txt", code));
  const std::string name = class_name();
  const auto pieces = kSentencePiece.find(name);
  if (!tokenizer_json_ && !raw && (pieces == kSentencePiece.end() || !fs::exists(folder_ / pieces->second, code))) {
    refuse_other_models();
    return std::nullopt;
  }
  const bool generic = kGeneric.count(name) != 0;
  const bool llama = name == "LlamaTokenizer", gemma = name == "GemmaTokenizer";
  const bool from_slow = !tokenizer_json_ || (llama && !config("add_prefix_space").is_null());
  if (!from_slow) {
    tokenizer_ = read_tokenizer_json(path("tokenizer.json"), *tokenizer_json_);
  }
  const bool byte_level = kRobertaLike.count(name) != 0 || name == "DebertaTokenizer";
  if (!generic && !byte_level && pieces == kSentencePiece.end() && name != "MPNetTokenizer" &&
      kBertLike.count(name) == 0) {
    throw Error(path("tokenizer_config.json") + ": tokenizer_class: \"" + name + "\" is not implemented");
  }
  for (const char* side : {"truncation_side", "padding_side"}) {
    const Field field = config(side);
    if (!field.is_null() && field.string() != "right" && (field.string() != "left" || side[0] == 't')) {
      field.fail("\"" + field.string() + "\" is not implemented, expected \"right\"");
    }
  }
  if (tokenizer_json_ && config("truncation_side").is_null()) {
    const Field truncation = Field(path("tokenizer.json"), "", *tokenizer_json_).get("truncation");
    if (truncation.has("direction") && truncation["direction"].string() != "Right") {
      truncation["direction"].fail("truncation on the left is not implemented");
    }
  }
  if (!config("split_special_tokens").is_null() && config("split_special_tokens").boolean()) {
    config("split_special_tokens").fail("is not implemented, expected false");
  }
  if (const Field files = config("fast_tokenizer_files"); !files.is_null()) {
    for (size_t i = 0; i < files.array().size(); ++i) {
      if (files[i].string() != "tokenizer.json") {
        files.fail("files for other versions of transformers are not supported, expected tokenizer.json only");
      }
    }
  }
  read_added_tokens_decoder();
  read_specials(name);
  if (from_slow) {
    if (byte_level) {
      convert_slow_bytes(kRobertaLike.count(name) != 0);
    } else if (pieces != kSentencePiece.end()) {
      convert_slow_pieces(name, pieces->second);
    } else if (kBertLike.count(name) != 0) {
      convert_slow();
    } else {
      throw Error(folder_.string() + ": " + name + " without a tokenizer.json is not implemented");
    }
  }
  add_tokens();
  if (tokenizer_.bpe && !tokenizer_.bpe->metaspace) {
    override_byte_level(kRobertaLike.count(name) != 0);
  } else if (tokenizer_.is_wordpiece() && (name == "MPNetTokenizer" || kBertLike.count(name) != 0)) {
    override_normalizer(name != "MPNetTokenizer");
  }
  if (llama || gemma) {
    override_templates();
  }
  std::map<std::string, std::string> specials;
  for (const auto& [key, special] : specials_) {
    specials[key] = special->token.content;
  }
  return LoadedTokenizer{std::move(tokenizer_), model_max_length(), std::move(specials), clean_up_spaces()};
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

// Without "Fast", as AutoTokenizer tries the fast class first.
std::string Loader::class_name() const {
  std::string name;
  if (!config("tokenizer_class").is_null()) {
    name = config("tokenizer_class").string();
  } else if (const auto model = read_json(folder_ / "config.json")) {
    const Field root(path("config.json"), "", *model);
    if (!root.get("tokenizer_class").is_null()) {
      name = root["tokenizer_class"].string();
    } else if (!root.get("model_type").is_null()) {
      const std::string type = root["model_type"].string();
      const auto other = kOtherTypes.find(type);
      name = other != kOtherTypes.end() ? other->second : kBertLikeTypes.count(type) != 0 ? "BertTokenizer" : type;
    }
  }
  if (name.size() > 4 && name.compare(name.size() - 4, 4, "Fast") == 0) {
    name.erase(name.size() - 4);
  }
  return name.empty() ? "BertTokenizer" : name;
}

void Loader::read_added_tokens_decoder() {
  const Field decoder = config("added_tokens_decoder");
  if (decoder.is_null()) {
    read_legacy_files();
    return;
  }
  for (const auto& [key, value] : decoder.object().items()) {
    if (key.empty() || key.size() > 10 || key.find_first_not_of("0123456789") != std::string::npos) {
      decoder.fail("expected ids as keys, got \"" + key + "\"");
    }
    const AddedToken token = read_added_token(decoder[key.c_str()]);
    decoder_[std::stoll(key)] = token;
  }
  for (const auto& [id, token] : decoder_) {
    token_map_[token.content] = token;
  }
}

// special_tokens_map.json and added_tokens.json, which are read only when there is no added_tokens_decoder.
void Loader::read_legacy_files() {
  if (const auto map = read_json(folder_ / "special_tokens_map.json")) {
    const Field root(path("special_tokens_map.json"), "", *map);
    for (const auto& [key, value] : map->items()) {
      if (key == "additional_special_tokens" && value.is_array()) {
        json merged = config_.contains(key) && config_[key].is_array() ? config_[key] : json::array();
        std::set<json> there(merged.begin(), merged.end());
        for (const json& token : value) {
          json entry = token;
          if (entry.is_object()) {
            entry["special"] = true;
          }
          if (there.insert(entry).second) {
            merged.push_back(entry);
          }
        }
        config_[key] = merged;
        continue;
      }
      config_[key] = value;
      if (value.is_object()) {
        config_[key]["special"] = true;
      }
    }
  }
  if (const auto added = read_json(folder_ / "added_tokens.json")) {
    std::set<std::string> special;
    const auto note = [&](const json& value) {
      if (value.is_string()) {
        special.insert(value.get<std::string>());
      } else if (value.is_object() && value.contains("content") && value["content"].is_string()) {
        special.insert(value["content"].get<std::string>());
      }
    };
    for (const char* key : kSpecialKeys) {
      note(config_.contains(key) ? config_[key] : json());
    }
    if (config_.contains("additional_special_tokens") && config_["additional_special_tokens"].is_array()) {
      for (const json& value : config_["additional_special_tokens"]) {
        note(value);
      }
    }
    const Field root(path("added_tokens.json"), "", *added);
    for (const auto& [content, id] : added->items()) {
      AddedToken token;
      token.content = content;
      token.special = special.count(content) != 0;
      token.normalized = !token.special;
      decoder_[static_cast<int64_t>(root[content.c_str()].number(0x7fffffff))] = token;
    }
  }
  if (tokenizer_json_) {
    const Field added = Field(path("tokenizer.json"), "", *tokenizer_json_)["added_tokens"];
    for (size_t i = 0; i < added.array().size(); ++i) {
      const AddedToken token = read_added_token(added[i]);
      decoder_[static_cast<int64_t>(added[i]["id"].number(0x7fffffff))] = token;
      token_map_[token.content] = token;
    }
  }
}

Special Loader::read_special(const Field& field, bool from_map) const {
  Special special;
  if (field.json().is_object()) {
    special.token = read_added_token(field);
    special.plain = false;
  } else {
    special.token.content = field.string();
    special.token.special = true;
  }
  if (from_map) {
    if (const auto found = token_map_.find(special.token.content); found != token_map_.end()) {
      special = {found->second, false};
    }
  }
  return special;
}

void Loader::read_specials(const std::string& class_name) {
  const std::map<std::string, std::string> bert = {{"unk_token", "[UNK]"},
                                                   {"sep_token", "[SEP]"},
                                                   {"pad_token", "[PAD]"},
                                                   {"cls_token", "[CLS]"},
                                                   {"mask_token", "[MASK]"}};
  const std::map<std::string, std::string> mpnet = {
      {"bos_token", "<s>"},   {"eos_token", "</s>"}, {"unk_token", "[UNK]"},  {"sep_token", "</s>"},
      {"pad_token", "<pad>"}, {"cls_token", "<s>"},  {"mask_token", "<mask>"}};
  const std::map<std::string, std::string> roberta = {
      {"bos_token", "<s>"},   {"eos_token", "</s>"}, {"unk_token", "<unk>"},  {"sep_token", "</s>"},
      {"pad_token", "<pad>"}, {"cls_token", "<s>"},  {"mask_token", "<mask>"}};
  const std::map<std::string, std::string> deberta = {
      {"bos_token", "[CLS]"}, {"eos_token", "[SEP]"}, {"unk_token", "[UNK]"},  {"sep_token", "[SEP]"},
      {"pad_token", "[PAD]"}, {"cls_token", "[CLS]"}, {"mask_token", "[MASK]"}};
  const std::map<std::string, std::string> albert = {
      {"bos_token", "[CLS]"}, {"eos_token", "[SEP]"}, {"unk_token", "<unk>"},  {"sep_token", "[SEP]"},
      {"pad_token", "<pad>"}, {"cls_token", "[CLS]"}, {"mask_token", "[MASK]"}};
  const std::map<std::string, std::string> llama = {
      {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}};
  const std::map<std::string, std::string> gemma = {
      {"bos_token", "<bos>"}, {"eos_token", "<eos>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
  const bool is_mpnet = class_name == "MPNetTokenizer", is_roberta = kRobertaLike.count(class_name) != 0;
  const bool is_camembert = class_name == "CamembertTokenizer", is_albert = class_name == "AlbertTokenizer";
  const bool is_xlmr = class_name == "XLMRobertaTokenizer", is_deberta_v2 = class_name == "DebertaV2Tokenizer";
  const auto& defaults = is_mpnet                                            ? mpnet
                         : is_roberta || is_camembert || is_xlmr             ? roberta
                         : is_albert                                         ? albert
                         : class_name == "LlamaTokenizer"                    ? llama
                         : class_name == "GemmaTokenizer"                    ? gemma
                         : class_name == "DebertaTokenizer" || is_deberta_v2 ? deberta
                                                                             : bert;
  for (const char* key : kSpecialKeys) {
    const bool given = config_.contains(key);
    if (given && config_[key].is_null()) {
      continue;
    }
    Special special;
    if (given) {
      special = read_special(config(key), true);
    } else if (const auto found = defaults.find(key); found != defaults.end() && kGeneric.count(class_name) == 0) {
      special.token.content = found->second;
      special.token.special = true;
    } else {
      continue;
    }
    if (is_mpnet && special.plain) {
      special.plain = false;
      special.token.special = false;
      special.token.lstrip = std::string(key) == "mask_token";
    }
    if (special.plain && std::string(key) == "mask_token" &&
        (is_roberta || class_name == "DebertaTokenizer" || is_albert || is_xlmr || is_camembert)) {
      special.plain = false;
      special.token.special = is_camembert;
      special.token.lstrip = true;
      if (is_roberta || is_albert) {
        special.token.normalized = false;
      }
    }
    if (special.plain && is_deberta_v2 && !tokenizer_json_ && std::string(key) == "unk_token") {
      special.plain = false;
      special.token.normalized = true;
    }
    // The slow tokenizer, of which the fast one is made, gives these options to all of them.
    if (special.plain && is_roberta && !tokenizer_json_) {
      special.plain = false;
      special.token.special = false;
    }
    if (!special.token.content.empty()) {
      specials_.emplace_back(key, special);
    }
  }
  if (is_camembert && !config_.contains("additional_special_tokens")) {
    config_["additional_special_tokens"] = {"<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"};
  }
  if (const Field more = config("additional_special_tokens"); !more.is_null()) {
    for (size_t i = 0; i < more.array().size(); ++i) {
      additional_.push_back(read_special(more[i], false));
    }
  }
  // Named tokens of a model of its own kind come last.
  if (const Field extra = config("extra_special_tokens"); extra.json().is_object()) {
    for (const auto& [key, value] : extra.json().items()) {
      additional_.push_back(read_special(extra[key.c_str()], false));
    }
  } else if (!extra.is_null()) {
    // transformers 5 lists them; the tokens themselves are in tokenizer.json.
    for (size_t i = 0; i < extra.array().size(); ++i) {
      additional_.push_back(read_special(extra[i], true));
    }
  }
}

// BertConverter: the tokenizer of Python's BertTokenizer.
void Loader::convert_slow() {
  tokenizer_.vocabulary = read_vocab_txt(path("vocab.txt"), read_file(folder_ / "vocab.txt"));
  const auto flag = [&](const char* key, bool value) { return config_.contains(key) ? config(key).boolean() : value; };
  std::optional<bool> strip;
  if (!config("strip_accents").is_null()) {
    strip = config("strip_accents").boolean();
  }
  if (flag("do_basic_tokenize", true)) {
    tokenizer_.set_normalizer(true, flag("tokenize_chinese_chars", true), strip, flag("do_lower_case", true));
  } else {
    tokenizer_.set_normalizer(true, false, false, false);
  }
  tokenizer_.unknown_token = special_token("unk_token");
  const int32_t cls_id = id_after_adding(special_token("cls_token"));
  const int32_t sep_id = id_after_adding(special_token("sep_token"));
  constexpr int32_t a = TemplateEntry::kFirstText, b = TemplateEntry::kSecondText;
  tokenizer_.single = {{cls_id, 0}, {a, 0}, {sep_id, 0}};
  tokenizer_.pair = {{cls_id, 0}, {a, 0}, {sep_id, 0}, {b, 1}, {sep_id, 1}};
}

std::string Loader::special_token(const std::string& key) const {
  for (const auto& [name, special] : specials_) {
    if (name == key && special) {
      return special->token.content;
    }
  }
  throw Error(path("tokenizer_config.json") + ": " + key + ": is null, but the tokenizer needs one");
}

// The id that a special token has once all of them are added, which is what templates are made with.
int32_t Loader::id_after_adding(const std::string& content) const {
  AddedVocabulary added;
  std::vector<AddedToken> all;
  for (const auto& [id, decoded] : decoder_) {
    all.push_back(decoded);
  }
  for (const auto& [name, special] : specials_) {
    all.push_back(special->token);
  }
  added.add(all, tokenizer_.vocabulary, [](const std::string& text) { return text; });
  const auto id = added.id(content, tokenizer_.vocabulary);
  if (!id) {
    throw Error(folder_.string() + ": the vocabulary lacks \"" + content + "\", which the tokenizer's template needs");
  }
  return static_cast<int32_t>(*id);
}

// RobertaConverter and DebertaConverter.
void Loader::convert_slow_bytes(bool roberta) {
  const auto vocabulary = read_json(folder_ / "vocab.json");
  std::error_code code;
  if (!vocabulary || !fs::exists(folder_ / "merges.txt", code)) {
    throw Error(folder_.string() + ": expected tokenizer.json, or vocab.json and merges.txt");
  }
  tokenizer_.vocabulary = read_vocabulary(Field(path("vocab.json"), "", *vocabulary));
  tokenizer_.bpe.emplace();
  tokenizer_.bpe->merges = read_merges_txt(path("merges.txt"), read_file(folder_ / "merges.txt"));
  const int32_t cls = id_after_adding(special_token("cls_token")), sep = id_after_adding(special_token("sep_token"));
  constexpr int32_t a = TemplateEntry::kFirstText, b = TemplateEntry::kSecondText;
  tokenizer_.single = {{cls, 0}, {a, 0}, {sep, 0}};
  if (roberta) {
    tokenizer_.pair = {{cls, 0}, {a, 0}, {sep, 0}, {sep, 0}, {b, 0}, {sep, 0}};
    tokenizer_.has_trim = true;
  } else {
    tokenizer_.pair = {{cls, 0}, {a, 0}, {sep, 0}, {b, 1}, {sep, 1}};
  }
}

void Loader::convert_slow_pieces(const std::string& name, const std::string& file) {
  if (!fs::exists(folder_ / file)) {
    throw Error(folder_.string() + ": expected " + (tokenizer_json_ ? "" : "tokenizer.json or ") + file);
  }
  const auto flag = [&](const char* key, bool value) { return config(key).is_null() ? value : config(key).boolean(); };
  if (name == "DebertaV2Tokenizer" && flag("split_by_punct", false)) {
    config("split_by_punct").fail("is not implemented, expected false");
  }
  const bool llama = name == "LlamaTokenizer", gemma = name == "GemmaTokenizer";
  if (!llama && !flag("add_prefix_space", true)) {
    config("add_prefix_space").fail("is not implemented for SentencePiece files, expected true");
  }
  SlowSettings settings;
  settings.class_name = name;
  settings.lower_case = flag("do_lower_case", name == "AlbertTokenizer");
  settings.keep_accents = flag("keep_accents", false);
  settings.legacy = !llama || flag("legacy", true);
  settings.add_prefix_space = flag("add_prefix_space", true);
  if (gemma) {
    settings.first_pieces = {special_token("pad_token"), special_token("eos_token"), special_token("bos_token")};
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
void Loader::override_byte_level(bool roberta) {
  const auto flag = [&](const char* key, bool value) { return config(key).is_null() ? value : config(key).boolean(); };
  const bool prefix = flag("add_prefix_space", false);
  if (!tokenizer_.bpe->in_sequence) {
    tokenizer_.bpe->add_prefix_space = prefix;
  }
  if (roberta && tokenizer_.has_trim) {
    tokenizer_.rules.trim =
        static_cast<uint8_t>(flag("trim_offsets", true) ? Rules::kTrim | (prefix ? Rules::kPrefixed : 0) : 0);
  }
}

// update_post_processor of LlamaTokenizerFast and GemmaTokenizerFast.
void Loader::override_templates() {
  const auto id = [&](const char* add, bool otherwise, const char* key) -> std::optional<int32_t> {
    if (!(config(add).is_null() ? otherwise : config(add).boolean())) {
      return std::nullopt;
    }
    const auto found = tokenizer_.added.id(special_token(key), tokenizer_.vocabulary);
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
  std::vector<Special> all_special;
  std::set<std::string> contents;
  const auto note = [&](const Special& special) {
    if (contents.insert(special.token.content).second) {
      all_special.push_back(special);
    }
  };
  for (const auto& [key, special] : specials_) {
    note(*special);
  }
  for (const Special& special : additional_) {
    note(special);
  }
  std::vector<AddedToken> tokens;
  std::set<std::string> known;
  for (const auto& [content, id] : tokenizer_.added.ids()) {
    known.insert(content);
  }
  for (const auto& [id, token] : decoder_) {
    tokens.push_back(token);
    known.insert(token.content);
  }
  std::multimap<std::string, AddedToken> decoded;
  for (const AddedToken& token : tokens) {
    decoded.emplace(token.content, token);
  }
  for (const Special& special : all_special) {
    const auto [first, last] = decoded.equal_range(special.token.content);
    const bool there =
        special.plain ? known.count(special.token.content) != 0
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
  const auto flag = [&](const char* key) { return config_.contains(key) ? config(key).boolean() : true; };
  std::optional<bool> strip;
  if (!config("strip_accents").is_null()) {
    strip = config("strip_accents").boolean();
  }
  const NormalizerSettings& now = tokenizer_.normalizer;
  tokenizer_.set_normalizer(now.clean_text, chinese ? flag("tokenize_chinese_chars") : now.chinese_chars, strip,
                            flag("do_lower_case"));
}

bool Loader::clean_up_spaces() const {
  const Field field = config("clean_up_tokenization_spaces");
  return !field.is_null() && field.boolean();
}

uint64_t Loader::model_max_length() const {
  for (const char* key : {"model_max_length", "max_len"}) {
    const Field field = config(key);
    if (field.is_null()) {
      continue;
    }
    if (!field.json().is_number() || !(field.json().get<double>() >= 1)) {
      field.fail("expected a number of tokens, got " + field.json().dump().substr(0, 40));
    }
    const double length = field.json().get<double>();
    return length >= 4294967296.0 ? 0 : static_cast<uint64_t>(length);
  }
  return 0;
}

}  // namespace

std::optional<LoadedTokenizer> load_tokenizer(const fs::path& folder) {
  return Loader(folder).load();
}

}  // namespace kinglet::convert
