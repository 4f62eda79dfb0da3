// What a .kgl file is made of, for the report.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace kinglet::convert {

struct Anatomy {
  uint64_t bytes = 0;  // of the file
  // In this order: embeddings, attention, feed-forward, heads, norms, tokenizer and program; together all bytes.
  std::vector<std::pair<std::string, uint64_t>> parts;
  std::vector<std::pair<std::string, std::string>> facts;  // architecture, task, labels, limits, passes
};

// Reads a model file, or an open one from its beginning. A matrix belongs to attention when an attention names it or
// reads its result first, to the embeddings when it comes before all attention, to the feed-forward blocks when a part
// of its name is a number (a layer's), and to the heads otherwise. Throws Error.
Anatomy read_anatomy(const std::filesystem::path& path);
Anatomy read_anatomy(int descriptor);

}  // namespace kinglet::convert
