// Which file and setting wins.
#include "tokenizers/tokenizer_settings.h"

#include <set>

#include "error.h"

namespace kinglet::convert {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

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

// Model types whose tokenizer is one of those, for folders that do not name a class.
const std::set<std::string> kBertLikeTypes = {"bert",     "distilbert",  "electra",       "mobilebert", "convbert",
                                              "layoutlm", "squeezebert", "megatron-bert", "nezha",      "ernie",
                                              "lxmert",   "visual_bert", "retribert",     "qdqbert"};

}  // namespace

bool is_bert_class(const std::string& name) {
  return kBertLike.count(name) != 0;
}

bool is_roberta_class(const std::string& name) {
  return kRobertaLike.count(name) != 0;
}

bool is_generic_class(const std::string& name) {
  return kGeneric.count(name) != 0;
}

TokenizerSettings::TokenizerSettings(const fs::path& folder)
    : folder_(folder), tokenizer_json_(read_json(folder / "tokenizer.json")) {
  if (auto found = read_json(folder_ / "tokenizer_config.json")) {
    config_ = std::move(*found);
  }
  class_name_ = find_class_name();
}

void TokenizerSettings::read_tokens() {
  refuse_unknown();
  read_added_tokens_decoder();
  read_specials();
  read_additional();
}

void TokenizerSettings::refuse_unknown() const {
  for (const char* side : {"truncation_side", "padding_side"}) {
    const Field field = get(side);
    if (!field.is_null() && field.string() != "right" && (field.string() != "left" || side[0] == 't')) {
      field.fail("\"" + field.string() + "\" is not implemented, expected \"right\"");
    }
  }
  if (tokenizer_json_ && get("truncation_side").is_null()) {
    const Field truncation = Field(path("tokenizer.json"), "", *tokenizer_json_).get("truncation");
    if (truncation.has("direction") && truncation["direction"].string() != "Right") {
      truncation["direction"].fail("truncation on the left is not implemented");
    }
  }
  if (flag("split_special_tokens", false)) {
    get("split_special_tokens").fail("is not implemented, expected false");
  }
  if (const Field files = get("fast_tokenizer_files"); !files.is_null()) {
    for (size_t i = 0; i < files.array().size(); ++i) {
      if (files[i].string() != "tokenizer.json") {
        files.fail("files for other versions of transformers are not supported, expected tokenizer.json only");
      }
    }
  }
}

// Without "Fast", as AutoTokenizer tries the fast class first.
std::string TokenizerSettings::find_class_name() const {
  std::string name;
  if (!get("tokenizer_class").is_null()) {
    name = get("tokenizer_class").string();
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

void TokenizerSettings::read_added_tokens_decoder() {
  const Field decoder = get("added_tokens_decoder");
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
void TokenizerSettings::read_legacy_files() {
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

SpecialToken TokenizerSettings::read_special(const Field& field, bool from_map) const {
  SpecialToken special;
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

void TokenizerSettings::read_specials() {
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
  const bool is_mpnet = class_name_ == "MPNetTokenizer", is_roberta = is_roberta_class(class_name_);
  const bool is_camembert = class_name_ == "CamembertTokenizer", is_albert = class_name_ == "AlbertTokenizer";
  const bool is_xlmr = class_name_ == "XLMRobertaTokenizer", is_deberta_v2 = class_name_ == "DebertaV2Tokenizer";
  const auto& defaults = is_mpnet                                             ? mpnet
                         : is_roberta || is_camembert || is_xlmr              ? roberta
                         : is_albert                                          ? albert
                         : class_name_ == "LlamaTokenizer"                    ? llama
                         : class_name_ == "GemmaTokenizer"                    ? gemma
                         : class_name_ == "DebertaTokenizer" || is_deberta_v2 ? deberta
                                                                              : bert;
  for (const char* key : kSpecialKeys) {
    const bool given = config_.contains(key);
    if (given && config_[key].is_null()) {
      continue;
    }
    SpecialToken special;
    if (given) {
      special = read_special(get(key), true);
    } else if (const auto found = defaults.find(key); found != defaults.end() && !is_generic_class(class_name_)) {
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
        (is_roberta || class_name_ == "DebertaTokenizer" || is_albert || is_xlmr || is_camembert)) {
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
}

void TokenizerSettings::read_additional() {
  if (class_name_ == "CamembertTokenizer" && !has("additional_special_tokens")) {
    config_["additional_special_tokens"] = {"<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"};
  }
  if (const Field more = get("additional_special_tokens"); !more.is_null()) {
    for (size_t i = 0; i < more.array().size(); ++i) {
      additional_.push_back(read_special(more[i], false));
    }
  }
  // Named tokens of a model of its own kind come last.
  if (const Field extra = get("extra_special_tokens"); extra.json().is_object()) {
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

std::string TokenizerSettings::special_token(const std::string& key) const {
  for (const auto& [name, special] : specials_) {
    if (name == key) {
      return special.token.content;
    }
  }
  throw Error(path("tokenizer_config.json") + ": " + key + ": is null, but the tokenizer needs one");
}

uint64_t TokenizerSettings::model_max_length() const {
  for (const char* key : {"model_max_length", "max_len"}) {
    const Field field = get(key);
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

}  // namespace kinglet::convert
