// Chooses the block of rows of every stage, and places slots in the arena and in the scratch by liveness.
#include "cpu/cpu.h"
#include "model/task_outputs.h"
#include "plan/plan.h"

namespace kinglet {
namespace {

using kernels::round_up;

constexpr uint64_t kAlign = 64;
constexpr uint32_t kMostBlockRows = 128;
constexpr uint32_t kLeastBlockRows = 8;

// Places one interval after the other at the lowest offset that no placed interval of overlapping life covers. The
// biggest go first. `life(id)` gives [first, last]; `chosen(id)` says which slots take part.
template <typename Chosen, typename Bytes, typename Life>
uint64_t place_slots(Buffer<Slot>& slots, uint32_t count, Buffer<uint32_t>& order, Chosen chosen, Bytes bytes,
                     Life life) {
  uint32_t placed = 0;
  uint64_t total = 0;
  uint32_t members = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (chosen(slots[i])) {
      order[members++] = i;
    }
  }
  for (uint32_t i = 1; i < members; ++i) {
    for (uint32_t j = i; j > 0 && bytes(slots[order[j]]) > bytes(slots[order[j - 1]]); --j) {
      const uint32_t other = order[j];
      order[j] = order[j - 1];
      order[j - 1] = other;
    }
  }
  for (; placed < members; ++placed) {
    Slot& slot = slots[order[placed]];
    const uint64_t size = bytes(slot);
    const auto [first, last] = life(slot);
    uint64_t offset = 0;
    for (bool moved = true; moved;) {
      moved = false;
      for (uint32_t j = 0; j < placed; ++j) {
        const Slot& other = slots[order[j]];
        const auto [other_first, other_last] = life(other);
        if (first <= other_last && other_first <= last && offset < other.offset + bytes(other) &&
            other.offset < offset + size) {
          offset = other.offset + bytes(other);
          moved = true;
        }
      }
    }
    slot.offset = offset;
    total = offset + size > total ? offset + size : total;
  }
  return total;
}

}  // namespace

// Threads that share a block are not all at the same step: its slots live from join to join.
Plan::Life Plan::life_in_block(const Slot& slot) const {
  if (capacity_.threads == 1) {
    return {slot.first_step, slot.last_step};
  }
  uint32_t first = slot.first_step;
  while (!steps_[first].joins) {
    --first;
  }
  return {first, phase_end(slot.last_step) - 1};
}

uint64_t Plan::slot_bytes(const Slot& slot, uint64_t rows) const {
  uint64_t bytes = 0;
  switch (slot.kind) {
    case SlotKind::rows:
      bytes = rows * slot.stride() * sizeof(float);
      break;
    case SlotKind::quantized:
      bytes =
          2 * round_up(rows * sizeof(float), kAlign) + kernels::activation_bytes(kernels_->layout, rows, slot.width);
      break;
    // Per key (rounded up to 16 per sequence): a tile row, a scale and a sum.
    case SlotKind::keys:
      bytes = capacity_.sequences * round_up(capacity_.max_length, 16) * slot.heads * (round_up(slot.width, 8) + 8);
      break;
    // Per key (rounded up to 8): a tile column; per dimension of a sequence's head: a scale and a sum.
    case SlotKind::values:
      bytes = capacity_.sequences * slot.heads * round_up(slot.width, 16) * (round_up(capacity_.max_length, 8) + 8);
      break;
  }
  return round_up(bytes, kAlign);
}

// The most rows of a block, `most_rows` at most, whose scratch takes no more than `most_bytes`; sets the bytes of it.
uint32_t Plan::fit_block(Buffer<uint32_t>& order, const Stage& stage, uint64_t most_rows, uint64_t most_bytes,
                         uint64_t* bytes) {
  const uint32_t first = stage.first_step;
  const uint32_t last = first + stage.step_count - 1;
  const uint64_t most = capacity_.rows(stage.extent);
  uint64_t rows = most < most_rows ? most : most_rows;
  for (;;) {
    *bytes = place_slots(
        slots_, slot_count_, order,
        [&](const Slot& slot) { return slot.local && slot.first_step >= first && slot.first_step <= last; },
        [&](const Slot& slot) { return slot_bytes(slot, rows); },
        [&](const Slot& slot) { return life_in_block(slot); });
    if (*bytes <= most_bytes || rows <= kLeastBlockRows) {
      return static_cast<uint32_t>(rows);
    }
    const uint64_t fitting = rows * most_bytes / *bytes;
    rows = fitting < rows ? fitting : rows - 1;
    rows = rows < kLeastBlockRows ? kLeastBlockRows : rows;
  }
}

uint64_t Plan::weight_bytes(const Stage& stage) const {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < stage.step_count; ++i) {
    const Step& step = steps_[stage.first_step + i];
    const uint64_t count = uint64_t{step.weights.n} * step.weights.k;
    bytes += step.kind == StepKind::gemm_s8 ? count : step.kind == StepKind::gemm_f32 ? count * sizeof(float) : 0;
  }
  return bytes;
}

