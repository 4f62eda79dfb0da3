// Groups steps into stages, and finds how long each slot lives.
#include "plan/plan.h"

namespace kinglet {
namespace {

StageKind stage_kind(StepKind step) {
  switch (step) {
    case StepKind::pack: return StageKind::heads;
    case StepKind::xnnpack: return StageKind::exclusive;
    default: return StageKind::rows;
  }
}

// Calls visit(slot, whole) for every slot that a step reads; `whole`: rows of other blocks too.
template <typename Visit>
void visit_reads(const Step& step, Visit visit) {
  const bool attend = step.kind == StepKind::attend_s8 || step.kind == StepKind::attend_f32;
  const bool whole = step.kind == StepKind::pack || step.kind == StepKind::pool ||
                     step.kind == StepKind::xnnpack || step.kind == StepKind::neighbours;
  if (step.in != kNone) {
    visit(step.in, whole);
  }
  if (step.in2 != kNone) {
    visit(step.in2, whole || attend);
  }
  if (step.in3 != kNone) {
    visit(step.in3, whole || attend);
  }
}

}  // namespace

void Plan::group() {
  for (uint32_t i = 0; i < step_count_; ++i) {
    const Step& step = steps_[i];
    const StageKind kind = stage_kind(step.kind);
    const fmt::Extent extent = slots_[step.out].extent;
    bool fresh = stage_count_ == 0 || kind != StageKind::rows;
    if (!fresh) {
      const Stage& stage = stages_[stage_count_ - 1];
      fresh = stage.kind != kind || stage.extent != extent;
      visit_reads(step, [&](uint32_t slot, bool whole) {
        for (uint32_t j = stage.first_step; whole && j < i; ++j) {
          fresh = fresh || steps_[j].out == slot || steps_[j].out2 == slot;
        }
      });
    }
    if (fresh) {
      Stage& stage = stages_[stage_count_++] = Stage();
      stage.kind = kind;
      stage.extent = extent;
      stage.first_step = i;
    }
    stages_[stage_count_ - 1].step_count++;
    step_stages_[i] = stage_count_ - 1;
  }
}

// Where threads that share a block divide it otherwise than in the step before.
void Plan::mark_joins() {
  for (uint32_t i = 1; i < step_count_; ++i) {
    Step& step = steps_[i];
    const bool fresh = step_stages_[i] != step_stages_[i - 1];
    switch (step.kind) {
      case StepKind::gemm_s8:
      case StepKind::gemm_f32: step.by_columns = true; break;
      // Number by number: as the step before, which mostly was the product.
      case StepKind::activate:
      case StepKind::multiply: step.by_columns = !fresh && steps_[i - 1].by_columns; break;
      default: step.by_columns = false;
    }
    // What an int8 product reads was quantised row by row; an fp32 product may read another product's columns.
    step.joins = fresh || step.by_columns != steps_[i - 1].by_columns || step.kind == StepKind::gemm_f32;
  }
}

uint32_t Plan::phase_end(uint32_t step) const {
  ++step;
  while (step < step_count_ && !steps_[step].joins) {
    ++step;
  }
  return step;
}

void Plan::measure_lifetimes() {
  for (uint32_t i = 0; i < slot_count_; ++i) {
    slots_[i].first_step = kNone;
    slots_[i].last_step = 0;
    slots_[i].local = !slots_[i].output;
  }
  const auto use = [&](uint32_t id, uint32_t step, bool whole) {
    Slot& slot = slots_[id];
    if (slot.first_step == kNone) {
      slot.first_step = step;
    }
    slot.last_step = step;
    slot.local = slot.local && !whole && stages_[step_stages_[step]].kind == StageKind::rows &&
                 step_stages_[slot.first_step] == step_stages_[step];
  };
  for (uint32_t i = 0; i < step_count_; ++i) {
    visit_reads(steps_[i], [&](uint32_t slot, bool whole) { use(slot, i, whole); });
    use(steps_[i].out, i, false);
    if (steps_[i].out2 != kNone) {
      use(steps_[i].out2, i, false);
    }
  }
}

}  // namespace kinglet
