// The fp32 row kernels: every path against the reference by memcmp, between guard pages.
#include <cmath>

#include "kernels/support.h"

namespace kinglet::kernels::test {
namespace {

constexpr ActivationFunction kFunctions[] = {
    ActivationFunction::none, ActivationFunction::gelu, ActivationFunction::gelu_tanh, ActivationFunction::relu,
    ActivationFunction::silu, ActivationFunction::tanh, ActivationFunction::sigmoid};

std::vector<size_t> widths() {
  std::vector<size_t> result;
  for (size_t n = 1; n <= 70; n += small_scale() ? 3 : 1) {
    result.push_back(n);
  }
  for (const size_t n : {127, 128, 129, 260, 384}) {
    result.push_back(n);
  }
  return result;
}

// body(n, pattern, edge) for every width and pattern.
template <typename Body>
void for_rows(std::mt19937_64& random, Body body) {
  for (const size_t n : widths()) {
    for (const Pattern pattern : kPatterns) {
      body(n, pattern, random() % 2 == 0 ? Edge::begin : Edge::end);
    }
  }
}

// The argument runs a kernel of the table it is given and returns what that wrote.
#define CHECK_EQUAL(...)                                                                              \
  {                                                                                                   \
    const auto run = __VA_ARGS__;                                                                     \
    const auto expected = run(reference_table());                                                     \
    for (const Kernels* table : tables) {                                                             \
      CHECK_MESSAGE(same_bytes(run(*table), expected), isa_name(table->isa), ": n ", n, " pattern ",  \
                    static_cast<int>(pattern));                                                       \
    }                                                                                                 \
  }

TEST_CASE("activate") {
  auto random = random_engine("activate");
  const auto tables = tables_under_test();
  for_rows(random, [&](size_t n, Pattern pattern, Edge edge) {
    const size_t m = 1 + random() % 3;
    const size_t stride = n + random() % 4;
    const std::vector<float> x = floats((m - 1) * stride + n, pattern, random);
    for (const ActivationFunction function : kFunctions) {
      for (const bool fast : {false, true}) {
        CHECK_EQUAL([&](const Kernels& kernels) {
          Guarded<float> memory(x, edge);
          kernels.activate({.function = function, .fast = fast, .x = memory.data(), .m = m, .n = n, .stride = stride});
          return memory.values();
        });
      }
    }
  });
}

TEST_CASE("activate: the whole range of floats") {
  const auto tables = tables_under_test();
  std::vector<float> x;
  for (uint64_t bits = 0; bits <= 0xFFFFFFFFu; bits += small_scale() ? 1000003 : 10007) {
    const auto narrow = static_cast<uint32_t>(bits);
    float value;
    std::memcpy(&value, &narrow, sizeof value);
    if (std::isfinite(value)) {
      x.push_back(value);
    }
  }
  const size_t n = x.size();
  const Pattern pattern = Pattern::mixed;
  for (const ActivationFunction function : kFunctions) {
    for (const bool fast : {false, true}) {
      CHECK_EQUAL([&](const Kernels& kernels) {
        std::vector<float> values = x;
        kernels.activate({.function = function, .fast = fast, .x = values.data(), .m = 1, .n = n, .stride = n});
        for (float& value : values) {
          value = std::isnan(value) ? 0.0f : value;  // inf − inf: a NaN's sign differs between instructions
        }
        return values;
      });
    }
  }
}

TEST_CASE("add_norm") {
  auto random = random_engine("add_norm");
  const auto tables = tables_under_test();
  for_rows(random, [&](size_t n, Pattern pattern, Edge edge) {
    const size_t m = 1 + random() % 3;
    const size_t x_stride = n + random() % 4;
    const size_t residual_stride = n + random() % 4;
    const size_t out_stride = round_up(n, 16) + random() % 4;
    const std::vector<float> x = floats((m - 1) * x_stride + n, pattern, random);
    const std::vector<float> residual = floats((m - 1) * residual_stride + n, pattern, random);
    const std::vector<float> weight = floats(n, Pattern::normal, random);
    const std::vector<float> bias = floats(n, Pattern::normal, random);
    for (int options = 0; options < 16; ++options) {
      CHECK_EQUAL([&](const Kernels& kernels) {
        Guarded<float> x_memory(x, edge), residual_memory(residual, edge), weight_memory(weight, edge),
            bias_memory(bias, edge), out((m - 1) * out_stride + round_up(n, 16), edge);
        kernels.add_norm({.x = x_memory.data(), .residual = options & 1 ? residual_memory.data() : nullptr,
                          .weight = options & 2 ? weight_memory.data() : nullptr,
                          .bias = options & 4 ? bias_memory.data() : nullptr, .affine = (options & 8) != 0,
                          .epsilon = 1e-12f, .out = out.data(), .m = m, .n = n, .x_stride = x_stride,
                          .residual_stride = residual_stride, .out_stride = out_stride});
        return out.values();
      });
    }
    // In place, over either operand.
    const std::vector<float> padded_x = floats(round_up(n, 16), pattern, random);
    const std::vector<float> padded_residual = floats(round_up(n, 16), pattern, random);
    for (const bool over_x : {true, false}) {
      CHECK_EQUAL([&](const Kernels& kernels) {
        Guarded<float> x_memory(padded_x, edge), residual_memory(padded_residual, edge);
        kernels.add_norm({.x = x_memory.data(), .residual = residual_memory.data(), .weight = weight.data(),
                          .bias = bias.data(), .affine = false, .epsilon = 1e-5f,
                          .out = over_x ? x_memory.data() : residual_memory.data(), .m = 1, .n = n, .x_stride = n,
                          .residual_stride = n, .out_stride = round_up(n, 16)});
        return over_x ? x_memory.values() : residual_memory.values();
      });
    }
  });
}

TEST_CASE("embed_row") {
  auto random = random_engine("embed_row");
  const auto tables = tables_under_test();
  for_rows(random, [&](size_t n, Pattern pattern, Edge edge) {
    const std::vector<float> before = floats(round_up(n, 16), pattern, random);
    std::vector<float> row = floats(n, pattern, random);
    std::vector<char> floats_as_bytes(n * sizeof(float)), bytes(n), tile((round_up(n, 8) / 8 - 1) * 128 + 8);
    std::memcpy(floats_as_bytes.data(), row.data(), floats_as_bytes.size());
    for (char& byte : bytes) {
      byte = static_cast<char>(random());
    }
    for (char& byte : tile) {
      byte = static_cast<char>(random());
    }
    for (int format = 0; format < 3; ++format) {
      for (const bool add : {false, true}) {
        CHECK_EQUAL([&](const Kernels& kernels) {
          Guarded<float> out(before, edge);
          Guarded<char> memory(format == 0 ? floats_as_bytes : format == 1 ? bytes : tile, edge);
          kernels.embed_row({.row = memory.data(), .s8 = format != 0, .tile = format == 2, .scale = 0.0371f,
                             .add = add, .out = out.data(), .n = n});
          return out.values();
        });
      }
    }
  });
}

TEST_CASE("pool_rows, normalize_row, multiply") {
  auto random = random_engine("pool_rows");
  const auto tables = tables_under_test();
  for_rows(random, [&](size_t n, Pattern pattern, Edge edge) {
    const size_t m = 1 + random() % 9;
    const size_t stride = n + random() % 4;
    const size_t n16 = round_up(n, 16);
    const std::vector<float> x = floats((m - 1) * stride + n, pattern, random);
    for (const PoolFunction function :
         {PoolFunction::first, PoolFunction::mean, PoolFunction::max, PoolFunction::mean_sqrt_length}) {
      CHECK_EQUAL([&](const Kernels& kernels) {
        Guarded<float> memory(x, edge), out(n16, edge);
        kernels.pool_rows({.function = function, .x = memory.data(), .m = m, .n = n, .stride = stride,
                           .out = out.data()});
        return out.values();
      });
    }
    const std::vector<float> row = floats(n16, pattern, random);
    CHECK_EQUAL([&](const Kernels& kernels) {
      Guarded<float> memory(row, edge);
      kernels.normalize_row({.x = memory.data(), .out = memory.data(), .n = n});
      return memory.values();
    });
    const size_t a_stride = n16 + random() % 4;
    const std::vector<float> a = floats((m - 1) * a_stride + n16, pattern, random);
    CHECK_EQUAL([&](const Kernels& kernels) {
      Guarded<float> a_memory(a, edge), b_memory(x, edge);
      kernels.multiply({.a = a_memory.data(), .b = b_memory.data(), .m = m, .n = n, .a_stride = a_stride,
                        .b_stride = stride});
      return a_memory.values();
    });
  });
}

TEST_CASE("gemm_f32 and attention_f32") {
  auto random = random_engine("gemm_f32");
  const auto tables = tables_under_test();
  const Pattern pattern = Pattern::normal;
  for (const size_t n : {1, 2, 3, 4, 5, 15, 16, 17, 33}) {
    for (const size_t k : {1, 15, 16, 26, 31, 32, 33, 64, 65, 100}) {
      const size_t m = 1 + random() % 4;
      const Edge edge = random() % 2 == 0 ? Edge::begin : Edge::end;
      const size_t a_stride = k + random() % 4;
      const size_t out_stride = round_up(n, 16) + random() % 4;
      const std::vector<float> a = floats((m - 1) * a_stride + k, pattern, random);
      const std::vector<float> w = floats(n * k, pattern, random);
      const std::vector<float> bias = floats(n, pattern, random);
      for (const bool with_bias : {false, true}) {
        CHECK_EQUAL([&](const Kernels& kernels) {
          Guarded<float> a_memory(a, edge), w_memory(w, edge), bias_memory(bias, edge),
              out((m - 1) * out_stride + round_up(n, 16), edge);
          kernels.gemm_f32({.a = a_memory.data(), .a_stride = a_stride, .w = w_memory.data(), .m = m, .n = n, .k = k,
                            .bias = with_bias ? bias_memory.data() : nullptr, .out = out.data(),
                            .out_stride = out_stride});
          return out.values();
        });
      }
      const std::vector<float> keys = floats((n - 1) * a_stride + k, pattern, random);
      const std::vector<float> values = floats((n - 1) * a_stride + k, pattern, random);
      CHECK_EQUAL([&](const Kernels& kernels) {
        Guarded<float> q(a, edge), k_memory(keys, edge), v(values, edge), scratch(round_up(n, 16), edge),
            out((m - 1) * out_stride * 8 + k, edge);
        kernels.attention_f32({.q = q.data(), .k = k_memory.data(), .v = v.data(), .q_stride = a_stride,
                               .k_stride = a_stride, .v_stride = a_stride, .m = m, .n = n, .dimension = k,
                               .multiplier = 0.2f, .scratch = scratch.data(), .out = out.data(),
                               .out_stride = out_stride * 8});
        return out.values();
      });
    }
  }
}

TEST_CASE("has_minus_128 and all_finite find the one bad value anywhere") {
  auto tables = tables_under_test();
  tables.push_back(&reference_table());
  for (const Kernels* table : tables) {
    for (const size_t size : {0, 1, 31, 32, 63, 64, 65, 200}) {
      for (const Edge edge : kEdges) {
        INFO(isa_name(table->isa), " size ", size);
        Guarded<int8_t> bytes(size, edge);
        std::memset(bytes.data(), 0x7F, size);
        CHECK_FALSE(table->has_minus_128(bytes.data(), size));
        Guarded<float> numbers(size, edge);
        for (size_t i = 0; i < size; ++i) {
          numbers.data()[i] = i % 2 == 0 ? std::numeric_limits<float>::max() : -1e-45f;
        }
        CHECK(table->all_finite(numbers.data(), size));
        for (size_t i = 0; i < size; ++i) {
          bytes.data()[i] = -128;
          CHECK(table->has_minus_128(bytes.data(), size));
          bytes.data()[i] = -127;
          const float before = numbers.data()[i];
          for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                                  std::numeric_limits<float>::quiet_NaN()}) {
            numbers.data()[i] = bad;
            CHECK_FALSE(table->all_finite(numbers.data(), size));
          }
          numbers.data()[i] = before;
        }
        CHECK_FALSE(table->has_minus_128(bytes.data(), size));
      }
    }
  }
}

}  // namespace
}  // namespace kinglet::kernels::test