// Blocks whose scratch fits half of the second-level cache. A unit as fast as AMX waits for weights, though: it gets
// longer blocks where short ones would read more of the weights again than long ones put out of that cache and read
// back. Returns the bytes of the scratch.
uint64_t Plan::choose_block_rows(Buffer<uint32_t>& order, Stage& stage) {
  uint64_t bytes = 0;
  const uint64_t rows = capacity_.rows(stage.extent);
  const auto fit_short = [&] { return fit_block(order, stage, kMostBlockRows, l2_cache_bytes() / 2, &bytes); };
  stage.block_rows = fit_short();
  if (kernels_->isa != kernels::Isa::amx_int8 || rows <= stage.block_rows) {
    return bytes;
  }
  const uint64_t again = (rows - 1) / stage.block_rows * weight_bytes(stage);
  stage.block_rows = fit_block(order, stage, 2 * kMostBlockRows, 4 * l2_cache_bytes(), &bytes);
  if (again <= 2 * bytes) {
    stage.block_rows = fit_short();
  }
  return bytes;
}

kinglet_status Plan::place(Error& error) {
  Buffer<uint32_t> order;
  if (!order.allocate(slot_count_ + 1)) {
    return fail(error, KINGLET_OUT_OF_MEMORY, "no memory to plan %u slots", slot_count_);
  }
  local_bytes_ = work_bytes_ = 0;
  for (uint32_t i = 0; i < stage_count_; ++i) {
    Stage& stage = stages_[i];
    const uint64_t bytes = choose_block_rows(order, stage);
    local_bytes_ = bytes > local_bytes_ ? bytes : local_bytes_;
    if (capacity_.threads > 1) {
      const uint64_t most = uint64_t{stage.block_rows} * capacity_.threads;
      const uint64_t cheap = weight_bytes(stage) / capacity_.shared_row_cost;
      stage.shared_rows = static_cast<uint32_t>(cheap < most ? cheap : most);
    }
  }
  for (uint32_t i = 0; i < step_count_; ++i) {
    work_bytes_ = steps_[i].work_bytes > work_bytes_ ? steps_[i].work_bytes : work_bytes_;
  }
  work_bytes_ = round_up(work_bytes_, kAlign);
  // Blocks of one stage pass through its steps at different times: whole stages are the unit of life in the arena.
  arena_bytes_ = place_slots(
      slots_, slot_count_, order, [](const Slot& slot) { return !slot.local && slot.first_step != kNone; },
      [&](const Slot& slot) { return slot_bytes(slot, capacity_.rows(slot.extent)); },
      [&](const Slot& slot) {
        return Life{step_stages_[slot.first_step], slot.output ? stage_count_ : step_stages_[slot.last_step]};
      });
  return KINGLET_OK;
}

// Rows lie padded to 16 while the program runs; what the caller sees is dense. A slot that serves one output whole is
// made dense where it lies, others get a place in the results.
kinglet_status Plan::plan_outputs(const Model& model, Error& error) {
  const fmt::Model& table = model.table();
  if (!outputs_.allocate(table.outputs()->size())) {
    return fail(error, KINGLET_OUT_OF_MEMORY, "no memory to plan the outputs");
  }
  const auto keep = [&](int32_t value) {
    if (value < 0) {
      return kNone;
    }
    const uint32_t slot = value_slots_[static_cast<uint32_t>(value)];
    slots_[slot].output = true;
    return slot;
  };
  embedding_slot_ = keep(table.embedding());
  logits_slot_ = keep(table.logits());
  const TaskOutputs found = find_task_outputs(table);
  for (uint32_t i = 0; i < found.wanted; ++i) {
    task_outputs_[i] = {keep(static_cast<int32_t>(found.outputs[i]->value())),
                        found.outputs[i]->column() < 0 ? 0u : static_cast<uint32_t>(found.outputs[i]->column()),
                        width_of(table, *found.outputs[i])};
  }
  result_bytes_ = 0;
  for (uint32_t i = 0; i < outputs_.size(); ++i) {
    outputs_[i] = PlannedOutput();
    if (!capacity_.raw_outputs) {
      continue;
    }
    const fmt::Output& output = *table.outputs()->Get(i);
    PlannedOutput& planned = outputs_[i];
    planned.slot = keep(static_cast<int32_t>(output.value()));
    planned.column = output.column();
    const Slot& slot = slots_[planned.slot];
    planned.width = planned.column < 0 ? slot.width : 1;
    planned.in_place = slot.width == slot.stride() && planned.column < 0;
    if (!planned.in_place) {
      planned.offset = result_bytes_;
      result_bytes_ += round_up(capacity_.rows(slot.extent) * planned.width * sizeof(float), kAlign);
    }
  }
  return KINGLET_OK;
}

kinglet_status Plan::build(const Model& model, const kernels::Kernels& kernels, const Capacity& capacity,
                           bool use_xnnpack, Error& error) {
  kernels_ = &kernels;
  capacity_ = capacity;
  use_xnnpack_ = use_xnnpack;
  KINGLET_TRY(lower(model, error));
  if (!stages_.allocate(step_count_) || !step_stages_.allocate(step_count_)) {
    return fail(error, KINGLET_OUT_OF_MEMORY, "no memory to plan %u steps", step_count_);
  }
  KINGLET_TRY(plan_outputs(model, error));
  group();
  mark_joins();
  measure_lifetimes();
  return place(error);
}

}  // namespace kinglet
