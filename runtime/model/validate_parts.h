// What the files of the semantic pass share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/validate.h"

namespace kinglet::validation {

// A place in the table, for messages: Where("tensor %u", 3).
struct Where {
  [[gnu::format(printf, 2, 3)]] explicit Where(const char* format, ...);
  char text[200];
};

// BAD_MODEL with "<where>: <what>".
[[gnu::format(printf, 3, 4)]] kinglet_status refuse(Error& error, const Where& where, const char* format, ...);

// The parts, in the order in which they must run: each relies on those before it.
kinglet_status check_limits(const fmt::Model& model, Error& error);
kinglet_status check_tensors(const fmt::Model& model, uint64_t weights_size, Buffer<uint32_t>& by_offset,
                             Error& error);
kinglet_status check_matrices(const fmt::Model& model, Error& error);
kinglet_status check_norms(const fmt::Model& model, Error& error);
kinglet_status check_program(const fmt::Model& model, Error& error);
kinglet_status check_meaning(const fmt::Model& model, Error& error);

// A string that is not null: valid UTF-8 of at most `limit` bytes, without control characters unless `text`.
kinglet_status check_string(const Where& where, const char* field, const flatbuffers::String& string, size_t limit,
                            bool text, Error& error);
// A name: as above and not empty.
kinglet_status check_name(const Where& where, const char* field, const flatbuffers::String& string, Error& error);

// `id` must be an index of a list of `count` entries; `list` names the list.
kinglet_status check_id(const Where& where, const char* field, int64_t id, uint32_t count, const char* list,
                        Error& error);

// An enum value this version does not know is UNSUPPORTED: later versions append values.
template <typename Enum>
kinglet_status check_enum(const Where& where, const char* field, Enum value, Error& error) {
  if (value > Enum::MAX) {
    return fail(error, KINGLET_UNSUPPORTED, "%s: %s is %u; this version knows 0 to %u", where.text, field,
                static_cast<unsigned>(value), static_cast<unsigned>(Enum::MAX));
  }
  return KINGLET_OK;
}

// The elements of a vector that may be absent.
template <typename T>
uint32_t count_of(const flatbuffers::Vector<T>* vector) {
  return vector == nullptr ? 0 : vector->size();
}

// A one-dimensional f32 or s32 tensor that `field` names must have `length` elements.
kinglet_status check_vector(const fmt::Model& model, const Where& where, const char* field, int64_t id,
                            fmt::DType dtype, uint64_t length, Error& error);

// Attention's terms of distance: bias, rotation, disentangled terms. heads and head_dim have been checked.
kinglet_status check_relative(const fmt::Model& model, const Where& where, const fmt::Attention& op, Error& error);

}  // namespace kinglet::validation
