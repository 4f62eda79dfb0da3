// Plans: no two living slots share memory, stages cover all steps in order, and unused ops are left out.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cpu/cpu.h"
#include "plan/plan.h"
#include "support/model_builder.h"

using namespace kinglet;
using namespace kinglet::test;

namespace {

struct Planned {
  Bytes file;
  Model model;
  Plan plan;
};

void build(const BertOptions& options, Capacity capacity, Planned* out) {
  out->file = build_model(small_bert(options));
  Error error;
  REQUIRE_MESSAGE(out->model.open_memory(out->file.data(), out->file.size(), error) == KINGLET_OK, error.message);
  REQUIRE(out->plan.build(out->model, *kernels_in_use(), capacity, false, error) == KINGLET_OK);
}

uint32_t stage_of(const Plan& plan, uint32_t step) {
  for (uint32_t i = 0; i < plan.stage_count(); ++i) {
    const Stage& stage = plan.stages()[i];
    if (step >= stage.first_step && step < stage.first_step + stage.step_count) {
      return i;
    }
  }
  return kNone;
}

// The first and the last step at which threads may be while a step is done: of one thread, that step alone.
struct Phase {
  uint32_t first, last;
};
Phase phase_of(const Plan& plan, uint32_t step) {
  Phase phase = {step, step};
  while (plan.capacity().threads > 1 && !plan.steps()[phase.first].joins) {
    --phase.first;
  }
  while (plan.capacity().threads > 1 && phase.last + 1 < plan.step_count() && !plan.steps()[phase.last + 1].joins) {
    ++phase.last;
  }
  return phase;
}

bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) { return a < b + b_size && b < a + a_size; }

void check_no_overlap(const Plan& plan) {
  std::vector<uint32_t> used;
  for (uint32_t i = 0; i < plan.step_count(); ++i) {
    for (const uint32_t slot : {plan.steps()[i].out, plan.steps()[i].out2}) {
      if (slot != kNone && std::find(used.begin(), used.end(), slot) == used.end()) {
        used.push_back(slot);
      }
    }
  }
  for (const uint32_t i : used) {
    const Slot& a = plan.slot(i);
    const uint32_t a_stage = stage_of(plan, a.first_step);
    const uint64_t rows = a.local ? plan.stages()[a_stage].block_rows : plan.capacity().rows(a.extent);
    const uint64_t a_size = plan.slot_bytes(a, rows);
    CHECK(a.offset + a_size <= (a.local ? plan.local_bytes() : plan.arena_bytes()));
    for (const uint32_t j : used) {
      const Slot& b = plan.slot(j);
      const uint32_t b_stage = stage_of(plan, b.first_step);
      if (i >= j || a.local != b.local || (a.local && a_stage != b_stage)) {
        continue;
      }
      const auto last = [&](const Slot& slot) {
        return slot.local ? phase_of(plan, slot.last_step).last
               : slot.output ? static_cast<uint32_t>(plan.stage_count())
                             : stage_of(plan, slot.last_step);
      };
      const uint32_t a_first = a.local ? phase_of(plan, a.first_step).first : a_stage;
      const uint32_t b_first = b.local ? phase_of(plan, b.first_step).first : b_stage;
      const uint64_t b_rows = b.local ? plan.stages()[b_stage].block_rows : plan.capacity().rows(b.extent);
      if (a_first <= last(b) && b_first <= last(a)) {
        CAPTURE(i);
        CAPTURE(j);
        CHECK_FALSE(overlap(a.offset, a_size, b.offset, plan.slot_bytes(b, b_rows)));
      }
    }
  }
}

Capacity capacity_of(uint32_t sequences, uint32_t max_length, bool raw) {
  Capacity capacity;
  capacity.sequences = sequences;
  capacity.max_length = max_length;
  capacity.raw_outputs = raw;
  return capacity;
}

}  // namespace

