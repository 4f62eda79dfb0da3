// Whole words, their neighbours, and copies.
#include "train/augment.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>

#include "train/numbers.h"

namespace kinglet::train {

namespace {

constexpr size_t kCandidates = 8192, kNeighbours = 15;

// What pieces say about where words begin.
class Words {
 public:
  explicit Words(const Model& model) : model_(model) {}

  bool continues(int32_t id) const {
    const std::string_view text = model_.token(id);
    return marks_inside() ? text.starts_with("##") : !begins_marked(text);
  }
  // A piece that can stand for a word: letters behind the mark.
  bool is_word(int32_t id) const {
    std::string_view text = model_.token(id);
    if (continues(id)) {
      return false;
    }
    if (begins_marked(text)) {
      text.remove_prefix(text.starts_with(kSentencePiece) ? kSentencePiece.size() : kByteLevel.size());
    }
    return text.size() > 1 && std::all_of(text.begin(), text.end(), [](char c) {
             return static_cast<unsigned char>(c) >= 0x80 || std::isalpha(static_cast<unsigned char>(c)) != 0;
           });
  }

 private:
  static constexpr std::string_view kSentencePiece = "\xe2\x96\x81", kByteLevel = "\xc4\xa0";

  static bool begins_marked(std::string_view text) {
    return text.starts_with(kSentencePiece) || text.starts_with(kByteLevel);
  }
  bool marks_inside() const {
    if (marks_inside_ < 0) {
      marks_inside_ = 0;
      for (int32_t id = 0; id < static_cast<int32_t>(model_.info().vocabulary) && marks_inside_ == 0; ++id) {
        marks_inside_ = model_.token(id).starts_with("##") ? 1 : 0;
      }
    }
    return marks_inside_ == 1;
  }

  const Model& model_;
  mutable int marks_inside_ = -1;
};

bool is_whole(const Words& words, const Example& example, size_t place) {
  return words.is_word(example.ids[place]) &&
         (place + 1 == example.ids.size() || !words.continues(example.ids[place + 1]));
}

// The nearest of the candidates, by id.
std::map<int32_t, std::vector<int32_t>> find_neighbours(const convert::Tensor& table,
                                                        const std::vector<int32_t>& candidates) {
  const size_t width = table.columns(), count = candidates.size();
  std::vector<float> rows(count * width);
  for (size_t i = 0; i < count; ++i) {
    float* row = &rows[i * width];
    table.source->read(static_cast<uint64_t>(candidates[i]), 1, row);
    double square = 0;
    for (size_t k = 0; k < width; ++k) {
      square += static_cast<double>(row[k]) * static_cast<double>(row[k]);
    }
    const auto scale = static_cast<float>(1 / std::sqrt(std::max(square, 1e-30)));
    std::for_each(row, row + width, [scale](float& x) { x *= scale; });
  }
  std::map<int32_t, std::vector<int32_t>> neighbours;
  std::vector<std::pair<float, size_t>> scores(count);
  const size_t kept = std::min(kNeighbours, count - 1);
  for (size_t i = 0; i < count; ++i) {
    const float* a = &rows[i * width];
    for (size_t j = 0; j < count; ++j) {
      const float* b = &rows[j * width];
      float lanes[16] = {};
      size_t k = 0;
      for (; k + 16 <= width; k += 16) {
        for (size_t lane = 0; lane < 16; ++lane) {
          lanes[lane] += a[k + lane] * b[k + lane];
        }
      }
      float sum = 0;
      for (; k < width; ++k) {
        sum += a[k] * b[k];
      }
      for (const float lane : lanes) {
        sum += lane;
      }
      scores[j] = {i == j ? 2.0f : -sum, j};  // the nearest first, itself last
    }
    std::partial_sort(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(kept), scores.end());
    for (size_t n = 0; n < kept; ++n) {
      neighbours[candidates[i]].push_back(candidates[scores[n].second]);
    }
  }
  return neighbours;
}

}  // namespace

void augment(const convert::ModelIR& teacher, const Model& tokens, const Augmentation& settings, ExampleSet* set) {
  const Words words(tokens);
  std::map<int32_t, size_t> counts;
  for (const Example& example : set->examples) {
    for (size_t i = 0; i < example.ids.size(); ++i) {
      if (is_whole(words, example, i)) {
        ++counts[example.ids[i]];
      }
    }
  }
  std::vector<int32_t> candidates;
  for (const auto& [id, count] : counts) {
    candidates.push_back(id);
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](int32_t a, int32_t b) { return counts.at(a) > counts.at(b); });
  candidates.resize(std::min(candidates.size(), kCandidates));
  if (candidates.size() < 2) {
    return;
  }
  uint32_t table = 0;
  for (const convert::Op& op : teacher.program) {
    if (const auto* embed = std::get_if<convert::EmbedOp>(&op)) {
      for (const convert::EmbedTable& entry : embed->tables) {
        table = entry.index == fmt::EmbedIndex::token ? entry.table : table;
      }
    }
  }
  const auto neighbours = find_neighbours(teacher.tensors[table], candidates);
  const size_t texts = set->examples.size();
  for (uint32_t copy = 0; copy < settings.copies; ++copy) {
    for (size_t i = 0; i < texts; ++i) {
      Random random(mix_seed(mix_seed(settings.seed, 0x61756700 + copy), i));
      Example example;
      example.ids = set->examples[i].ids;
      example.types = set->examples[i].types;
      example.score = std::numeric_limits<float>::quiet_NaN();
      for (size_t place = 0; place < example.ids.size(); ++place) {
        const auto near = neighbours.find(set->examples[i].ids[place]);
        if (near != neighbours.end() && random.uniform() < settings.share && is_whole(words, set->examples[i], place)) {
          example.ids[place] = near->second[random.below(near->second.size())];
        }
      }
      set->examples.push_back(std::move(example));
    }
  }
}

}  // namespace kinglet::train
