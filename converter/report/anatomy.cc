// What a .kgl file is made of, read through the runtime's own loader.
#include "report/anatomy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string_view>

#include "base/text.h"
#include "model/model.h"

namespace kinglet::convert {

namespace {

enum Part { kEmbeddings, kAttention, kFeedForward, kHeads, kNorms, kParts };
constexpr const char* kNames[kParts] = {"embeddings", "attention", "feed-forward", "heads", "norms"};

std::string_view view(const flatbuffers::String* text) {
  return text != nullptr ? std::string_view(text->c_str(), text->size()) : std::string_view();
}

bool has_number(std::string_view name) {
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    if (end > begin &&
        std::all_of(name.begin() + static_cast<std::ptrdiff_t>(begin), name.begin() + static_cast<std::ptrdiff_t>(end),
                    [](unsigned char c) { return std::isdigit(c) != 0; })) {
      return true;
    }
    begin = end + 1;
  }
  return false;
}

class Anatomist {
 public:
  explicit Anatomist(const fmt::Model& table) : table_(table) {
    for (const fmt::Step* step : *table.program()) {
      read(*step);
    }
  }

  void sizes(Anatomy* anatomy) const {
    uint64_t bytes[kParts] = {}, all = 0;
    for (uint32_t id = 0; id < table_.tensors()->size(); ++id) {
      uint64_t size = 0;
      tensor_bytes(*table_.tensors()->Get(id), &size);
      const auto part = part_.find(id);
      bytes[part != part_.end() ? part->second : kNorms] += size;
      all += size;
    }
    for (int part = 0; part < kParts; ++part) {
      anatomy->parts.emplace_back(kNames[part], bytes[part]);
    }
    anatomy->parts.emplace_back("tokenizer and program", anatomy->bytes - std::min(all, anatomy->bytes));
  }

  std::string architecture() const {
    std::string heads;
    uint32_t least = UINT32_MAX, most = 0, least_heads = UINT32_MAX, most_heads = 0;
    size_t layers = 0;
    for (const fmt::Step* step : *table_.program()) {
      if (const fmt::Attention* op = step->op_as_Attention()) {
        ++layers;
        least_heads = std::min<uint32_t>(least_heads, op->heads());
        most_heads = std::max<uint32_t>(most_heads, op->heads());
        const uint32_t width = table_.values()->Get(op->query_in())->width();
        least = std::min(least, width);
        most = std::max(most, width);
      }
    }
    const auto range = [](uint32_t low, uint32_t high) {
      return low == high ? std::to_string(low) : std::to_string(low) + " to " + std::to_string(high);
    };
    return std::string(view(table_.architecture())) +
           (layers == 0 ? ""
                        : ": " + std::to_string(layers) + " layers, " + range(least, most) + " wide, " +
                              range(least_heads, most_heads) + " attention heads");
  }

 private:
  void claim(int64_t tensor, Part part) {
    if (tensor >= 0) {
      part_.emplace(static_cast<uint32_t>(tensor), part);
    }
  }

  void matrix(uint32_t id, Part part) {
    const fmt::Matrix& matrix = *table_.matrices()->Get(id);
    for (const int64_t tensor : {int64_t{matrix.weight()}, int64_t{matrix.scale()}, int64_t{matrix.column_sum()},
                                 int64_t{matrix.bias()}, int64_t{matrix.input_scale()}}) {
      claim(tensor, part);
    }
  }

  void read(const fmt::Step& step) {
    if (const fmt::Embed* op = step.op_as_Embed()) {
      for (const fmt::EmbedTable* table : *op->tables()) {
        claim(table->table(), kEmbeddings);
        claim(table->scale(), kEmbeddings);
      }
    } else if (const fmt::Attention* op = step.op_as_Attention()) {
      for (const uint32_t id : {op->query(), op->key(), op->value()}) {
        matrix(id, kAttention);
      }
      attended_.insert(op->out());
    } else if (const fmt::Linear* op = step.op_as_Linear()) {
      const std::string_view name = view(table_.tensors()->Get(table_.matrices()->Get(op->matrix())->weight())->name());
      const Part part = attended_.count(op->in()) != 0 ? kAttention
                        : attended_.empty()            ? kEmbeddings
                        : has_number(name)             ? kFeedForward
                                                       : kHeads;
      matrix(op->matrix(), part);
      if (op->gate() >= 0) {
        matrix(static_cast<uint32_t>(op->gate()), part);
      }
    }
  }

  const fmt::Model& table_;
  std::map<uint32_t, Part> part_;  // of each tensor; the first op that names it decides
  std::set<uint32_t> attended_;    // values that attention made
};

}  // namespace

Anatomy read_anatomy(const std::filesystem::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    refuse(path.string(), ": cannot be read back");
  }
  struct Closer {
    int descriptor;
    ~Closer() { close(descriptor); }
  } const closer{descriptor};
  return read_anatomy(descriptor);
}

Anatomy read_anatomy(int descriptor) {
  kinglet::Model model;
  kinglet::Error error;
  if (model.open_fd(descriptor, 0, 0, error) != KINGLET_OK) {
    refuse(error.message);
  }
  Anatomy anatomy;
  struct stat status = {};
  anatomy.bytes = fstat(descriptor, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
  const fmt::Model& table = model.table();
  const Anatomist anatomist(table);
  anatomist.sizes(&anatomy);
  anatomy.facts.emplace_back("Architecture", anatomist.architecture());
  anatomy.facts.emplace_back("Task", fmt::EnumNameTask(table.task()));
  if (table.labels() != nullptr && table.labels()->size() > 0) {
    std::string labels;
    constexpr uint32_t kShown = 24;
    for (uint32_t i = 0; i < std::min(table.labels()->size(), kShown); ++i) {
      labels += (i == 0 ? "" : ", ") + std::string(view(table.labels()->Get(i)));
    }
    anatomy.facts.emplace_back("Labels", labels + (table.labels()->size() > kShown ? ", …" : ""));
  }
  anatomy.facts.emplace_back("Texts", "cut at " + std::to_string(table.max_length()) + " tokens");
  anatomy.facts.emplace_back("Vocabulary", std::to_string(table.vocabulary()) + " tokens");
  if (const fmt::Provenance* provenance = table.provenance()) {
    std::string passes;
    for (uint32_t i = 0; provenance->passes() != nullptr && i < provenance->passes()->size(); ++i) {
      passes += (i == 0 ? "" : ", ") + std::string(view(provenance->passes()->Get(i)));
    }
    if (!passes.empty()) {
      anatomy.facts.emplace_back("Passes", passes);
    }
    anatomy.facts.emplace_back("Made by", view(provenance->converter()));
  }
  return anatomy;
}

}  // namespace kinglet::convert
