// Counts tokens, chooses, and slices tensors and configuration.
#include "prune/vocabulary.h"

#include <algorithm>
#include <memory>
#include <set>
#include <system_error>

#include "base/text.h"
#include "calibrate/texts.h"
#include "families/sentence_transformers.h"
#include "prune/kept_tokens.h"
#include "prune/tokenizer_files.h"
#include "tokenizer/tokenizer.h"
#include "tokenizers/compile.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

namespace {

// Ids up to the padding's stay where they are when there are so few: RoBERTa's positions begin behind it.
constexpr uint64_t kFirstIds = 8;

// The runtime's tokenizer on tables in memory, and how often it gave each token.
class Counter {
 public:
  explicit Counter(const CompiledTokenizer& compiled) : counts_(compiled.size()) {
    builder_.Finish(compiled.write(builder_));
    Error_ error;
    const auto* table = flatbuffers::GetRoot<fmt::Tokenizer>(builder_.GetBufferPointer());
    if (Tokenizer::open(*table, compiled.size(), 0, &tokenizer_, error) != KINGLET_OK) {
      refuse("the tokenizer cannot be used: ", error.message);
    }
  }

  void add(std::string_view text) {
    Error_ error;
    TokenSink sink;
    ids_.resize(std::max<size_t>(ids_.size(), text.size() + 64));
    for (int pass = 0; pass < 2; ++pass) {
      sink = {ids_.data(), nullptr, nullptr, ids_.size(), 0};
      if (tokenizer_.encode({}, text, nullptr, 0, sink, error) != KINGLET_OK) {
        refuse("a text cannot be tokenized: ", error.message);
      }
      if (sink.size <= ids_.size()) {
        break;
      }
      ids_.resize(sink.size);
    }
    for (size_t i = 0; i < sink.size; ++i) {
      ++counts_[static_cast<size_t>(ids_[i])];
    }
  }

  const std::vector<uint64_t>& counts() const { return counts_; }

 private:
  using Error_ = kinglet::Error;

  flatbuffers::FlatBufferBuilder builder_;
  Tokenizer tokenizer_;
  std::vector<int32_t> ids_;
  std::vector<uint64_t> counts_;
};

using Rows = std::shared_ptr<const std::vector<uint32_t>>;

// Some rows of another source, in any order.
class RowsSource final : public Source {
 public:
  RowsSource(std::shared_ptr<const Source> inner, Rows rows, uint64_t columns)
      : inner_(std::move(inner)), rows_(std::move(rows)), columns_(columns) {}

  void read(uint64_t first, uint64_t count, float* out) const override {
    for (uint64_t i = 0; i < count;) {
      uint64_t run = 1;
      while (i + run < count && (*rows_)[first + i + run] == (*rows_)[first + i] + run) {
        ++run;
      }
      inner_->read((*rows_)[first + i], run, out + i * columns_);
      i += run;
    }
  }

 private:
  std::shared_ptr<const Source> inner_;
  Rows rows_;
  uint64_t columns_;
};

// Some columns of another source. A vector is one row.
class ColumnsSource final : public Source {
 public:
  ColumnsSource(std::shared_ptr<const Source> inner, Rows columns, uint64_t before)
      : inner_(std::move(inner)), columns_(std::move(columns)), before_(before) {}

  void read(uint64_t first, uint64_t count, float* out) const override {
    std::vector<float> row(before_);
    for (uint64_t i = 0; i < count; ++i) {
      inner_->read(first + i, 1, row.data());
      for (const uint32_t column : *columns_) {
        *out++ = row[column];
      }
    }
  }

