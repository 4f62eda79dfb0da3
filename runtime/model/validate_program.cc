// The semantic pass over the program: shape inference step by step. A value is known once the step that writes it has
// been checked, so a step that reads a value has its true shape before it.
#include <cinttypes>
#include <cmath>

#include "model/validate_parts.h"

namespace kinglet::validation {
namespace {

using fmt::Extent;

struct Shape {
  Extent extent;
  uint32_t width;
};

const char* extent_name(Extent extent) { return fmt::EnumNameExtent(extent); }

// Walks the program once.
class Program {
 public:
  Program(const fmt::Model& model, Error& error) : model_(model), error_(error) {}
  kinglet_status check();

 private:
  kinglet_status check_step(const Where& where, const fmt::Step& step);
  kinglet_status check_op(const Where& where, const fmt::Embed& op);
  kinglet_status check_op(const Where& where, const fmt::Linear& op);
  kinglet_status check_op(const Where& where, const fmt::Attention& op);
  kinglet_status check_op(const Where& where, const fmt::AddNorm& op);
  kinglet_status check_op(const Where& where, const fmt::Pool& op);
  kinglet_status check_op(const Where& where, const fmt::Normalize& op);
  kinglet_status check_op(const Where& where, const fmt::Neighbours& op);

  kinglet_status check_embed_table(const Where& where, const fmt::EmbedTable& entry, uint32_t width);
  // The shape of a value that an earlier step has written.
  kinglet_status read(const Where& where, const char* field, int64_t id, Shape* shape);
  // The declared shape of `id` must be `shape`, and no earlier step may have written it.
  kinglet_status write(const Where& where, uint32_t id, Shape shape);
  // A matrix with `k` columns, and `n` rows unless that is 0; *rows receives its rows.
  kinglet_status matrix(const Where& where, const char* field, int64_t id, uint32_t k, uint64_t n, uint32_t* rows);
  kinglet_status norm(const Where& where, int64_t id, uint32_t width);
  kinglet_status expect_tokens(const Where& where, const char* field, Shape shape);

