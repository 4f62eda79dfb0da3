// tokenizer.json and what stands beside it.
#include "prune/tokenizer_files.h"

#include <algorithm>
#include <string_view>
#include <system_error>

#include "base/text.h"
#include "tokenizers/compile.h"
#include "tokenizers/files.h"
#include "tokenizers/sentencepiece.h"

namespace kinglet::convert {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

std::string dump(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

// Of a number in a file; ids that are gone keep no meaning, so they may not be there.
uint32_t map_id(const TokenIds& ids, const Field& field) {
  const auto id = ids.new_id(field.number(UINT32_MAX));
  if (!id) {
    field.fail("names a token that the tokenizer does not have");
  }
  return *id;
}

// sep and cls of a BertProcessing, the special tokens of a TemplateProcessing, and Sequences of them.
void prune_post_processor(const TokenIds& ids, const Field& field, json& processor) {
  if (!processor.is_object()) {
    return;
  }
  for (const char* key : {"sep", "cls"}) {
    if (processor.contains(key)) {
      processor[key][1] = map_id(ids, field[key][1]);
    }
  }
  if (processor.contains("special_tokens")) {
    for (auto& [name, special] : processor["special_tokens"].items()) {
      for (size_t i = 0; i < special["ids"].size(); ++i) {
        special["ids"][i] = map_id(ids, field["special_tokens"][name.c_str()]["ids"][i]);
      }
    }
  }
  if (processor.contains("processors")) {
    for (size_t i = 0; i < processor["processors"].size(); ++i) {
      prune_post_processor(ids, field["processors"][i], processor["processors"][i]);
    }
  }
}

void prune_merges(const TokenIds& ids, json& merges) {
  json kept = json::array();
  for (json& merge : merges) {
    std::string left, right;
    if (merge.is_array()) {
      left = merge[0].get<std::string>();
      right = merge[1].get<std::string>();
    } else {
      const auto text = merge.get<std::string>();
      left = text.substr(0, text.find(' '));
      right = text.starts_with("#version") ? "" : text.substr(left.size() + 1);
    }
    if (ids.has_piece(left) && ids.has_piece(right) && ids.has_piece(left + right)) {
      kept.push_back(std::move(merge));
    }
  }
  merges = std::move(kept);
}

void prune_model(const SourceTokenizer& tokenizer, const TokenIds& ids, json& model) {
  json& vocabulary = model["vocab"];
  if (vocabulary.is_array()) {
    json kept = json::array();
    for (size_t i = 0; i < vocabulary.size(); ++i) {
      const std::string& text = vocabulary[i][0].get_ref<const std::string&>();
      if (ids.has_piece(text) && tokenizer.vocabulary.at(text) == i) {
        kept.push_back(std::move(vocabulary[i]));
      }
    }
    vocabulary = std::move(kept);
    model["unk_id"] = ids.new_id(*tokenizer.unigram->unknown).value();
    return;
  }
  json kept = json::object();
  for (const auto& [text, id] : vocabulary.items()) {
    if (const auto piece = ids.piece(text)) {
      kept[text] = *piece;
    }
  }
  vocabulary = std::move(kept);
  if (model.contains("merges")) {
    prune_merges(ids, model["merges"]);
  }
}

// tokenizer.json, which the loader has read: its fields have the types that it wants.
std::string prune_tokenizer_json(const std::string& file, json root, const SourceTokenizer& tokenizer,
                                 const TokenIds& ids) {
  const json before = root;
  const Field field(file, "", before);
  prune_model(tokenizer, ids, root["model"]);
  if (root.contains("added_tokens") && root["added_tokens"].is_array()) {
    for (json& token : root["added_tokens"]) {
      if (const auto id = ids.new_id(token["content"].get<std::string>())) {
        token["id"] = *id;
      }
    }
  }
  if (root.contains("post_processor")) {
    prune_post_processor(ids, field["post_processor"], root["post_processor"]);
  }
  if (root.contains("padding") && root["padding"].is_object() && root["padding"].contains("pad_id")) {
    root["padding"]["pad_id"] = map_id(ids, field["padding"]["pad_id"]);
  }
  return dump(root);
}

// vocab.txt: a token a line, in the order of their ids.
std::string prune_vocab_txt(const std::string& file, const std::string& text, const TokenIds& ids) {
  std::map<uint32_t, std::string> lines;
  for (const auto& [token, line] : read_vocab_txt(file, text)) {
    if (const auto id = ids.piece(token)) {
      lines[*id] = token;
    }
  }
  std::string kept;
  for (const auto& [id, token] : lines) {
    kept += token + "\n";
  }
  return kept;
}

std::string prune_merges_txt(const std::string& file, const std::string& text, const TokenIds& ids) {
  std::string kept = text.starts_with("#version") ? text.substr(0, text.find('\n')) + "\n" : "#version: 0.2\n";
  for (const auto& [left, right] : read_merges_txt(file, text)) {
    if (ids.has_piece(left) && ids.has_piece(right) && ids.has_piece(left + right)) {
      kept += left + " " + right + "\n";
    }
  }
  return kept;
}

// A SentencePiece model: fields of a protobuf, those of kept pieces and the rest as they are; but for the self-test
// data, which hold tokenizations by all pieces. read_sentencepiece has checked the bytes.
std::string prune_sentencepiece(const std::string& file, const std::string& bytes, const TokenIds& ids) {
  const SentencePieceModel model = read_sentencepiece(file, bytes);
  constexpr uint64_t kPieces = 1, kSelfTest = 4;
  std::string kept;
  size_t index = 0, at = 0;
  const auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes.at(at++));
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) {
        break;
      }
    }
    return value;
  };
  while (at < bytes.size()) {
    const size_t begin = at;
    const uint64_t key = varint();
    switch (key & 7) {
      case 0:
        varint();
        break;
      case 1:
        at += 8;
        break;
      case 5:
        at += 4;
        break;
      default: {
        const uint64_t size = varint();
        at += size;
      }
    }
    bool stays = key >> 3 != kSelfTest;
    if (key >> 3 == kPieces) {
      const SentencePieceModel::Piece& piece = model.pieces.at(index++);
      stays = ids.has_piece(piece.text) || piece.type != SentencePieceModel::kNormal;
    }
    if (stays) {
      kept.append(bytes, begin, at - begin);
    }
  }
  return kept;
}

