// Groups steps into stages, shares quantised rows inside a stage, and finds how long each slot lives.
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

// Queries, keys and values are quantised from the same rows: do it once. Rows are written once, so equal input and
// scale mean equal bytes.
void Plan::share_quantized() {
  for (uint32_t i = 0; i < step_count_; ++i) {
    if (steps_[i].kind != StepKind::quantize) {
      continue;
    }
    for (uint32_t j = stages_[step_stages_[i]].first_step; j < i; ++j) {
      const Step& earlier = steps_[j];
      if (earlier.kind != StepKind::quantize || earlier.in != steps_[i].in ||
          earlier.input_scale != steps_[i].input_scale || earlier.out == kNone) {
        continue;
      }
      steps_[i + 1].in = earlier.out;  // a quantize is always followed by its product
      steps_[i].out = kNone;
      break;
    }
  }
  // Drop the steps that were replaced.
  uint32_t kept = 0;
  for (uint32_t s = 0; s < stage_count_; ++s) {
    Stage& stage = stages_[s];
    const uint32_t first = stage.first_step;
    const uint32_t end = first + stage.step_count;
    stage.first_step = kept;
    for (uint32_t i = first; i < end; ++i) {
      if (steps_[i].out != kNone) {
        step_stages_[kept] = s;
        steps_[kept++] = steps_[i];
      }
    }
    stage.step_count = kept - stage.first_step;
  }
  step_count_ = kept;
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