 private:
  std::shared_ptr<const Source> inner_;
  Rows columns_;
  uint64_t before_;
};

struct VocabularyTensor {
  const char* end;  // of its name
  bool columns = false;
};

constexpr VocabularyTensor kVocabularyTensors[] = {
    {"word_embeddings.weight"},
    {"tok_embeddings.weight"},
    {"predictions.bias"},
    {"decoder.weight"},
    {"decoder.bias"},
    {"lm_head.bias"},
    {"vocab_projector.weight"},
    {"vocab_projector.bias"},
    {"generator_lm_head.weight"},
    {"generator_lm_head.bias"},
    {"predictions.dense.weight", true},  // MobileBERT's
};

// The token embedding, which knows how many rows the vocabulary has.
const Tensor& token_embedding(const CheckpointFolder& folder) {
  for (const Tensor& tensor : folder.tensors) {
    if ((tensor.name.ends_with("word_embeddings.weight") || tensor.name.ends_with("tok_embeddings.weight")) &&
        tensor.shape.size() == 2) {
      return tensor;
    }
  }
  refuse(folder.source.string(), ": has no tensor word_embeddings.weight or tok_embeddings.weight");
}

// Whether a number of the configuration besides vocab_size is the same, so that a shape alone says nothing.
bool is_ambiguous(const Json& config, uint64_t size) {
  for (const auto& [key, value] : config.items()) {
    if (key != "vocab_size" && value.is_number_unsigned() && value.get<uint64_t>() == size) {
      return true;
    }
  }
  return false;
}

void slice_tensors(CheckpointFolder& folder, uint32_t before, const Rows& rows) {
  const auto after = static_cast<uint32_t>(rows->size());
  const bool ambiguous = is_ambiguous(folder.config, before);
  for (Tensor& tensor : folder.tensors) {
    const VocabularyTensor* known = nullptr;
    for (const VocabularyTensor& entry : kVocabularyTensors) {
      known = tensor.name.ends_with(entry.end) ? &entry : known;
    }
    const bool vector = tensor.shape.size() == 1;
    const bool rows_fit = !tensor.shape.empty() && tensor.shape.size() <= 2 && tensor.shape[0] == before;
    const bool columns_fit = tensor.shape.size() == 2 && tensor.shape[1] == before;
    if (known == nullptr || !(known->columns ? columns_fit : rows_fit)) {
      // BERT's predictions.dense is another matrix than MobileBERT's, and other decoders are no language model's.
      if (!ambiguous && std::find(tensor.shape.begin(), tensor.shape.end(), before) != tensor.shape.end()) {
        refuse(folder.source.string(), ": the tensor ", quote(tensor.name), " ", shape_text(tensor.shape),
               " is as large as the vocabulary, and it is not known what it is");
      }
      continue;
    }
    if (vector) {
      tensor.source = std::make_shared<ColumnsSource>(tensor.source, rows, before);
      tensor.shape = {after};
    } else if (known->columns) {
      tensor.source = std::make_shared<ColumnsSource>(tensor.source, rows, before);
      tensor.shape[1] = after;
    } else {
      tensor.source = std::make_shared<RowsSource>(tensor.source, rows, tensor.shape[1]);
      tensor.shape[0] = after;
    }
  }
}

// Calls `change` with every id in the fields …_token_id, single or in lists.
template <typename Change>
void for_each_id(Json& config, Change change) {
  for (auto& [key, value] : config.items()) {
    if (!key.ends_with("_token_id")) {
      continue;
    }
    if (value.is_array()) {
      for (Json& entry : value) {
        change(entry);
      }
    } else {
      change(value);
    }
  }
}

// Ids of tokens that there are get their new ones; others mean nothing, and become null.
void rewrite_ids(Json& config, const TokenIds& ids) {
  for_each_id(config, [&](Json& value) {
    if (value.is_number_unsigned()) {
      const auto id = ids.new_id(value.get<uint64_t>());
      value = id ? Json(*id) : Json();
    }
  });
}

// The tokens of the texts that the model itself puts before others.
std::vector<bool> prompted_tokens(const CheckpointFolder& folder, const CompiledTokenizer& compiled) {
  Counter counter(compiled);
  const auto modules = read_sentence_modules(folder.source);
  for (const Prompt& prompt : modules ? modules->prompts : std::vector<Prompt>()) {
    counter.add(prompt.text);
  }
  return {counter.counts().begin(), counter.counts().end()};
}

}  // namespace

uint32_t TokenCounts::seen() const {
  return static_cast<uint32_t>(std::count_if(counts.begin(), counts.end(), [](uint64_t count) { return count > 0; }));
}

