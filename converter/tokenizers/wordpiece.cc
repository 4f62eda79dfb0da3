// tokenizer.json, vocab.json and vocab.txt into a SourceTokenizer.
#include "tokenizers/wordpiece.h"

#include <algorithm>

#include "error.h"
#include "tokenizer/utf8.h"

namespace kinglet::convert {
namespace {

constexpr uint64_t kMaxId = 0x7fffffff;

// The type of a component, "" without one.
std::string type_of(const Field& field) { return field.has("type") ? field["type"].string() : ""; }

void read_model(const Field& model, SourceTokenizer& tokenizer) {
  std::string type = type_of(model);
  if (type.empty()) {
    // Old files do not say; `tokenizers` tries BPE, WordPiece, WordLevel and Unigram in this order.
    type = model.has("merges")                                                    ? "BPE"
           : model.has("max_input_chars_per_word") && model.has("continuing_subword_prefix") ? "WordPiece"
           : model.get("vocab").json().is_array()                                 ? "Unigram"
                                                                                  : "WordLevel";
  }
  if (type == "BPE") {
    tokenizer.bpe = read_bpe_model(model);
    tokenizer.vocabulary = read_vocabulary(model["vocab"]);
    return;
  }
  if (type == "Unigram") {
    tokenizer.unigram = read_unigram_model(model);
    tokenizer.vocabulary = vocabulary_of(*tokenizer.unigram);
    return;
  }
  if (type != "WordPiece") {
    model.fail("the model " + type + " is not implemented");
  }
  tokenizer.unknown_token = model["unk_token"].string();
  tokenizer.continuation = model["continuing_subword_prefix"].string();
  tokenizer.max_word_chars = model["max_input_chars_per_word"].number(UINT64_MAX);
  tokenizer.vocabulary = read_vocabulary(model["vocab"]);
}

void read_normalizer(const Field& normalizer, SourceTokenizer& tokenizer) {
  if (!tokenizer.is_wordpiece()) {
    tokenizer.rules = read_text_rules(normalizer);
    return;
  }
  if (normalizer.is_null()) {
    tokenizer.set_normalizer(false, false, false, false);
    tokenizer.has_normalizer = false;
    return;
  }
  const std::string type = type_of(normalizer);
  if (type != "BertNormalizer" && !(type.empty() && normalizer.has("clean_text"))) {
    normalizer.fail("the type is \"" + type + "\"; BertNormalizer is what is implemented for WordPiece");
  }
  std::optional<bool> strip;
  if (!normalizer.get("strip_accents").is_null()) {
    strip = normalizer["strip_accents"].boolean();
  }
  tokenizer.set_normalizer(normalizer["clean_text"].boolean(), normalizer["handle_chinese_chars"].boolean(), strip,
                           normalizer["lowercase"].boolean());
}

std::vector<TemplateEntry> read_template(const Field& pieces, const Field& special_tokens, bool pair) {
  std::vector<TemplateEntry> entries;
  for (size_t i = 0; i < pieces.array().size(); ++i) {
    const Field piece = pieces[i];
    if (piece.has("Sequence")) {
      const Field sequence = piece["Sequence"];
      const std::string id = sequence["id"].string();
      if (id != "A" && !(id == "B" && pair)) {
        sequence["id"].fail(std::string("expected ") + (pair ? "\"A\" or \"B\"" : "\"A\"") + ", got \"" + id + "\"");
      }
      entries.push_back({id == "A" ? TemplateEntry::kFirstText : TemplateEntry::kSecondText,
                         static_cast<uint32_t>(sequence["type_id"].number(kMaxId))});
    } else if (piece.has("SpecialToken")) {
      const Field special = piece["SpecialToken"];
      const auto type = static_cast<uint32_t>(special["type_id"].number(kMaxId));
      const Field ids = special_tokens[special["id"].string().c_str()]["ids"];
      for (size_t k = 0; k < ids.array().size(); ++k) {
        entries.push_back({static_cast<int32_t>(ids[k].number(kMaxId)), type});
      }
    } else {
      piece.fail("expected a Sequence or a SpecialToken");
    }
    if (entries.size() > 1024) {
      pieces.fail("a template of more than 1,024 tokens is not supported");
    }
  }
  return entries;
}

void set_templates(SourceTokenizer& tokenizer, const Field& processor, bool roberta) {
  constexpr int32_t a = TemplateEntry::kFirstText, b = TemplateEntry::kSecondText;
  const auto sep = static_cast<int32_t>(processor["sep"][1].number(kMaxId));
  const auto cls = static_cast<int32_t>(processor["cls"][1].number(kMaxId));
  tokenizer.single = {{cls, 0}, {a, 0}, {sep, 0}};
  if (roberta) {
    tokenizer.pair = {{cls, 0}, {a, 0}, {sep, 0}, {sep, 0}, {b, 0}, {sep, 0}};
  } else {
    tokenizer.pair = {{cls, 0}, {a, 0}, {sep, 0}, {b, 1}, {sep, 1}};
  }
}

void read_trim(const Field& processor, SourceTokenizer& tokenizer) {
  tokenizer.has_trim = true;
  if (!processor["trim_offsets"].boolean()) {
    return;
  }
  tokenizer.rules.trim =
      static_cast<uint8_t>(Rules::kTrim | (processor["add_prefix_space"].boolean() ? Rules::kPrefixed : 0));
}

void read_post_processor(const Field& processor, SourceTokenizer& tokenizer, bool first = true) {
  constexpr int32_t a = TemplateEntry::kFirstText, b = TemplateEntry::kSecondText;
  if (first) {
    tokenizer.single = {{a, 0}};
    tokenizer.pair = {{a, 0}, {b, 1}};
  }
  if (processor.is_null()) {
    return;
  }
  const std::string type = type_of(processor);
  if (type == "Sequence" && first) {
    const Field parts = processor["processors"];
    bool has_template = false;
    for (size_t i = 0; i < parts.array().size(); ++i) {
      const bool trims = type_of(parts[i]) == "ByteLevel";
      if (has_template || (trims && tokenizer.rules.trim != 0)) {
        parts[i].fail("the post-processor is not implemented behind the ones before it");
      }
      has_template = has_template || !trims;
      read_post_processor(parts[i], tokenizer, false);
    }
  } else if (type == "TemplateProcessing") {
    tokenizer.single = read_template(processor["single"], processor["special_tokens"], false);
    tokenizer.pair = read_template(processor["pair"], processor["special_tokens"], true);
  } else if (type == "BertProcessing") {
    set_templates(tokenizer, processor, false);
  } else if (type == "RobertaProcessing") {
    set_templates(tokenizer, processor, true);
    if (tokenizer.rules.trim != 0) {
      processor.fail("the post-processor is not implemented behind the ones before it");
    }
    read_trim(processor, tokenizer);
  } else if (type == "ByteLevel") {
    read_trim(processor, tokenizer);
  } else {
    processor.fail("the post-processor " + type + " is not implemented");
  }
}

void read_pre_tokenizer(const Field& field, SourceTokenizer& tokenizer) {
  if (tokenizer.bpe) {
    read_bpe_pre_tokenizer(field, tokenizer.rules, *tokenizer.bpe);
    return;
  }
  if (tokenizer.unigram) {
    static_cast<Metaspace&>(*tokenizer.unigram) = read_metaspace(field, tokenizer.rules, "Unigram");
    return;
  }
  const std::string type = field.is_null() ? "null" : type_of(field);
  if (type != "BertPreTokenizer") {
    field.fail("the type is \"" + type + "\"; BertPreTokenizer is what is implemented for WordPiece");
  }
}

}  // namespace

void SourceTokenizer::set_normalizer(bool clean_text, bool chinese_chars, std::optional<bool> strip,
                                        bool lowercase) {
  has_normalizer = true;
  strip_accents = strip;
  normalizer = {clean_text, chinese_chars, strip.value_or(lowercase), lowercase};
}

void SourceTokenizer::add_tokens(const std::vector<AddedToken>& tokens) {
  std::optional<TextNormalizer> normalize;  // built when a token asks for it, as is
  std::optional<RulesNormalizer> apply_rules;
  added.add(tokens, vocabulary, [&](const std::string& text) {
    if (!is_wordpiece()) {
      if (!apply_rules) {
        apply_rules.emplace(CompiledRules(rules, "the normalizer"));
      }
      return (*apply_rules)(text);
    }
    if (!normalize) {
      normalize.emplace(charmap());
    }
    return (*normalize)(text);
  });
}

const CharMapTables& SourceTokenizer::charmap() {
  if (charmap_settings_ != normalizer) {
    charmap_ = build_charmap(normalizer);
    charmap_settings_ = normalizer;
  }
  return charmap_;
}

AddedToken read_added_token(const Field& field) {
  AddedToken token;
  token.content = field["content"].string();
  const auto flag = [&](const char* key, bool& value) {
    if (!field.get(key).is_null()) {
      value = field[key].boolean();
    }
  };
  flag("single_word", token.single_word);
  flag("lstrip", token.lstrip);
  flag("rstrip", token.rstrip);
  flag("special", token.special);
  if (!field.get("normalized").is_null()) {
    token.normalized = field["normalized"].boolean();
  }
  return token;
}

std::map<std::string, uint32_t> read_vocabulary(const Field& vocabulary) {
  std::map<std::string, uint32_t> result;
  for (const auto& [token, id] : vocabulary.object().items()) {
    const Field field(vocabulary.where(), "\"" + token + "\"", id);
    result[token] = static_cast<uint32_t>(field.number(kMaxId));
  }
  return result;
}

SourceTokenizer read_tokenizer_json(const std::string& file, const nlohmann::json& json) {
  const Field root(file, "", json);
  if (root.has("version") && root["version"].string() != "1.0") {
    root["version"].fail("expected \"1.0\", got \"" + root["version"].string() + "\"");
  }
  SourceTokenizer tokenizer;
  read_model(root["model"], tokenizer);
  read_normalizer(root.get("normalizer"), tokenizer);
  read_pre_tokenizer(root.get("pre_tokenizer"), tokenizer);
  read_post_processor(root.get("post_processor"), tokenizer);
  std::vector<AddedToken> tokens;
  if (const Field added = root.get("added_tokens"); !added.is_null()) {
    for (size_t i = 0; i < added.array().size(); ++i) {
      tokens.push_back(read_added_token(added[i]));
    }
  }
  tokenizer.add_tokens(tokens);
  return tokenizer;
}

std::map<std::string, uint32_t> read_vocab_txt(const std::string& file, const std::string& text) {
  const Source source({}, text);
  for (size_t position = 0; position < text.size();) {
    const size_t begin = position;
    if (decode(source, text.size(), position) == kReplacement && text.compare(begin, 3, "\xef\xbf\xbd") != 0) {
      throw Error(file + ": byte " + std::to_string(begin) + ": is not valid UTF-8");
    }
  }
  std::map<std::string, uint32_t> vocabulary;
  uint32_t id = 0;
  for (size_t at = 0; at < text.size(); ++id) {
    const size_t end = std::min(text.find_first_of("\r\n", at), text.size());
    vocabulary[text.substr(at, end - at)] = id;
    at = end + 1 + (text.compare(end, 2, "\r\n") == 0);
  }
  if (vocabulary.empty()) {
    throw Error(file + ": is empty, expected one token a line");
  }
  return vocabulary;
}

}  // namespace kinglet::convert
