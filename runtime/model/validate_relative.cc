// The semantic pass over what attention adds for the distance between tokens.
#include <cinttypes>

#include "model/validate_parts.h"

namespace kinglet::validation {
namespace {

using fmt::DType;

// A tensor of two dimensions.
kinglet_status check_table(const fmt::Model& model, const Where& where, const char* field, int32_t id,
                           const fmt::Tensor** table, Error& error) {
  KINGLET_TRY(check_id(where, field, id, model.tensors()->size(), "tensors", error));
  *table = model.tensors()->Get(static_cast<uint32_t>(id));
  if ((*table)->shape()->size() != 2) {
    return refuse(error, where, "%s is tensor %d with 1 dimension; expected 2", field, id);
  }
  return KINGLET_OK;
}

kinglet_status check_f32_table(const fmt::Model& model, const Where& where, const char* field, int32_t id,
                               const fmt::Tensor** table, Error& error) {
  KINGLET_TRY(check_table(model, where, field, id, table, error));
  if ((*table)->dtype() != DType::f32) {
    return refuse(error, where, "%s is tensor %d with dtype %s; expected f32", field, id,
                  fmt::EnumNameDType((*table)->dtype()));
  }
  return KINGLET_OK;
}

kinglet_status check_bias(const fmt::Model& model, const Where& where, const fmt::Attention& op, Error& error) {
  const fmt::Tensor* table = nullptr;
  KINGLET_TRY(check_f32_table(model, where, "relative_bias", op.relative_bias(), &table, error));
  if (table->shape()->Get(0) != op.heads()) {
    return refuse(error, where, "relative_bias is tensor %d with %u rows; expected one for each of %u heads",
                  op.relative_bias(), table->shape()->Get(0), op.heads());
  }
  if (table->shape()->Get(1) % 2 == 0 || table->shape()->Get(1) > 2 * kMaxTokens + 1) {
    return refuse(error, where, "relative_bias is tensor %d with %u columns; expected an odd number of at most %u",
                  op.relative_bias(), table->shape()->Get(1), 2 * kMaxTokens + 1);
  }
  return KINGLET_OK;
}

kinglet_status check_rotary(const fmt::Model& model, const Where& where, const fmt::Attention& op, Error& error) {
  const fmt::Tensor* table = nullptr;
  KINGLET_TRY(check_f32_table(model, where, "rotary", op.rotary(), &table, error));
  if (table->shape()->Get(0) < model.max_length()) {
    return refuse(error, where, "rotary is tensor %d with %u rows; expected at least %u (max_length)", op.rotary(),
                  table->shape()->Get(0), model.max_length());
  }
  if (table->shape()->Get(1) % 2 != 0 || table->shape()->Get(1) > op.head_dim()) {
    return refuse(error, where, "rotary is tensor %d with %u columns; expected an even number of at most %u (head_dim)",
                  op.rotary(), table->shape()->Get(1), op.head_dim());
  }
  return KINGLET_OK;
}

// *rows receives the table's rows.
kinglet_status check_term(const fmt::Model& model, const Where& where, const char* field, int32_t id,
                          const char* scale_field, int32_t scale, uint64_t width, uint32_t* rows, Error& error) {
  const fmt::Tensor* table = nullptr;
  KINGLET_TRY(check_table(model, where, field, id, &table, error));
  if (table->shape()->Get(1) != width) {
    return refuse(error, where, "%s is tensor %d with %u columns; expected %" PRIu64 " (heads·head_dim)", field, id,
                  table->shape()->Get(1), width);
  }
  *rows = table->shape()->Get(0);
  if (table->dtype() == DType::f32) {
    return scale == -1 ? KINGLET_OK
                       : refuse(error, where, "%s is %d, but the table is f32; expected -1", scale_field, scale);
  }
  if (table->dtype() != DType::s8 || table->layout() != fmt::Layout::rows) {
    return refuse(error, where, "%s is tensor %d with dtype %s and layout %s; expected f32 or s8 in rows", field, id,
                  fmt::EnumNameDType(table->dtype()), fmt::EnumNameLayout(table->layout()));
  }
  return check_vector(model, where, scale_field, scale, DType::f32, *rows, error);
}

kinglet_status check_disentangled(const fmt::Model& model, const Where& where, const fmt::Attention& op, Error& error) {
  const fmt::Disentangled& terms = *op.disentangled();
  if (op.quantized()) {
    return refuse(error, where, "quantized with disentangled terms; expected fp32 attention");
  }
  const uint64_t width = uint64_t{op.heads()} * op.head_dim();
  const struct {
    const char *name, *scale_name;
    int32_t table, scale;
  } tables[] = {{"content_to_position", "content_to_position_scale", terms.content_to_position(),
                 terms.content_to_position_scale()},
                {"position_to_content", "position_to_content_scale", terms.position_to_content(),
                 terms.position_to_content_scale()}};
  uint32_t least = UINT32_MAX;
  for (const auto& table : tables) {
    if (table.table == -1) {
      if (table.scale != -1) {
        return refuse(error, where, "%s is %d without a table; expected -1", table.scale_name, table.scale);
      }
      continue;
    }
    uint32_t rows = 0;
    KINGLET_TRY(check_term(model, where, table.name, table.table, table.scale_name, table.scale, width, &rows, error));
    least = rows < least ? rows : least;
  }
  if (least == UINT32_MAX) {
    return refuse(error, where, "disentangled has no table; expected one at least");
  }
  const auto& rows = *terms.rows();
  if (rows.size() % 2 == 0 || rows.size() > 2 * kMaxTokens + 1) {
    return refuse(error, where, "disentangled has %u rows of distances; expected an odd number of at most %u",
                  rows.size(), 2 * kMaxTokens + 1);
  }
  for (uint32_t i = 0; i < rows.size(); ++i) {
    if (rows[i] >= least) {
      return refuse(error, where, "disentangled rows[%u] is %u, but its table has %u rows", i, rows[i], least);
    }
  }
  return KINGLET_OK;
}

}  // namespace

kinglet_status check_relative(const fmt::Model& model, const Where& where, const fmt::Attention& op, Error& error) {
  if (op.relative_bias() != -1) {
    KINGLET_TRY(check_bias(model, where, op, error));
  }
  if (op.rotary() != -1) {
    KINGLET_TRY(check_rotary(model, where, op, error));
  }
  return op.disentangled() == nullptr ? KINGLET_OK : check_disentangled(model, where, op, error);
}

}  // namespace kinglet::validation
