// Merges into ranks and a hash table; vocabulary into the trie of words that need no merging.
#include "tokenizers/bpe_model.h"

#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include "error.h"
#include "tokenizer/bpe.h"
#include "tokenizer/utf8.h"
#include "tokenizers/trie_builder.h"
#include "tokenizers/unicode.h"

namespace kinglet::convert {
namespace {

constexpr size_t kLongWord = 64;  // longer ones are left to the merges
constexpr size_t kMaxMerges = size_t{1} << 22;

// What stands for a byte in byte-level vocabularies (bytes_char of `tokenizers`).
const std::array<uint32_t, 256>& letters() {
  static const auto table = [] {
    std::array<uint32_t, 256> result{};
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
      result[byte] = printable ? byte : next++;
    }
    return result;
  }();
  return table;
}

// The bytes that a token's letters stand for. False when it has other characters, so that no text becomes it.
bool to_bytes(const std::string& token, std::string& bytes) {
  static const auto table = [] {
    std::map<uint32_t, char> result;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      result[letters()[byte]] = static_cast<char>(byte);
    }
    return result;
  }();
  bytes.clear();
  const Source source({}, token);
  for (size_t at = 0; at < token.size();) {
    const auto found = table.find(decode(source, token.size(), at));
    if (found == table.end()) {
      return false;
    }
    bytes += found->second;
  }
  return true;
}

std::pair<std::string, std::string> split_merge(const Field& field) {
  if (field.json().is_array()) {
    if (field.array().size() != 2) {
      field.fail("expected two tokens, got " + std::to_string(field.array().size()));
    }
    return {field[size_t{0}].string(), field[1].string()};
  }
  const std::string text = field.string();
  const size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
    field.fail("expected two tokens with one space between them, got \"" + text.substr(0, 60) + "\"");
  }
  return {text.substr(0, space), text.substr(space + 1)};
}

}  // namespace

BpeModel read_bpe_model(const Field& model) {
  BpeModel bpe;
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!model.get(key).is_null() && !model[key].string().empty()) {
      model[key].fail("is not implemented");
    }
  }
  const auto flag = [&](const char* key) { return !model.get(key).is_null() && model[key].boolean(); };
  bpe.byte_fallback = flag("byte_fallback");
  bpe.fuse_unknown = flag("fuse_unk");
  if (!model.get("unk_token").is_null()) {
    bpe.unknown = model["unk_token"].string();
  }
  if (const Field dropout = model.get("dropout"); !dropout.is_null() && dropout.json() != 0.0) {
    dropout.fail("is not implemented, expected null");
  }
  bpe.ignore_merges = flag("ignore_merges");
  const Field merges = model["merges"];
  if (merges.array().size() > kMaxMerges) {
    merges.fail("there are more than " + std::to_string(kMaxMerges) + " of them");
  }
  size_t index = 0;
  for (const auto& merge : merges.array()) {
    // `tokenizers` skips version lines in lists of strings.
    if (!merge.is_string() || merge.get_ref<const std::string&>().compare(0, 8, "#version") != 0) {
      bpe.merges.push_back(split_merge(Field(merges.where(), "[" + std::to_string(index) + "]", merge)));
    }
    ++index;
  }
  return bpe;
}

void read_bpe_pre_tokenizer(const Field& field, const TextRules& rules, BpeModel& bpe) {
  const auto type_of = [](const Field& part) { return part.has("type") ? part["type"].string() : std::string(); };
  const std::string type = type_of(field);
  if (type == "ByteLevel") {
    if (bpe.byte_fallback || bpe.fuse_unknown) {
      field.fail("byte_fallback and fuse_unk are not implemented for byte-level BPE");
    }
    bpe.add_prefix_space = field["add_prefix_space"].boolean();
    bpe.split = field.get("use_regex").is_null() || field["use_regex"].boolean();
    return;
  }
  if (type == "Sequence") {
    const Field parts = field["pretokenizers"];
    const size_t count = parts.array().size();
    if (count == 1) {
      read_bpe_pre_tokenizer(parts[size_t{0}], rules, bpe);
      bpe.in_sequence = true;
      return;
    }
    if (count != 2 || type_of(parts[1]) != "Metaspace") {
      parts.fail("a Sequence of " + std::to_string(count) + " pre-tokenizers is not implemented for byte-level BPE");
    }
  }
  bpe.metaspace = read_metaspace(field, rules, "BPE");
}

