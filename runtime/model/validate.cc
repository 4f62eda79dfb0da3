// The semantic pass as a whole, the limits, and the helpers of its parts.
#include "model/validate.h"

#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <string_view>

#include "model/validate_parts.h"

namespace kinglet {

kinglet_status validate(const fmt::Model& model, uint64_t weights_size, Buffer<uint32_t>& by_offset, Error& error) {
  KINGLET_TRY(validation::check_limits(model, error));
  KINGLET_TRY(validation::check_tensors(model, weights_size, by_offset, error));
  KINGLET_TRY(validation::check_matrices(model, error));
  KINGLET_TRY(validation::check_norms(model, error));
  KINGLET_TRY(validation::check_program(model, error));
  return validation::check_meaning(model, error);
}

namespace validation {
namespace {

kinglet_status check_range(const char* field, uint64_t value, uint64_t least, uint64_t most, Error& error) {
  if (value < least || value > most) {
    return fail(error, KINGLET_BAD_MODEL, "%s is %" PRIu64 "; expected %" PRIu64 " to %" PRIu64, field, value, least,
                most);
  }
  return KINGLET_OK;
}

// Bytes of the UTF-8 sequence at `s`, which ends at `end`; 0 when it is not valid.
size_t sequence_length(const unsigned char* s, const unsigned char* end) {
  const auto left = static_cast<size_t>(end - s);
  const auto follows = [&](size_t i) { return i < left && (s[i] & 0xc0) == 0x80; };
  if (s[0] < 0x80) {
    return 1;
  }
  if (s[0] >= 0xc2 && s[0] <= 0xdf) {
    return follows(1) ? 2 : 0;
  }
  if ((s[0] & 0xf0) == 0xe0) {
    const bool shortest = s[0] != 0xe0 || (left > 1 && s[1] >= 0xa0);
    const bool no_surrogate = s[0] != 0xed || (left > 1 && s[1] < 0xa0);
    return follows(1) && follows(2) && shortest && no_surrogate ? 3 : 0;
  }
  if (s[0] >= 0xf0 && s[0] <= 0xf4) {
    const bool shortest = s[0] != 0xf0 || (left > 1 && s[1] >= 0x90);
    const bool in_range = s[0] != 0xf4 || (left > 1 && s[1] < 0x90);
    return follows(1) && follows(2) && follows(3) && shortest && in_range ? 4 : 0;
  }
  return 0;
}

}  // namespace

Where::Where(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
}

kinglet_status refuse(Error& error, const Where& where, const char* format, ...) {
  char what[sizeof(error.message) - sizeof(where.text)];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(what, sizeof(what), format, arguments);
  va_end(arguments);
  return fail(error, KINGLET_BAD_MODEL, "%s: %s", where.text, what);
}

kinglet_status check_limits(const fmt::Model& model, Error& error) {
  const Where where("model");
  KINGLET_TRY(check_name(where, "architecture", *model.architecture(), error));
  KINGLET_TRY(check_name(where, "precision", *model.precision(), error));
  const std::string_view precision = model.precision()->string_view();
  if (precision != "int8" && precision != "fp32") {
    return fail(error, KINGLET_UNSUPPORTED, "precision is \"%.40s\"; this version knows int8 and fp32",
                model.precision()->c_str());
  }
  KINGLET_TRY(check_range("the number of tensors", model.tensors()->size(), 1, kMaxItems, error));
  KINGLET_TRY(check_range("the number of matrices", model.matrices()->size(), 0, kMaxItems, error));
  KINGLET_TRY(check_range("the number of norms", model.norms()->size(), 0, kMaxItems, error));
  KINGLET_TRY(check_range("the number of values", model.values()->size(), 1, kMaxItems, error));
  KINGLET_TRY(check_range("the number of program steps", model.program()->size(), 1, kMaxItems, error));
  KINGLET_TRY(check_range("the number of outputs", model.outputs()->size(), 0, kMaxNames, error));
  KINGLET_TRY(check_range("the number of prompts", count_of(model.prompts()), 0, kMaxNames, error));
  KINGLET_TRY(check_range("the number of samples", count_of(model.samples()), 0, kMaxSamples, error));
  KINGLET_TRY(check_range("the number of labels", count_of(model.labels()), 0, kMaxWidth, error));
  KINGLET_TRY(check_range("max_length", model.max_length(), 1, kMaxTokens, error));
  KINGLET_TRY(check_range("vocabulary", model.vocabulary(), 1, kMaxVocabulary, error));
  return check_range("type_count", model.type_count(), 1, kMaxTypes, error);
}

kinglet_status check_string(const Where& where, const char* field, const flatbuffers::String& string, size_t limit,
                            bool text, Error& error) {
  if (string.size() > limit) {
    return refuse(error, where, "%s has %u bytes; expected at most %zu", field, string.size(), limit);
  }
  const unsigned char* const begin = string.Data();
  const unsigned char* const end = begin + string.size();
  for (const unsigned char* s = begin; s < end;) {
    const size_t length = sequence_length(s, end);
    if (length == 0) {
      return refuse(error, where, "%s is not valid UTF-8 at its byte %zu", field, static_cast<size_t>(s - begin));
    }
    if (!text && (*s < 0x20 || *s == 0x7f)) {
      return refuse(error, where, "%s has the control character 0x%02x at its byte %zu", field, *s,
                    static_cast<size_t>(s - begin));
    }
    s += length;
  }
  return KINGLET_OK;
}

kinglet_status check_name(const Where& where, const char* field, const flatbuffers::String& string, Error& error) {
  if (string.size() == 0) {
    return refuse(error, where, "%s is empty; expected a name", field);
  }
  return check_string(where, field, string, kMaxName, false, error);
}

kinglet_status check_id(const Where& where, const char* field, int64_t id, uint32_t count, const char* list,
                        Error& error) {
  if (id < 0 || id >= count) {
    return refuse(error, where, "%s is %" PRId64 ", but the model has %u %s", field, id, count, list);
  }
  return KINGLET_OK;
}

}  // namespace validation
}  // namespace kinglet
