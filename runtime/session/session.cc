#include "session/session.h"

#include <cstring>

#include "base/fp_environment.h"
#include "cpu/cpu.h"

namespace kinglet {
namespace {

constexpr uint32_t kMostSequences = 65'536;
constexpr uint64_t kMostTokens = uint64_t{1} << 24;

kinglet_status find_prompt(const fmt::Model& table, const char* name, std::string_view* out, Error& error) {
  *out = {};
  if (name == nullptr) {
    if (table.default_prompt() >= 0) {
      *out = table.prompts()->Get(static_cast<uint32_t>(table.default_prompt()))->text()->string_view();
    }
    return KINGLET_OK;
  }
  if (name[0] == '\0') {
    return KINGLET_OK;
  }
  if (table.prompts() != nullptr) {
    for (const fmt::Prompt* prompt : *table.prompts()) {
      if (prompt->name()->string_view() == name) {
        *out = prompt->text()->string_view();
        return KINGLET_OK;
      }
    }
  }
  return fail(error, KINGLET_INVALID_ARGUMENT, "prompt '%.100s': the model has %u prompts, none of that name", name,
              table.prompts() != nullptr ? table.prompts()->size() : 0);
}

}  // namespace

kinglet_status Session::create(const Model& model, const kinglet_session_options& options, Error& error,
                               uint32_t shared_row_cost) {
  model_ = &model;
  const fmt::Model& table = model.table();
  Capacity capacity;
  capacity.sequences = options.batch == 0 ? 1 : options.batch;
  capacity.max_length = options.max_length == 0 ? table.max_length() : options.max_length;
  capacity.raw_outputs = options.raw_outputs != 0;
  capacity.shared_row_cost = shared_row_cost;
  if (capacity.max_length > table.max_length()) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "max_length: %u is more than the model's limit of %u tokens",
                capacity.max_length, table.max_length());
  }
  if (capacity.sequences > kMostSequences || capacity.tokens() > kMostTokens) {
    return fail(error, KINGLET_INVALID_ARGUMENT,
                "batch: %u sequences of %u tokens are too many, expected at most %llu tokens", capacity.sequences,
                capacity.max_length, static_cast<unsigned long long>(kMostTokens));
  }
  if (options.offset_unit > KINGLET_OFFSETS_CODEPOINTS) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "offset_unit: %d is not a kinglet_offset_unit",
                static_cast<int>(options.offset_unit));
  }
  offset_unit_ = options.offset_unit;
  KINGLET_TRY(find_prompt(table, options.prompt, &prompt_, error));
  const kernels::Kernels* kernels = nullptr;
  KINGLET_TRY(choose_kernels(&kernels, error));
  if (options.pool != nullptr) {
    KINGLET_TRY(pool_.borrow(*options.pool, error));
  } else {
    KINGLET_TRY(pool_.start(options.threads == 0 ? 1 : options.threads, error));
  }
  capacity.threads = pool_.threads();
  const bool use_xnnpack = XnnpackOperators::available() && table.precision()->string_view() == "fp32";
  KINGLET_TRY(plan_.build(model, *kernels, capacity, use_xnnpack, error));
  KINGLET_TRY(allocate(error));
  KINGLET_TRY(prepare_xnnpack(error));
  run_.model = model_;
  run_.plan = &plan_;
  run_.kernels = kernels;
  run_.arena = arena_.data();
  run_.failure = &failure_;
  return KINGLET_OK;
}

kinglet_status Session::allocate(Error& error) {
  const Capacity& capacity = plan_.capacity();
  const uint64_t tokens = capacity.tokens();
  const uint64_t scratch_bytes = (plan_.local_bytes() + plan_.work_bytes()) * capacity.threads;
  const uint64_t bytes[] = {plan_.arena_bytes(), scratch_bytes, plan_.result_bytes()};
  // XNNPACK reads up to 16 bytes past the last row.
  constexpr uint64_t kOverread = 64;
  const bool fits = bytes[0] + kOverread <= SIZE_MAX && bytes[1] <= SIZE_MAX && bytes[2] <= SIZE_MAX &&
                    arena_.allocate(static_cast<size_t>(bytes[0] + kOverread)) &&
                    scratch_.allocate(static_cast<size_t>(bytes[1])) &&
                    results_.allocate(static_cast<size_t>(bytes[2])) && ids_.allocate(static_cast<size_t>(tokens)) &&
                    type_ids_.allocate(static_cast<size_t>(tokens)) && begin_.allocate(capacity.sequences + 1) &&
                    key_begin_.allocate(capacity.sequences + 1) && value_begin_.allocate(capacity.sequences + 1) &&
                    next_items_.allocate(plan_.step_count() * capacity.threads);
  memory_ = static_cast<size_t>(bytes[0] + bytes[1] + bytes[2] + 2 * tokens * sizeof(int32_t));
  if (!fits) {
    return fail(error, KINGLET_OUT_OF_MEMORY, "no memory for a session of %u sequences of %u tokens: %llu MiB",
                capacity.sequences, capacity.max_length,
                static_cast<unsigned long long>((bytes[0] + bytes[1] + bytes[2]) >> 20));
  }
  return KINGLET_OK;
}

