// Places the children of one node after the other into the first free slots that they all fit in (Yata's darts-clone:
// xor instead of addition, and only the last blocks of 256 are searched, which keeps it linear at about 97 % filled).
#include "tokenizers/trie_builder.h"

#include <utility>

#include "error.h"

namespace kinglet::convert {
namespace {

constexpr uint32_t kLeaf = 1 << 8, kValue = 1 << 9, kLimit = 1 << 22;
constexpr int kShift = 10;
constexpr uint32_t kBlock = 256, kOpenBlocks = 16;

class TrieBuilder {
 public:
  explicit TrieBuilder(const std::map<std::string, uint32_t>& strings) {
    for (const auto& [text, value] : strings) {
      if (!text.empty()) {
        if (value >= kLimit) {
          throw Error("a vocabulary of more than 4,194,304 tokens is not supported");
        }
        strings_.push_back({&text, value});
      }
    }
  }

  std::vector<uint32_t> build() {
    grow();
    used_[0] = true;
    --free_[0];
    std::vector<Task> tasks{{0, 0, static_cast<uint32_t>(strings_.size()), 0}};
    while (!tasks.empty()) {
      const Task task = tasks.back();
      tasks.pop_back();
      place(task, tasks);
    }
    return std::move(units_);
  }

 private:
  struct String {
    const std::string* text;
    uint32_t value;
  };
  // The strings [begin, end) share their first `depth` bytes, whose node is `unit`.
  struct Task {
    uint32_t unit, begin, end;
    size_t depth;
  };

  static uint32_t label(char byte) { return byte == 0 ? 0xff : static_cast<uint8_t>(byte); }

  void place(const Task& task, std::vector<Task>& tasks) {
    uint32_t begin = task.begin;
    const bool value = begin < task.end && strings_[begin].text->size() == task.depth;
    if (value && begin + 1 == task.end) {
      units_[task.unit] |= kLeaf | strings_[begin].value << kShift;
      return;
    }
    // Strings are sorted by bytes; a child is a stretch of them with the same next byte.
    std::vector<Task> children;
    std::vector<uint32_t> labels;
    if (value) {
      labels.push_back(0);
      ++begin;
    }
    for (uint32_t i = begin; i < task.end; ++i) {
      const uint32_t next = label((*strings_[i].text)[task.depth]);
      if (children.empty() || labels.back() != next) {
        labels.push_back(next);
        children.push_back({0, i, i, task.depth + 1});
      }
      children.back().end = i + 1;
    }
    if (labels.empty()) {
      return;
    }
    const uint32_t base = find_base(labels);
    units_[task.unit] |= base << kShift;
    if (value) {
      units_[task.unit] |= kValue;
      units_[base] = kLeaf | strings_[task.begin].value << kShift;
    }
    for (size_t i = 0; i < children.size(); ++i) {
      const uint32_t child_label = labels[i + value];
      children[i].unit = base ^ child_label;
      units_[children[i].unit] = child_label;
    }
    for (size_t i = children.size(); i-- > 0;) {
      tasks.push_back(children[i]);
    }
  }

  uint32_t find_base(const std::vector<uint32_t>& labels) {
    for (;;) {
      const uint32_t blocks = static_cast<uint32_t>(units_.size()) / kBlock;
      for (uint32_t block = blocks > kOpenBlocks ? blocks - kOpenBlocks : 0; block < blocks; ++block) {
        if (free_[block] < labels.size()) {
          continue;
        }
        for (uint32_t slot = block * kBlock; slot < (block + 1) * kBlock; ++slot) {
          if (used_[slot]) {
            continue;
          }
          const uint32_t base = slot ^ labels[0];
          // A unit knows its label and not its parent, so no two nodes may have the same base.
          bool fits = !is_base_[base];
          for (size_t i = 1; i < labels.size() && fits; ++i) {
            fits = !used_[base ^ labels[i]];
          }
          if (fits) {
            is_base_[base] = true;
            for (const uint32_t label : labels) {
              used_[base ^ label] = true;
            }
            free_[block] -= static_cast<uint32_t>(labels.size());
            return base;
          }
        }
      }
      grow();
    }
  }

  void grow() {
    if (units_.size() + kBlock > kLimit) {
      throw Error("the vocabulary is too large: its trie would have more than 4,194,304 nodes");
    }
    units_.resize(units_.size() + kBlock);
    used_.resize(units_.size());
    is_base_.resize(units_.size());
    free_.push_back(kBlock);
  }

  std::vector<String> strings_;
  std::vector<uint32_t> units_;
  std::vector<bool> used_, is_base_;
  std::vector<uint32_t> free_;  // slots per block
};

}  // namespace

std::vector<uint32_t> build_trie(const std::map<std::string, uint32_t>& strings) {
  return TrieBuilder(strings).build();
}

}  // namespace kinglet::convert
