// The embedding: rows of its tables, added up. Rows of the token table are read with pread: looking them up through the
// mapping would bring in the whole table by fault-around.
#include "ops/execute.h"

namespace kinglet {
namespace {

struct Table {
  const fmt::EmbedTable* entry;
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

uint64_t row_index(const Batch& batch, const fmt::EmbedTable& entry, uint32_t row, uint32_t sequence) {
  switch (entry.index()) {
    case fmt::EmbedIndex::token: return static_cast<uint32_t>(batch.ids[row]);
    case fmt::EmbedIndex::position: return uint64_t{row} - batch.begin[sequence] + entry.base();
    default: return static_cast<uint32_t>(batch.type_ids[row]);
  }
}

}  // namespace

void run_embed(const Run& run, const Block& block, const Step& step) {
  const Slot& slot = run.plan->slot(step.out);
  float* out = rows_of(run, block, step.out);
  uint32_t sequence = 0;
  for (uint32_t row = block.begin; row < block.end; ++row, out += slot.stride()) {
    while (row >= run.batch.begin[sequence + 1]) {
      ++sequence;
    }
    bool add = false;
    for (const fmt::EmbedTable* entry : *step.embed->tables()) {
      const Table table = {entry, run.model->table().tensors()->Get(entry->table()), slot.width};
      const uint64_t index = row_index(run.batch, *entry, row, sequence);
      const void* data = nullptr;
      if (entry->index() == fmt::EmbedIndex::token) {
        Error error;
        if (run.model->read_tensor(entry->table(), table.offset(index), block.work, table.span(), error) !=
            KINGLET_OK) {
          run.report(Failure::io);
          return;
        }
        data = block.work;
      } else {
        data = static_cast<const uint8_t*>(run.model->tensor(entry->table())) + table.offset(index);
      }
      const float* scales =
          table.s8() ? static_cast<const float*>(run.model->tensor(static_cast<uint32_t>(entry->scale()))) : nullptr;
      run.kernels->embed_row({.row = data,
                              .s8 = table.s8(),
                              .tile = table.tile(),
                              .scale = scales != nullptr ? scales[index] : 1.0f,
                              .add = add,
                              .out = out,
                              .n = slot.width});
      add = true;
    }
  }
}

}  // namespace kinglet
