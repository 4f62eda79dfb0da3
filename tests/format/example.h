// The model that the tests of this folder break, and what they say about the outcome.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <variant>

#include "model/model.h"
#include "support/model_builder.h"

namespace kinglet::test {

// An int8 classifier of one layer whose widths are not multiples of 8 or 16, with everything a model may have but a
// tokenizer. Its program: 0 Embed, 1 Attention, 2 Linear, 3 AddNorm, 4 and 5 Linear, 6 AddNorm, 7 Pool, 8 and 9
// Linear; step i writes value i.
ModelSpec example(bool int8 = true);

// The id of the tensor called `name`.
uint32_t tensor_id(const ModelSpec& spec, const std::string& name);
TensorSpec& tensor(ModelSpec& spec, const std::string& name);
template <typename Op>
Op& op(ModelSpec& spec, size_t step) {
  return std::get<Op>(spec.program.at(step).op);
}

// Opens `file` from memory: KINGLET_OK, or the status with *message.
kinglet_status open_status(const Bytes& file, std::string* message);

// Opening must fail with `status` and a message that contains `part`.
void check_refused(const Bytes& file, kinglet_status status, const std::string& part);
void check_refused(const ModelSpec& spec, kinglet_status status, const std::string& part);

}  // namespace kinglet::test

// A test that changes the example `m` and expects its refusal with these words.
#define REFUSED(name, words, ...)                           \
  TEST_CASE(name) {                                         \
    kinglet::test::ModelSpec m = kinglet::test::example();  \
    __VA_ARGS__;                                            \
    kinglet::test::check_refused(m, KINGLET_BAD_MODEL, words); \
  }

// The same for what a later version may have.
#define UNSUPPORTED(name, words, ...)                       \
  TEST_CASE(name) {                                         \
    kinglet::test::ModelSpec m = kinglet::test::example();  \
    __VA_ARGS__;                                            \
    kinglet::test::check_refused(m, KINGLET_UNSUPPORTED, words); \
  }