std::vector<std::pair<std::string, std::string>> read_merges_txt(const std::string& file, const std::string& text) {
  // As RobertaTokenizer: everything between the first line and the last, which are not looked at.
  std::vector<std::pair<std::string, std::string>> merges;
  std::set<std::pair<std::string, std::string>> known;  // of equal ones the first counts
  size_t line = 0;
  for (size_t at = 0; at < text.size(); ++line) {
    size_t end = text.find('\n', at);
    if (end == std::string::npos) {
      break;  // the last line
    }
    const size_t next = end + 1;
    end -= end > at && text[end - 1] == '\r';
    if (line > 0) {
      const std::string merge = text.substr(at, end - at);
      const size_t space = merge.find(' ');
      if (space == std::string::npos || space == 0 || space + 1 == merge.size() ||
          merge.find_first_of(" \t\v\f\r", space + 1) != std::string::npos) {
        throw Error(file + ": line " + std::to_string(line + 1) + ": expected two tokens with one space between them");
      }
      if (merges.size() == kMaxMerges) {
        throw Error(file + ": there are more than " + std::to_string(kMaxMerges) + " merges");
      }
      std::pair<std::string, std::string> pair(merge.substr(0, space), merge.substr(space + 1));
      if (known.insert(pair).second) {
        merges.push_back(std::move(pair));
      }
    }
    at = next;
  }
  return merges;
}

CompiledBpe::CompiledBpe(const BpeModel& model, const std::map<std::string, uint32_t>& vocabulary)
    : flags_(model.metaspace ? Bpe::kMarked | (model.fuse_unknown ? Bpe::kFuse : 0u)
                             : (model.split ? Bpe::kSplit : 0u) | (model.add_prefix_space ? Bpe::kPrefix : 0u)) {
  std::set<uint32_t> ids;
  for (const auto& [token, id] : vocabulary) {
    if (!ids.insert(id).second) {
      throw Error("the vocabulary has two tokens with the id " + std::to_string(id));
    }
  }
  if (model.metaspace) {
    compile_characters(model, vocabulary);
    compile_merges(model, vocabulary);
    compile_words(model, vocabulary);
    return;
  }
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint8_t utf8[4];
    const uint8_t length = encode_utf8(letters()[byte], utf8);
    const auto found = vocabulary.find(std::string(reinterpret_cast<const char*>(utf8), length));
    // Bytes that no UTF-8 text has may be missing.
    const bool occurs = byte != 0xc0 && byte != 0xc1 && byte < 0xf5;
    if (found == vocabulary.end() && occurs) {
      throw Error("the vocabulary lacks the byte " + std::to_string(byte) +
                  ": byte-level BPE with unknown bytes is not implemented");
    }
    bytes_.push_back(found == vocabulary.end() ? 0 : found->second);
  }
  compile_merges(model, vocabulary);
  compile_words(model, vocabulary);
}

// Bytes, the unknown token, and where words can be cut.
void CompiledBpe::compile_characters(const BpeModel& model, const std::map<std::string, uint32_t>& vocabulary) {
  const auto find = [&](const std::string& token) {
    const auto found = vocabulary.find(token);
    return found == vocabulary.end() ? std::optional<uint32_t>() : found->second;
  };
  if (model.byte_fallback) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    unsigned lacking = 256, count = 0;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const auto id = find(std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">");
      // Bytes that no UTF-8 text has may be missing, and those that are tokens as characters.
      const bool occurs = byte < 0x80 ? !find(std::string(1, static_cast<char>(byte)))
                                      : byte != 0xc0 && byte != 0xc1 && byte < 0xf5;
      count += id.has_value();
      lacking = !id && occurs && lacking == 256 ? byte : lacking;
      bytes_.push_back(id.value_or(0));
    }
    if (count != 0 && lacking != 256) {
      throw Error("byte_fallback is true, but the vocabulary lacks the token of byte " + std::to_string(lacking));
    }
    if (count == 0) {
      bytes_.clear();
    }
  }
  if (bytes_.empty()) {
    if (!model.unknown) {
      throw Error("the tokenizer's unk_token is null: BPE without an unknown token is not implemented");
    }
    const auto id = find(*model.unknown);
    if (!id) {
      throw Error("the tokenizer's vocabulary lacks its unk_token \"" + model.unknown->substr(0, 60) + "\"");
    }
    unknown_ = *id;
  }
  const Metaspace& metaspace = *model.metaspace;
  marker_ = metaspace.marker;
  marking_ = metaspace.flags();
  std::string marker;
  unicode::append_utf8(marker, marker_);
  bool cuts = !metaspace.split && !metaspace.split_spaces && find(marker);
  const auto check = [&](const std::string& token) {
    for (size_t at = token.find(marker); cuts && at != std::string::npos; at = token.find(marker, at + 1)) {
      cuts = at == 0 || (at >= marker.size() && token.compare(at - marker.size(), marker.size(), marker) == 0);
    }
  };
  for (const auto& [left, right] : model.merges) {
    check(left + right);
  }
  if (model.ignore_merges) {
    for (const auto& [token, id] : vocabulary) {
      check(token);
    }
  }
  marking_ |= cuts ? Marking::kCut : 0u;
}