  const fmt::Model& model_;
  Error& error_;
  Buffer<uint8_t> written_;
};

kinglet_status Program::check() {
  const auto& values = *model_.values();
  for (uint32_t id = 0; id < values.size(); ++id) {
    const Where where("value %u", id);
    KINGLET_TRY(check_enum(where, "extent", values[id]->extent(), error_));
    if (values[id]->width() < 1 || values[id]->width() > kMaxWidth) {
      return refuse(error_, where, "width is %u; expected 1 to %u", values[id]->width(), kMaxWidth);
    }
  }
  if (!written_.allocate(values.size())) {
    return fail(error_, KINGLET_OUT_OF_MEMORY, "no memory to check %u values", values.size());
  }
  const auto& steps = *model_.program();
  for (uint32_t i = 0; i < steps.size(); ++i) {
    const auto type = static_cast<unsigned>(steps[i]->op_type());
    if (type == 0) {
      return refuse(error_, Where("program[%u]", i), "op_type is 0; expected an operation");
    }
    if (type > static_cast<unsigned>(fmt::Op::MAX)) {
      return fail(error_, KINGLET_UNSUPPORTED, "program[%u]: operation %u; this version knows 1 (%s) to %u (%s)", i,
                  type, fmt::EnumNameOp(static_cast<fmt::Op>(1)), static_cast<unsigned>(fmt::Op::MAX),
                  fmt::EnumNameOp(fmt::Op::MAX));
    }
    KINGLET_TRY(check_step(Where("program[%u] (%s)", i, fmt::EnumNameOp(steps[i]->op_type())), *steps[i]));
  }
  for (uint32_t id = 0; id < values.size(); ++id) {
    if (written_[id] == 0) {
      return refuse(error_, Where("value %u", id), "no step of the program writes it");
    }
  }
  return KINGLET_OK;
}

kinglet_status Program::check_step(const Where& where, const fmt::Step& step) {
  switch (step.op_type()) {
    case fmt::Op::Embed:
      return check_op(where, *step.op_as_Embed());
    case fmt::Op::Linear:
      return check_op(where, *step.op_as_Linear());
    case fmt::Op::Attention:
      return check_op(where, *step.op_as_Attention());
    case fmt::Op::AddNorm:
      return check_op(where, *step.op_as_AddNorm());
    case fmt::Op::Pool:
      return check_op(where, *step.op_as_Pool());
    case fmt::Op::Normalize:
      return check_op(where, *step.op_as_Normalize());
    case fmt::Op::Neighbours:
      return check_op(where, *step.op_as_Neighbours());
    case fmt::Op::NONE:
      break;
  }
  return refuse(error_, where, "has no operation");
}

kinglet_status Program::read(const Where& where, const char* field, int64_t id, Shape* shape) {
  KINGLET_TRY(check_id(where, field, id, model_.values()->size(), "values", error_));
  if (written_[static_cast<size_t>(id)] == 0) {
    return refuse(error_, where, "%s is value %" PRId64 ", which no earlier step writes", field, id);
  }
  const fmt::Value& value = *model_.values()->Get(static_cast<uint32_t>(id));
  *shape = {value.extent(), value.width()};
  return KINGLET_OK;
}

kinglet_status Program::write(const Where& where, uint32_t id, Shape shape) {
  KINGLET_TRY(check_id(where, "out", id, model_.values()->size(), "values", error_));
  if (written_[id] != 0) {
    return refuse(error_, where, "out is value %u, which an earlier step has written", id);
  }
  const fmt::Value& value = *model_.values()->Get(id);
  if (value.extent() != shape.extent) {
    return refuse(error_, where, "out is value %u with extent %s; the step makes %s", id, extent_name(value.extent()),
                  extent_name(shape.extent));
  }
  if (value.width() != shape.width) {
    return refuse(error_, where, "out is value %u with width %u; the step makes %u", id, value.width(), shape.width);
  }
  written_[id] = 1;
  return KINGLET_OK;
}

kinglet_status Program::matrix(const Where& where, const char* field, int64_t id, uint32_t k, uint64_t n,
                               uint32_t* rows) {
  KINGLET_TRY(check_id(where, field, id, model_.matrices()->size(), "matrices", error_));
  const fmt::Matrix& matrix = *model_.matrices()->Get(static_cast<uint32_t>(id));
  const auto& shape = *model_.tensors()->Get(matrix.weight())->shape();
  if (shape[1] != k) {
    return refuse(error_, where, "%s is matrix %" PRId64 " with %u columns; its input has width %u", field, id,
                  shape[1], k);
  }
  if (n != 0 && shape[0] != n) {
    return refuse(error_, where, "%s is matrix %" PRId64 " with %u rows; expected %" PRIu64, field, id, shape[0], n);
  }
  *rows = shape[0];
  return KINGLET_OK;
}

kinglet_status Program::norm(const Where& where, int64_t id, uint32_t width) {
  if (id == -1) {
    return KINGLET_OK;
  }
  KINGLET_TRY(check_id(where, "norm", id, model_.norms()->size(), "norms", error_));
  const fmt::Norm& norm = *model_.norms()->Get(static_cast<uint32_t>(id));
  const uint32_t length = model_.tensors()->Get(norm.weight())->shape()->Get(0);
  if (length != width) {
    return refuse(error_, where, "norm is norm %" PRId64 " of width %u; its input has width %u", id, length, width);
  }
  return KINGLET_OK;
}

kinglet_status Program::expect_tokens(const Where& where, const char* field, Shape shape) {
  if (shape.extent != Extent::tokens) {
    return refuse(error_, where, "%s has extent %s; expected tokens", field, extent_name(shape.extent));
  }
  return KINGLET_OK;
}

kinglet_status Program::check_embed_table(const Where& where, const fmt::EmbedTable& entry, uint32_t width) {
  KINGLET_TRY(check_enum(where, "index", entry.index(), error_));
  KINGLET_TRY(check_id(where, "table", entry.table(), model_.tensors()->size(), "tensors", error_));
  const fmt::Tensor& table = *model_.tensors()->Get(entry.table());
  if (table.shape()->size() != 2) {
    return refuse(error_, where, "table is tensor %u with 1 dimension; expected 2", entry.table());
  }
  const uint32_t rows = table.shape()->Get(0);
  const uint32_t columns = table.shape()->Get(1);
  if (entry.column() >= width || columns > width - entry.column()) {
    return refuse(error_, where, "table is tensor %u with %u columns from column %u on; out has width %u",
                  entry.table(), columns, entry.column(), width);
  }
  if (table.dtype() == fmt::DType::s8) {
    KINGLET_TRY(check_vector(model_, where, "scale", entry.scale(), fmt::DType::f32, rows, error_));
  } else if (table.dtype() != fmt::DType::f32) {
    return refuse(error_, where, "table is tensor %u with dtype %s; expected f32 or s8", entry.table(),
                  fmt::EnumNameDType(table.dtype()));
  } else if (entry.scale() != -1) {
    return refuse(error_, where, "scale is %d, but the table is f32; expected -1", entry.scale());
  }
  const bool counted = entry.index() == fmt::EmbedIndex::counted_position;
  if (counted && entry.base() == 0) {
    return refuse(error_, where, "base is 0 in a table of counted_positions; expected the padding token and 1");
  }
  if (entry.index() != fmt::EmbedIndex::position && !counted && entry.base() != 0) {
    return refuse(error_, where, "base is %u in a table of %ss; expected 0", entry.base(),
                  fmt::EnumNameEmbedIndex(entry.index()));
  }
  uint64_t needed = 0;
  const char* what = "";
  switch (entry.index()) {
    case fmt::EmbedIndex::token:
    case fmt::EmbedIndex::next_token:
    case fmt::EmbedIndex::previous_token:
      needed = model_.vocabulary();
      what = "vocabulary";
      break;
    case fmt::EmbedIndex::position:
    case fmt::EmbedIndex::counted_position:
      needed = uint64_t{model_.max_positions()} + entry.base();
      what = "max_positions + base";
      if (model_.max_length() > model_.max_positions()) {
        return refuse(error_, where, "max_length is %u; expected at most max_positions, %u", model_.max_length(),
                      model_.max_positions());
      }
      break;
    case fmt::EmbedIndex::type:
      needed = model_.type_count();
      what = "type_count";
      break;
  }
  if (rows < needed) {
    return refuse(error_, where, "table is tensor %u with %u rows; expected at least %" PRIu64 " (%s)", entry.table(),
                  rows, needed, what);
  }
  return KINGLET_OK;
}

kinglet_status Program::check_op(const Where& where, const fmt::Embed& op) {
  const uint32_t count = op.tables()->size();
  if (count < 1 || count > kMaxEmbedTables) {
    return refuse(error_, where, "has %u tables; expected 1 to %u", count, kMaxEmbedTables);
  }
  KINGLET_TRY(check_id(where, "out", op.out(), model_.values()->size(), "values", error_));
  const uint32_t width = model_.values()->Get(op.out())->width();
  for (uint32_t i = 0; i < count; ++i) {
    KINGLET_TRY(check_embed_table(Where("%s table %u", where.text, i), *op.tables()->Get(i), width));
  }
  KINGLET_TRY(norm(where, op.norm(), width));
  return write(where, op.out(), {Extent::tokens, width});
}

kinglet_status Program::check_op(const Where& where, const fmt::Linear& op) {
  Shape in;
  uint32_t rows = 0;
  KINGLET_TRY(read(where, "in", op.in(), &in));
  KINGLET_TRY(matrix(where, "matrix", op.matrix(), in.width, 0, &rows));
  if (op.gate() != -1) {
    KINGLET_TRY(matrix(where, "gate", op.gate(), in.width, rows, &rows));
  }
  KINGLET_TRY(check_enum(where, "activation", op.activation(), error_));
  return write(where, op.out(), {in.extent, rows});
}

kinglet_status Program::check_op(const Where& where, const fmt::Attention& op) {
  if (op.heads() < 1 || op.heads() > kMaxHeads) {
    return refuse(error_, where, "heads is %u; expected 1 to %u", op.heads(), kMaxHeads);
  }
  const uint64_t width = uint64_t{op.heads()} * op.head_dim();
  if (op.head_dim() < 1 || width > kMaxInner) {
    return refuse(error_, where, "head_dim is %u with %u heads; expected at least 1 and a product of at most %u",
                  op.head_dim(), op.heads(), kMaxInner);
  }
  if (op.quantized() && op.head_dim() % 16 != 0) {
    return refuse(error_, where, "head_dim is %u; quantized attention expects a multiple of 16", op.head_dim());
  }
  if (!std::isfinite(op.logit_scale())) {
    return refuse(error_, where, "logit_scale is %g; expected a finite number", static_cast<double>(op.logit_scale()));
  }
  const struct {
    const char* in_name;
    uint32_t in;
    const char* matrix_name;
    uint32_t matrix;
  } projections[] = {{"query_in", op.query_in(), "query", op.query()},
                     {"key_in", op.key_in(), "key", op.key()},
                     {"value_in", op.value_in(), "value", op.value()}};
  for (const auto& projection : projections) {
    Shape in;
    uint32_t rows = 0;
    KINGLET_TRY(read(where, projection.in_name, projection.in, &in));
    KINGLET_TRY(expect_tokens(where, projection.in_name, in));
    KINGLET_TRY(matrix(where, projection.matrix_name, projection.matrix, in.width, width, &rows));
  }
  KINGLET_TRY(check_relative(model_, where, op, error_));
  return write(where, op.out(), {Extent::tokens, static_cast<uint32_t>(width)});
}

kinglet_status Program::check_op(const Where& where, const fmt::AddNorm& op) {
  Shape in;
  KINGLET_TRY(read(where, "in", op.in(), &in));
  if (op.residual() == -1 && op.norm() == -1) {
    return refuse(error_, where, "has neither residual nor norm; expected one of them at least");
  }
  if (op.residual() != -1) {
    Shape residual;
    KINGLET_TRY(read(where, "residual", op.residual(), &residual));
    if (residual.extent != in.extent || residual.width != in.width) {
      return refuse(error_, where, "residual is %s × %u; in is %s × %u", extent_name(residual.extent), residual.width,
                    extent_name(in.extent), in.width);
    }
  }
  KINGLET_TRY(norm(where, op.norm(), in.width));
  return write(where, op.out(), in);
}

kinglet_status Program::check_op(const Where& where, const fmt::Pool& op) {
  Shape in;
  KINGLET_TRY(read(where, "in", op.in(), &in));
  KINGLET_TRY(expect_tokens(where, "in", in));
  KINGLET_TRY(check_enum(where, "kind", op.kind(), error_));
  return write(where, op.out(), {Extent::sequences, in.width});
}

kinglet_status Program::check_op(const Where& where, const fmt::Normalize& op) {
  Shape in;
  KINGLET_TRY(read(where, "in", op.in(), &in));
  return write(where, op.out(), in);
}

kinglet_status Program::check_op(const Where& where, const fmt::Neighbours& op) {
  Shape in;
  KINGLET_TRY(read(where, "in", op.in(), &in));
  KINGLET_TRY(expect_tokens(where, "in", in));
  if (op.before() > kMaxNeighbours || op.after() > kMaxNeighbours) {
    return refuse(error_, where, "%u rows before and %u after; expected at most %u of each", op.before(), op.after(),
                  kMaxNeighbours);
  }
  const uint64_t width = uint64_t{in.width} * (op.before() + op.after() + 1);
  if (width > kMaxInner) {
    return refuse(error_, where, "%u rows of width %u side by side; expected at most %u columns",
                  op.before() + op.after() + 1, in.width, kMaxInner);
  }
  return write(where, op.out(), {Extent::tokens, static_cast<uint32_t>(width)});
}

}  // namespace

kinglet_status check_program(const fmt::Model& model, Error& error) { return Program(model, error).check(); }

}  // namespace kinglet::validation
