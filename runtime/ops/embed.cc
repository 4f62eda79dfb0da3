// The embedding: rows of its tables, added up. Rows of the token table are read with pread: looking them up through the
// mapping would bring in the whole table by fault-around.
#include <cstring>

#include "ops/execute.h"

namespace kinglet {
namespace {

struct Table {
  const fmt::Tensor* tensor;
  uint64_t width;

  bool s8() const { return tensor->dtype() == fmt::DType::s8; }
  bool tile() const { return tensor->layout() == fmt::Layout::tile16x8; }
  uint64_t offset(uint64_t row) const {
    if (tile()) {
      return row / 16 * ((width + 7) / 8) * 128 + row % 16 * 8;
    }
    return row * width * (s8() ? 1 : sizeof(float));
  }
  uint64_t span() const {
    return tile() ? (width + 7) / 8 * 128 - 120 : width * (s8() ? 1 : sizeof(float));
  }
};

constexpr uint64_t kNoRow = ~uint64_t{0};

// The table's row for row `row` of the batch, or kNoRow beyond the sequence.
uint64_t row_index(const Batch& batch, const fmt::EmbedTable& entry, uint32_t row, uint32_t sequence) {
  const auto token = [&](uint32_t at) { return static_cast<uint64_t>(static_cast<uint32_t>(batch.ids[at])); };
  switch (entry.index()) {
    case fmt::EmbedIndex::token: return token(row);
    case fmt::EmbedIndex::next_token: return row + 1 < batch.begin[sequence + 1] ? token(row + 1) : kNoRow;
    case fmt::EmbedIndex::previous_token: return row > batch.begin[sequence] ? token(row - 1) : kNoRow;
    case fmt::EmbedIndex::position: return uint64_t{row} - batch.begin[sequence] + entry.base();
    case fmt::EmbedIndex::counted_position: {
      const uint64_t padding = entry.base() - 1;
      uint64_t index = padding;
      for (uint32_t at = batch.begin[sequence]; at <= row && token(row) != padding; ++at) {
        index += token(at) != padding;
      }
      return index;
    }
    default: return static_cast<uint32_t>(batch.type_ids[row]);
  }
}

bool reads_tokens(const fmt::EmbedTable& entry) {
  return entry.index() != fmt::EmbedIndex::position && entry.index() != fmt::EmbedIndex::type &&
         entry.index() != fmt::EmbedIndex::counted_position;
}

// Whether the first table writes all columns of every row.
bool first_fills(const fmt::Model& model, const fmt::Embed& op, uint32_t width) {
  const fmt::EmbedTable& first = *op.tables()->Get(0);
  return model.tensors()->Get(first.table())->shape()->Get(1) == width &&
         first.index() != fmt::EmbedIndex::next_token && first.index() != fmt::EmbedIndex::previous_token;
}

// Adds a row of one table to each row of the block, or sets the rows to them. False when a row cannot be read.
bool add_table(const Run& run, const Block& block, const fmt::EmbedTable& entry, bool add, float* out, size_t stride) {
  const Model& model = *run.model;
  const fmt::Tensor* tensor = model.table().tensors()->Get(entry.table());
  const Table table = {tensor, tensor->shape()->Get(1)};
  const bool reads = reads_tokens(entry);
  const auto* mapped = reads ? nullptr : static_cast<const uint8_t*>(model.tensor(entry.table()));
  const auto* scales =
      table.s8() ? static_cast<const float*>(model.tensor(static_cast<uint32_t>(entry.scale()))) : nullptr;
  kernels::EmbedRow embed = {.row = block.work,
                             .s8 = table.s8(),
                             .tile = table.tile(),
                             .scale = 1.0f,
                             .add = add,
                             .out = out + entry.column(),
                             .n = static_cast<size_t>(table.width)};
  const uint64_t span = table.span();
  Error error;
  uint32_t sequence = 0;
  for (uint32_t row = block.begin; row < block.end; ++row, embed.out += stride) {
    while (row >= run.batch.begin[sequence + 1]) {
      ++sequence;
    }
    const uint64_t index = row_index(run.batch, entry, row, sequence);
    if (index == kNoRow) {
      continue;
    }
    if (reads) {
      if (model.read_tensor(entry.table(), table.offset(index), block.work, span, error) != KINGLET_OK) {
        return false;
      }
    } else {
      embed.row = mapped + table.offset(index);
    }
    if (scales != nullptr) {
      embed.scale = scales[index];
    }
    run.kernels->embed_row(embed);
  }
  return true;
}

}  // namespace

void run_embed(const Run& run, const Block& block, const Step& step) {
  constexpr uint32_t kRows = 16;  // that stay in the first-level cache
  const Slot& slot = run.plan->slot(step.out);
  const bool fills = first_fills(run.model->table(), *step.embed, slot.width);
  Block part = block;
  for (; part.begin < block.end; part.begin = part.end) {
    part.end = block.end - part.begin < kRows ? block.end : part.begin + kRows;
    float* const rows = rows_of(run, part, step.out);
    if (!fills) {
      std::memset(rows, 0, part.rows() * slot.stride() * sizeof(float));
    }
    bool add = !fills;
    for (const fmt::EmbedTable* entry : *step.embed->tables()) {
      if (!add_table(run, part, *entry, add, rows, slot.stride())) {
        run.report(Failure::io);
        return;
      }
      add = true;
    }
  }
}

}  // namespace kinglet