TEST_CASE("slots that live at the same time do not share memory") {
  for (const bool int8 : {false, true}) {
    for (const fmt::Task task : {fmt::Task::embed, fmt::Task::classify}) {
      for (const uint32_t sequences : {1u, 3u, 40u}) {
        for (const uint32_t length : {2u, 9u, 16u}) {
          for (const bool raw : {false, true}) {
            for (const uint32_t threads : {1u, 2u}) {
              BertOptions options;
              options.int8 = int8;
              options.gated = threads == 2;
              options.task = task;
              options.layers = 3;
              Capacity capacity = capacity_of(sequences, length, raw);
              capacity.threads = threads;
              Planned planned;
              build(options, capacity, &planned);
              check_no_overlap(planned.plan);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("stages cover the steps in order, and an int8 layer has two joins") {
  BertOptions options;
  options.int8 = true;
  options.layers = 4;
  Planned planned;
  build(options, capacity_of(2, 16, false), &planned);
  uint32_t next = 0;
  for (uint32_t i = 0; i < planned.plan.stage_count(); ++i) {
    CHECK(planned.plan.stages()[i].first_step == next);
    next += planned.plan.stages()[i].step_count;
    CHECK(planned.plan.stages()[i].block_rows >= 1);
  }
  CHECK(next == planned.plan.step_count());
  // Projections; then per layer: pack, attention to the next layer's projections; then the pool.
  CHECK(planned.plan.stage_count() == 1 + 2 * 4 + 1);
}

TEST_CASE("queries, keys and values share one quantised input") {
  BertOptions options;
  options.int8 = true;
  options.layers = 1;
  Planned planned;
  build(options, capacity_of(1, 16, false), &planned);
  uint32_t quantized = 0;
  for (uint32_t i = 0; i < planned.plan.step_count(); ++i) {
    quantized += planned.plan.steps()[i].kind == StepKind::quantize ? 1 : 0;
  }
  CHECK(quantized == 4);  // projections, attention output, up, down
}

TEST_CASE("threads share blocks of as few rows as the weights of a stage pay for") {
  BertOptions options;
  options.int8 = true;
  options.layers = 2;
  Capacity capacity = capacity_of(1, 16, false);
  const uint64_t layer = 4 * 32 * 32 + 2 * 32 * 64;  // from attention to the next layer's projections
  for (const uint32_t threads : {1u, 2u, 3u}) {
    for (const uint32_t cost : {1u, 1000u, 2000u, 10'000u}) {
      CAPTURE(threads);
      CAPTURE(cost);
      capacity.threads = threads;
      capacity.shared_row_cost = cost;
      Planned planned;
      build(options, capacity, &planned);
      const Stage& stage = planned.plan.stages()[2];
      REQUIRE(planned.plan.steps()[stage.first_step].kind == StepKind::attend_s8);
      CHECK(stage.shared_rows == (threads == 1 ? 0 : std::min<uint64_t>(layer / cost, uint64_t{16} * threads)));
    }
  }
}

TEST_CASE("in a shared block, products are divided by columns and joined with what is divided by rows") {
  BertOptions options;
  options.int8 = true;
  options.layers = 2;
  Planned planned;
  build(options, capacity_of(1, 16, false), &planned);
  const Stage& stage = planned.plan.stages()[2];
  std::string phases;
  for (uint32_t i = stage.first_step; i < stage.first_step + stage.step_count; ++i) {
    const Step& step = planned.plan.steps()[i];
    phases += step.joins ? "|" : "";
    phases += step.by_columns ? 'c' : 'r';
  }
  // Attention, quantised; output; norm, quantised; up, gelu; quantised; down; norm, quantised; keys, values, queries.
  CHECK(phases == "|rr|c|rr|cc|r|c|rr|ccc");
}

TEST_CASE("outputs that nobody asked for are not computed") {
  BertOptions options;
  options.task = fmt::Task::classify;
  Planned planned;
  build(options, capacity_of(1, 16, false), &planned);
  for (const PlannedOutput& output : planned.plan.outputs()) {
    CHECK(output.slot == kNone);
  }
  CHECK(planned.plan.logits_slot() != kNone);
  CHECK(planned.plan.embedding_slot() == kNone);
  CHECK(planned.plan.result_bytes() == 0);
}