kinglet_status Session::prepare_xnnpack(Error& error) {
  if (plan_.xnnpack_count() == 0) {
    return KINGLET_OK;
  }
  KINGLET_TRY(xnnpack_.start(plan_.xnnpack_count(), plan_.capacity().threads, error));
  for (uint32_t i = 0; i < plan_.step_count(); ++i) {
    const Step& step = plan_.steps()[i];
    if (step.kind == StepKind::xnnpack) {
      KINGLET_TRY(xnnpack_.prepare(step.xnnpack, static_cast<const float*>(step.weights.w), step.weights.bias,
                                   step.weights.n, step.weights.k, plan_.slot(step.in).stride(),
                                   plan_.slot(step.out).stride(), error));
    }
  }
  memory_ += xnnpack_.packed_bytes();
  return KINGLET_OK;
}

kinglet_status Session::check_ids(const kinglet_input& input, size_t index, Error& error) const {
  const fmt::Model& table = model_->table();
  if (input.id_count > max_length()) {
    return fail(error, KINGLET_TOO_LONG, "input %zu: %zu ids, expected at most %u", index, input.id_count,
                max_length());
  }
  for (size_t i = 0; i < input.id_count; ++i) {
    if (input.ids[i] < 0 || static_cast<uint32_t>(input.ids[i]) >= table.vocabulary()) {
      return fail(error, KINGLET_INVALID_ARGUMENT, "input %zu: ids[%zu] is %d, expected 0 to %u", index, i,
                  input.ids[i], table.vocabulary() - 1);
    }
    if (input.type_ids != nullptr &&
        (input.type_ids[i] < 0 || static_cast<uint32_t>(input.type_ids[i]) >= table.type_count())) {
      return fail(error, KINGLET_INVALID_ARGUMENT, "input %zu: type_ids[%zu] is %d, expected 0 to %u", index, i,
                  input.type_ids[i], table.type_count() - 1);
    }
  }
  return KINGLET_OK;
}

kinglet_status Session::add(const kinglet_input& input, std::string_view prefix, size_t index, bool* truncated,
                            Error& error) {
  const uint32_t first = sequences_ == 0 ? 0 : begin_[sequences_];
  *truncated = false;
  size_t count = 0;
  if (input.ids != nullptr) {
    KINGLET_TRY(check_ids(input, index, error));
    count = input.id_count;
    std::memcpy(&ids_[first], input.ids, count * sizeof(int32_t));
    if (input.type_ids != nullptr) {
      std::memcpy(&type_ids_[first], input.type_ids, count * sizeof(int32_t));
    } else {
      std::memset(&type_ids_[first], 0, count * sizeof(int32_t));
    }
  } else {
    if (!model_->has_tokenizer()) {
      return fail(error, KINGLET_INVALID_ARGUMENT, "input %zu: the model has no tokenizer; it takes ids only", index);
    }
    if (input.text == nullptr && input.text_length > 0) {
      return fail(error, KINGLET_INVALID_ARGUMENT, "input %zu: neither a text nor ids", index);
    }
    TokenSink sink;
    sink.ids = &ids_[first];
    sink.type_ids = &type_ids_[first];
    sink.capacity = max_length();
    const std::string_view pair(input.pair, input.pair_length);
    KINGLET_TRY(model_->tokenizer().encode(prefix, std::string_view(input.text, input.text_length),
                                           input.pair != nullptr ? &pair : nullptr, max_length(), sink, error));
    count = sink.size;
    *truncated = sink.truncated;
  }
  if (count == 0) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "input %zu: no tokens, expected one at least", index);
  }
  begin_[0] = 0;
  begin_[++sequences_] = first + static_cast<uint32_t>(count);
  return KINGLET_OK;
}

void Session::lay_out_batch() {
  for (uint32_t i = 0; i < sequences_; ++i) {
    const uint32_t length = begin_[i + 1] - begin_[i];
    key_begin_[i + 1] = key_begin_[i] + static_cast<uint32_t>(kernels::round_up(length, 16));
    value_begin_[i + 1] = value_begin_[i] + static_cast<uint32_t>(kernels::round_up(length, 8));
  }
  run_.batch = {ids_.data(), type_ids_.data(), begin_.data(), sequences_};
  run_.key_begin = key_begin_.data();
  run_.value_begin = value_begin_.data();
}