TokenCounts count_tokens(const CheckpointFolder& folder, const fs::path& file,
                         const std::function<void(double fraction)>& progress) {
  const fs::path tokenizer_folder = folder.source / folder.transformer;
  const auto compiled = compile_tokenizer(tokenizer_folder);
  if (compiled == nullptr) {
    refuse(tokenizer_folder.string(), ": has no tokenizer, expected one whose vocabulary can be pruned");
  }
  if (const uint32_t rows = token_embedding(folder).shape[0]; compiled->size() > rows) {
    refuse(tokenizer_folder.string(), ": its tokenizer has ids up to ", compiled->size() - 1,
           ", but the token embedding has ", rows, " rows");
  }
  Counter counter(*compiled);
  const CalibrationTexts texts = read_calibration_texts(file, true);
  TokenCounts result;
  const std::string* pair = nullptr;  // the last one: questions about one context follow one another
  for (const CalibrationInput& input : texts.inputs) {
    counter.add(input.text);
    if (input.pair && (pair == nullptr || *pair != *input.pair)) {
      pair = &*input.pair;
      counter.add(*pair);
    }
    if (progress && result.texts % 256 == 0) {
      progress(static_cast<double>(result.texts) / static_cast<double>(texts.inputs.size()));
    }
    ++result.texts;
  }
  result.counts = counter.counts();
  result.prompted = prompted_tokens(folder, *compiled);
  return result;
}

VocabularyResult prune_vocabulary(CheckpointFolder& folder, const TokenCounts& counts, uint64_t min_count) {
  const fs::path tokenizer_folder = folder.source / folder.transformer;
  const std::string source = tokenizer_folder.string();
  const LoadedTokenizer loaded = load_tokenizer(tokenizer_folder).value();
  const uint32_t before = token_embedding(folder).shape[0];
  std::vector<bool> keep = counts.prompted;
  for (size_t id = 0; id < keep.size(); ++id) {
    keep[id] = keep[id] || counts.counts[id] >= std::max<uint64_t>(min_count, 1);
  }
  for_each_id(folder.config, [&](Json& value) {
    if (value.is_number_unsigned() && value.get<uint64_t>() < keep.size()) {
      keep[value.get<uint64_t>()] = true;
    }
  });
  const uint64_t padding = JsonObject(folder.config, "config.json").number("pad_token_id", 1, 0, UINT32_MAX);
  for (uint64_t id = 0; padding < kFirstIds && id <= padding && id < keep.size(); ++id) {
    keep[id] = true;
  }
  keep_needed(loaded, source, &keep);

  const auto ids = std::make_shared<const TokenIds>(loaded.tokenizer, keep);
  if (padding < kFirstIds && padding < keep.size() && ids->new_id(padding) != padding) {
    refuse(source, ": some of the ids up to pad_token_id, ", padding,
           ", have no token, so it would become another one");
  }
  std::map<std::string, std::optional<std::string>> files;
  try {
    files = prune_tokenizer_files(tokenizer_folder, loaded.tokenizer, *ids);
  } catch (const nlohmann::json::exception& error) {
    refuse(source, ": a tokenizer file cannot be rewritten: ", error.what());
  }
  const auto rows = std::make_shared<const std::vector<uint32_t>>(ids->old_ids());
  slice_tensors(folder, before, rows);
  rewrite_ids(folder.config, *ids);
  folder.config["vocab_size"] = rows->size();
  std::error_code ignored;
  if (fs::exists(tokenizer_folder / "generation_config.json", ignored)) {
    Json generation = JsonObject::load(tokenizer_folder / "generation_config.json").json();
    rewrite_ids(generation, *ids);
    files["generation_config.json"] = generation.dump(2) + "\n";
  }
  for (auto& [name, bytes] : files) {
    folder.files[folder.beside_config(name)] = std::move(bytes);
  }
  const auto earlier = folder.check;
  folder.check = [earlier, loaded, ids, transformer = folder.transformer](const fs::path& written) {
    if (earlier) {
      earlier(written);
    }
    check_pruned_tokenizer(written / transformer, loaded, *ids);
  };
  const auto after = static_cast<uint32_t>(rows->size());
  folder.passes.push_back("prune_vocabulary min_count=" + std::to_string(min_count) + " kept=" + std::to_string(after) +
                          "/" + std::to_string(before));
  return {counts.texts, before, counts.seen(), after};
}

VocabularyResult prune_vocabulary(CheckpointFolder& folder, const VocabularyOptions& options) {
  return prune_vocabulary(folder, count_tokens(folder, options.texts, options.progress), options.min_count);
}

}  // namespace kinglet::convert