// added_tokens_decoder of tokenizer_config.json: ids are keys.
std::string prune_tokenizer_config(const std::string& file, json root, const TokenIds& ids) {
  if (!root.contains("added_tokens_decoder") || !root["added_tokens_decoder"].is_object()) {
    return dump(root);
  }
  json kept = json::object();
  for (auto& [key, token] : root["added_tokens_decoder"].items()) {
    const auto id = ids.new_id(token["content"].get<std::string>());
    if (!id) {
      refuse(file, ": added_tokens_decoder: the token ", key, " is not one of the tokenizer's");
    }
    kept[std::to_string(*id)] = std::move(token);
  }
  root["added_tokens_decoder"] = std::move(kept);
  return dump(root);
}

std::string prune_token_map(json root, const TokenIds& ids, bool added) {
  json kept = json::object();
  for (const auto& [text, id] : root.items()) {
    if (const auto now = added ? ids.new_id(text) : ids.piece(text)) {
      kept[text] = *now;
    }
  }
  return dump(kept);
}

}  // namespace

TokenIds::TokenIds(const SourceTokenizer& tokenizer, const std::vector<bool>& keep) {
  std::map<uint32_t, std::vector<std::string>> by_id;  // several tokens may have one id
  for (const auto& [text, id] : tokenizer.vocabulary) {
    if (keep[id]) {
      by_id[id].push_back(text);
    }
  }
  for (const auto& [id, texts] : by_id) {
    new_ids_[id] = static_cast<uint32_t>(old_ids_.size());
    for (const std::string& text : texts) {
      pieces_[text] = static_cast<uint32_t>(old_ids_.size());
      old_ids_.push_back(id);
    }
  }
  for (const auto& [id, token] : tokenizer.added.by_id()) {
    if (const auto known = new_ids_.find(id); known != new_ids_.end()) {
      added_[token.content] = known->second;
      continue;
    }
    new_ids_[id] = static_cast<uint32_t>(old_ids_.size());
    added_[token.content] = static_cast<uint32_t>(old_ids_.size());
    old_ids_.push_back(id);
  }
}