void CompiledBpe::compile_merges(const BpeModel& model, const std::map<std::string, uint32_t>& vocabulary) {
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> ranks;
  const auto id = [&](const std::string& token, size_t index) {
    const auto found = vocabulary.find(token);
    if (found == vocabulary.end()) {
      throw Error("merge " + std::to_string(index) + ": the vocabulary lacks \"" + token.substr(0, 60) + "\"");
    }
    return found->second;
  };
  for (size_t i = 0; i < model.merges.size(); ++i) {
    const auto& [left, right] = model.merges[i];
    // One after the other: an error names the same token everywhere.
    const uint32_t left_id = id(left, i), right_id = id(right, i);
    merges_.emplace_back(left_id, right_id, id(left + right, i));
    ranks[{merges_.back().left(), merges_.back().right()}] = static_cast<uint32_t>(i);  // the last one counts
    std::string bytes;
    if (model.metaspace) {
      const auto begins = [](const std::string& text) {
        return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
      };
      max_token_bytes_ = std::max(max_token_bytes_, static_cast<uint32_t>(begins(left) + begins(right)));
    } else if (to_bytes(left + right, bytes)) {
      max_token_bytes_ = std::max(max_token_bytes_, static_cast<uint32_t>(bytes.size()));
    }
  }
  if (max_token_bytes_ > Bpe::kMaxTokenBytes) {
    throw Error("a token has " + std::to_string(max_token_bytes_) +
                (model.metaspace ? " characters; at most " : " bytes; at most ") +
                std::to_string(Bpe::kMaxTokenBytes) + " are supported");
  }
  size_t size = 4;
  while (size < ranks.size() + ranks.size() / 2) {
    size *= 2;
  }
  // Pairs that all fall on the same places would make look-ups slow: the loader refuses such a table.
  slots_.assign(size, 0);
  for (const auto& [pair, rank] : ranks) {
    size_t slot = Bpe::hash(pair.first, pair.second) & (size - 1);
    for (size_t steps = 0; slots_[slot] != 0; ++steps) {
      if (steps > 4096) {
        throw Error("the merges cannot be hashed");
      }
      slot = (slot + 1) & (size - 1);
    }
    slots_[slot] = rank + 1;
  }
}

void CompiledBpe::compile_words(const BpeModel& model, const std::map<std::string, uint32_t>& vocabulary) {
  std::map<std::string, uint32_t> words;
  std::string bytes;
  std::vector<uint32_t> symbols;
  for (const auto& [token, id] : vocabulary) {
    symbols.clear();
    bool known = true;
    if (model.metaspace) {
      bytes = token;
      if (!valid_utf8(reinterpret_cast<const uint8_t*>(token.data()), token.size())) {
        continue;
      }
      known = model.ignore_merges || token.size() <= 4 * kLongWord;
      for (size_t at = 0, end = 0; known && !model.ignore_merges && at < token.size(); at = end) {
        for (end = at + 1; end < token.size() && (token[end] & 0xc0) == 0x80;) {
          ++end;
        }
        const auto found = vocabulary.find(token.substr(at, end - at));
        known = found != vocabulary.end();
        symbols.push_back(known ? found->second : 0);
      }
    } else if (to_bytes(token, bytes)) {
      for (const char byte : bytes) {
        symbols.push_back(bytes_[static_cast<unsigned char>(byte)]);
      }
    } else {
      continue;
    }
    if (!bytes.empty() && (model.ignore_merges || (known && is_own_encoding(symbols, id)))) {
      words.emplace(bytes, id);
    }
  }
  words_ = build_trie(words);
}

uint32_t CompiledBpe::rank(uint32_t left, uint32_t right) const {
  const size_t mask = slots_.size() - 1;
  for (size_t slot = Bpe::hash(left, right) & mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const fmt::Merge& merge = merges_[slots_[slot] - 1];
    if (merge.left() == left && merge.right() == right) {
      return slots_[slot] - 1;
    }
  }
  return Bpe::kNone;
}

// Whether the merges make one token of the symbols. Tokens too long to be made by them are none.
bool CompiledBpe::is_own_encoding(std::vector<uint32_t> ids, uint32_t id) const {
  if (ids.size() > max_token_bytes_ || ids.size() > kLongWord) {
    return false;
  }
  while (ids.size() > 1) {
    uint32_t best = Bpe::kNone;
    size_t at = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      if (const uint32_t now = rank(ids[i], ids[i + 1]); now < best) {
        best = now;
        at = i;
      }
    }
    if (best == Bpe::kNone) {
      return false;
    }
    ids[at] = merges_[best].id();
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
  return ids.size() == 1 && ids[0] == id;
}

flatbuffers::Offset<fmt::Bpe> CompiledBpe::write(flatbuffers::FlatBufferBuilder& builder,
                                                 flatbuffers::Offset<fmt::Rules> rules) const {
  const auto words = builder.CreateVector(words_);
  const auto bytes = builder.CreateVector(bytes_);
  const auto merges = builder.CreateVectorOfStructs(merges_);
  const auto slots = builder.CreateVector(slots_);
  return fmt::CreateBpe(builder, rules, words, bytes, merges, slots, max_token_bytes_, flags_, marker_, marking_,
                        unknown_);
}

}  // namespace kinglet::convert