kinglet_status Session::run(Error& error) {
  if (sequences_ == 0) {
    return KINGLET_OK;
  }
  lay_out_batch();
  failure_.store(0, std::memory_order_relaxed);
  for (uint32_t& next : next_items_) {
    next = 0;
  }
  barrier_.reset(pool_.threads());
  pool_.run([](void* session, uint32_t thread) { static_cast<Session*>(session)->work(thread); }, this);
  switch (static_cast<Failure>(failure_.load(std::memory_order_relaxed))) {
    case Failure::non_finite:
      return fail(error, KINGLET_NON_FINITE, "an activation is infinite or not a number: the weights are too large");
    case Failure::io:
      return fail(error, KINGLET_IO_ERROR, "the model file can no longer be read");
    case Failure::backend:
      return fail(error, KINGLET_UNSUPPORTED, "XNNPACK refused a matrix product");
    case Failure::none:
      break;
  }
  if (cancelled()) {
    return fail(error, KINGLET_CANCELLED, "cancelled");
  }
  if (!collect_outputs()) {
    return fail(error, KINGLET_NON_FINITE, "an output is infinite or not a number: the weights are too large");
  }
  return KINGLET_OK;
}

const float* Session::sequence_row(uint32_t slot, uint32_t sequence) const {
  return arena_rows(run_, slot) + sequence * plan_.slot(slot).stride();
}

const float* Session::token_row(uint32_t task_output, uint32_t sequence, uint32_t token) const {
  const TaskOutput& output = plan_.task_output(task_output);
  return arena_rows(run_, output.slot) + size_t{begin_[sequence] + token} * plan_.slot(output.slot).stride() +
         output.column;
}

// Makes the outputs dense; false when a number that the caller will see is not finite.
bool Session::collect_outputs() {
  bool finite = true;
  for (const uint32_t id : {plan_.embedding_slot(), plan_.logits_slot()}) {
    for (uint32_t i = 0; id != kNone && i < sequences_; ++i) {
      finite = finite && run_.kernels->all_finite(sequence_row(id, i), plan_.slot(id).width);
    }
  }
  for (const PlannedOutput& output : plan_.outputs()) {
    if (output.slot == kNone) {
      continue;
    }
    const Slot& slot = plan_.slot(output.slot);
    const uint32_t rows = slot.extent == fmt::Extent::tokens ? run_.batch.tokens() : sequences_;
    const float* source = arena_rows(run_, output.slot);
    float* dense =
        output.in_place ? arena_rows(run_, output.slot) : reinterpret_cast<float*>(results_.data() + output.offset);
    for (uint32_t row = 0; row < rows && !output.in_place; ++row) {
      std::memcpy(dense + row * size_t{output.width},
                  source + row * slot.stride() + (output.column < 0 ? 0 : output.column), output.width * sizeof(float));
    }
    finite = finite && run_.kernels->all_finite(dense, rows * size_t{output.width});
  }
  return finite;
}

kinglet_status Session::output(size_t sequence, uint32_t index, kinglet_output* view, Error& error) const {
  if (sequence >= sequences_ || index >= plan_.outputs().size() || plan_.outputs()[index].slot == kNone) {
    return fail(error, KINGLET_INVALID_ARGUMENT,
                "output %u of input %zu: the last call kept %zu outputs of %u inputs (raw_outputs must be set)", index,
                sequence, plan_.capacity().raw_outputs ? plan_.outputs().size() : size_t{0}, sequences_);
  }
  const PlannedOutput& output = plan_.outputs()[index];
  const Slot& slot = plan_.slot(output.slot);
  const bool tokens = slot.extent == fmt::Extent::tokens;
  const uint32_t first = tokens ? begin_[sequence] : static_cast<uint32_t>(sequence);
  const float* dense =
      output.in_place ? arena_rows(run_, output.slot) : reinterpret_cast<const float*>(results_.data() + output.offset);
  view->name = model_->table().outputs()->Get(index)->name()->c_str();
  view->data = dense + first * size_t{output.width};
  view->rank = 0;
  view->shape[0] = view->shape[1] = 1;
  if (tokens) {
    view->shape[view->rank++] = begin_[sequence + 1] - begin_[sequence];
  }
  if (output.column < 0) {
    view->shape[view->rank++] = output.width;
  }
  return KINGLET_OK;
}

}  // namespace kinglet