std::optional<uint32_t> TokenIds::new_id(uint64_t old_id) const {
  const auto found = new_ids_.find(old_id);
  return found == new_ids_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<uint32_t> TokenIds::new_id(const std::string& token) const {
  const auto found = added_.find(token);
  return found == added_.end() ? piece(token) : std::optional(found->second);
}

std::optional<uint32_t> TokenIds::piece(const std::string& text) const {
  const auto found = pieces_.find(text);
  return found == pieces_.end() ? std::nullopt : std::optional(found->second);
}

std::map<std::string, std::optional<std::string>> prune_tokenizer_files(const fs::path& folder,
                                                                        const SourceTokenizer& tokenizer,
                                                                        const TokenIds& ids) {
  std::map<std::string, std::optional<std::string>> files;
  const auto path = [&](const char* name) { return (folder / name).string(); };
  const auto there = [&](const char* name) {
    std::error_code ignored;
    return fs::exists(folder / name, ignored);
  };
  if (auto root = read_json(folder / "tokenizer.json")) {
    files["tokenizer.json"] = prune_tokenizer_json(path("tokenizer.json"), std::move(*root), tokenizer, ids);
  }
  if (auto root = read_json(folder / "tokenizer_config.json")) {
    files["tokenizer_config.json"] = prune_tokenizer_config(path("tokenizer_config.json"), std::move(*root), ids);
  }
  if (there("vocab.txt")) {
    files["vocab.txt"] = prune_vocab_txt(path("vocab.txt"), read_file(folder / "vocab.txt"), ids);
  }
  if (there("merges.txt")) {
    files["merges.txt"] = prune_merges_txt(path("merges.txt"), read_file(folder / "merges.txt"), ids);
  }
  for (const char* name : {"vocab.json", "added_tokens.json"}) {
    if (auto root = read_json(folder / name)) {
      files[name] = prune_token_map(std::move(*root), ids, name[0] == 'a');
    }
  }
  for (const char* name : {"spiece.model", "sentencepiece.bpe.model", "spm.model", "tokenizer.model"}) {
    if (there(name)) {
      files[name] = prune_sentencepiece(path(name), read_file(folder / name), ids);
    }
  }
  // The same vocabulary for other software.
  for (const char* name : {"unigram.json", "dict.txt", "bpe.codes"}) {
    if (there(name)) {
      files[name] = std::nullopt;
    }
  }
  return files;
}

void check_pruned_tokenizer(const fs::path& folder, const LoadedTokenizer& before, const TokenIds& ids) {
  compile_tokenizer(folder);
  const LoadedTokenizer after = load_tokenizer(folder).value();
  const auto want = [&](bool good, const char* what) {
    if (!good) {
      refuse("the tokenizer cannot be written without some of its tokens: its ", what, " would not be the same");
    }
  };
  const SourceTokenizer &a = before.tokenizer, &b = after.tokenizer;
  size_t pieces = 0;
  for (const auto& [text, id] : a.vocabulary) {
    if (ids.has_piece(text)) {
      const auto found = b.vocabulary.find(text);
      want(found != b.vocabulary.end() && found->second == *ids.piece(text), "vocabulary");
      ++pieces;
    }
  }
  want(b.vocabulary.size() == pieces, "vocabulary");
  want(a.added.by_id().size() == b.added.by_id().size(), "added tokens");
  for (const auto& [id, token] : a.added.by_id()) {
    const auto found = b.added.by_id().find(ids.new_id(id).value());
    want(found != b.added.by_id().end() && found->second == token, "added tokens");
  }
  for (const auto& [old, now] : {std::pair(&a.single, &b.single), std::pair(&a.pair, &b.pair)}) {
    want(old->size() == now->size(), "template");
    for (size_t i = 0; i < std::min(old->size(), now->size()); ++i) {
      const int32_t token = (*old)[i].token;
      want((*now)[i].type == (*old)[i].type, "template");
      want((*now)[i].token == (token < 0 ? token : static_cast<int32_t>(*ids.new_id(static_cast<uint64_t>(token)))),
           "template");
    }
  }
  want(before.specials == after.specials, "special tokens");
  want(!a.unigram || a.unigram->pieces[*a.unigram->unknown].first == b.unigram->pieces[*b.unigram->unknown].first,
       "unknown token");
}

}  // namespace kinglet::convert
