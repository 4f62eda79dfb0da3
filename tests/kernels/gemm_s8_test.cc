// int8 matrix product: the reference against 64-bit integers, every path against the reference by memcmp.
#include <cmath>

#include "kernels/support.h"

namespace kinglet::kernels::test {
namespace {

// Operands of one product, activations as rows_s8.
struct Problem {
  size_t m, n, k;
  std::vector<int8_t> a, w;
  std::vector<float> row_scale, column_scale, bias;
  std::vector<int32_t> zero_point, column_sum;

  size_t out_stride() const { return round_up(n, 16) + 3; }
};

enum class Extreme { none, largest, smallest, alternating, zero };

Problem make_problem(size_t m, size_t n, size_t k, Extreme extreme, std::mt19937_64& random) {
  const size_t k8 = round_up(k, 8);
  const size_t n16 = round_up(n, 16);
  Problem p{.m = m, .n = n, .k = k, .a = std::vector<int8_t>(m * k8), .w = std::vector<int8_t>(n16 * k8),
            .row_scale = floats(m, Pattern::positive, random), .column_scale = floats(n16, Pattern::positive, random),
            .bias = floats(n16, Pattern::normal, random), .zero_point = std::vector<int32_t>(m),
            .column_sum = std::vector<int32_t>(n16)};
  const auto pick = [&](size_t i, int low, int high) {
    switch (extreme) {
      case Extreme::largest: return high;
      case Extreme::smallest: return low;
      case Extreme::alternating: return i % 2 == 0 ? low : high;
      case Extreme::zero: return 0;
      default: return low + static_cast<int>(random() % static_cast<uint64_t>(high - low + 1));
    }
  };
  for (size_t i = 0; i < m; ++i) {
    p.zero_point[i] = pick(i, -128, 127);
    for (size_t j = 0; j < k; ++j) {
      p.a[i * k8 + j] = static_cast<int8_t>(pick(i + j, -128, 127));
    }
  }
  for (size_t j = 0; j < n; ++j) {
    for (size_t i = 0; i < k; ++i) {
      const int value = pick(i + j / 3, -127, 127);
      p.w[j / 16 * k8 * 16 + i / 8 * 128 + j % 16 * 8 + i % 8] = static_cast<int8_t>(value);
      p.column_sum[j] += value;
    }
  }
  return p;
}

std::vector<float> run(const Kernels& kernels, const Problem& p, bool with_bias, Edge edge) {
  Guarded<int8_t> a(packed(p.a, p.m, p.k, kernels.layout), edge);
  Guarded<int8_t> w(p.w, edge);
  Guarded<float> row_scale(p.row_scale, edge), column_scale(p.column_scale, edge), bias(p.bias, edge);
  Guarded<int32_t> zero_point(p.zero_point, edge), column_sum(p.column_sum, edge);
  Guarded<float> out((p.m - 1) * p.out_stride() + round_up(p.n, 16), edge);
  kernels.gemm_s8({.a = a.data(), .w = w.data(), .m = p.m, .n = p.n, .k = p.k, .row_scale = row_scale.data(),
                   .zero_point = zero_point.data(), .column_scale = column_scale.data(),
                   .column_sum = column_sum.data(), .bias = with_bias ? bias.data() : nullptr, .out = out.data(),
                   .out_stride = p.out_stride()});
  return out.values();
}

void check_all(const std::vector<const Kernels*>& tables, const Problem& p, bool with_bias, Edge edge) {
  const std::vector<float> expected = run(reference_table(), p, with_bias, edge);
  for (const Kernels* table : tables) {
    const bool same = same_bytes(run(*table, p, with_bias, edge), expected);
    CHECK_MESSAGE(same, isa_name(table->isa), ": m ", p.m, " n ", p.n, " k ", p.k, " bias ", with_bias);
  }
}

TEST_CASE("gemm_s8: the reference is the formula") {
  auto random = random_engine("gemm_s8 reference");
  for (const size_t k : {1, 8, 30, 384}) {
    const Problem p = make_problem(3, 37, k, Extreme::none, random);
    const std::vector<float> out = run(reference_table(), p, true, Edge::end);
    for (size_t i = 0; i < p.m; ++i) {
      for (size_t j = 0; j < round_up(p.n, 16); ++j) {
        int64_t sum = 0;
        for (size_t l = 0; l < k; ++l) {
          const int w = p.w[j / 16 * round_up(k, 8) * 16 + l / 8 * 128 + j % 16 * 8 + l % 8];
          sum += int64_t{p.a[i * round_up(k, 8) + l] - p.zero_point[i]} * w;
        }
        const double scaled = static_cast<double>(sum) * p.row_scale[i] * p.column_scale[j];
        const double expected = j < p.n ? scaled + p.bias[j] : 0.0;
        // Three roundings of the product, one of the sum.
        CHECK(std::abs(out[i * p.out_stride() + j] - expected) <=
              (std::abs(scaled) * 3 + std::abs(expected)) * 0x1p-24 * 1.01);
      }
    }
  }
}

TEST_CASE("gemm_s8: every path equals the reference below, at and above each tile") {
  auto random = random_engine("gemm_s8 shapes");
  const auto tables = tables_under_test();
  const std::vector<size_t> rows = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 23, 24, 25, 37};
  const std::vector<size_t> columns = {1, 7, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 80};
  const std::vector<size_t> depths = {1, 7, 8, 9, 16, 31, 33, 64, 100};
  for (const size_t m : rows) {
    for (const size_t n : columns) {
      for (const size_t k : depths) {
        if (small_scale() && random() % 8 != 0) {
          continue;
        }
        check_all(tables, make_problem(m, n, k, Extreme::none, random), random() % 4 != 0,
                  random() % 2 == 0 ? Edge::begin : Edge::end);
      }
    }
  }
}

TEST_CASE("gemm_s8: products large enough for the tile unit") {
  auto random = random_engine("gemm_s8 large");
  const auto tables = tables_under_test();
  for (const size_t m : {13, 14, 15, 16, 17, 31, 32, 33, 40, 48, 63, 65, 130, 259}) {
    for (const size_t n : {64, 70, 81, 130, 1000}) {
      for (const size_t k : {32, 64, 72, 200, 256, 259, 1030, 2060, 4104}) {
        if ((small_scale() && random() % 16 != 0) || (k > 2000 && (m > 65 || n > 70)) || (k > 256 && n > 130)) {
          continue;
        }
        check_all(tables, make_problem(m, n, k, static_cast<Extreme>(random() % 5), random), random() % 4 != 0,
                  random() % 2 == 0 ? Edge::begin : Edge::end);
      }
    }
  }
}

TEST_CASE("gemm_s8: extremes") {
  auto random = random_engine("gemm_s8 extremes");
  const auto tables = tables_under_test();
  for (const Extreme extreme : {Extreme::largest, Extreme::smallest, Extreme::alternating, Extreme::zero}) {
    for (const size_t m : {1, 2, 5, 12, 13}) {
      for (const Edge edge : kEdges) {
        check_all(tables, make_problem(m, 33, 50, extreme, random), true, edge);
      }
    }
    // The largest k: sums and corrections pass 2³¹ and wrap alike.
    check_all(tables, make_problem(2, 16, 65536, extreme, random), false, Edge::end);
  }
}

#ifdef __wasm__
using DotFunction = void (*)(const uint8_t* a, const int8_t* w, size_t stride, size_t steps, int32_t* sums);
extern "C" void kinglet_wasm_use_dot(size_t rows, DotFunction dot, int32_t kind);

// What platforms/wasm/npm/dot.js makes, for either kind of engine. Sums wrap.
template <size_t kRows, typename Activation>
void dot(const uint8_t* a, const int8_t* w, size_t stride, size_t steps, int32_t* sums) {
  for (size_t i = 0; i < kRows * 4; ++i) {
    uint32_t sum = 0;
    for (size_t j = 0; j < steps * 8; ++j) {
      const int activation = static_cast<Activation>(a[i / 4 * stride + j]);
      sum += static_cast<uint32_t>(activation * w[j / 8 * 128 + i % 4 * 8 + j % 8]);
    }
    sums[i] = static_cast<int32_t>(sum);
  }
}

template <typename Activation>
void check_dot(int32_t kind, std::mt19937_64& random) {
  const DotFunction functions[] = {dot<1, Activation>, dot<2, Activation>, dot<3, Activation>,
                                   dot<4, Activation>, dot<5, Activation>, dot<6, Activation>};
  for (size_t i = 0; i < std::size(functions); ++i) {
    kinglet_wasm_use_dot(i + 1, functions[i], kind);
  }
  for (const size_t m : {1, 2, 3, 4, 5, 6, 7, 9, 37, 130}) {
    for (const size_t n : {1, 16, 33, 80}) {
      for (const size_t k : {1, 8, 30, 384, 1030, 6200}) {
        if (m * k < 50'000) {
          check_all(tables_under_test(), make_problem(m, n, k, static_cast<Extreme>(random() % 5), random), true,
                    Edge::end);
        }
      }
    }
  }
  for (size_t i = 0; i < std::size(functions); ++i) {
    kinglet_wasm_use_dot(i + 1, nullptr, 0);
  }
}

TEST_CASE("gemm_s8: dot products that the engine supplies") {
  auto random = random_engine("gemm_s8 dot");
  check_dot<int8_t>(1, random);
  check_dot<uint8_t>(2, random);
}
#endif

TEST_CASE("gemm_s8: operands at any alignment") {
  auto random = random_engine("gemm_s8 alignment");
  for (const Kernels* table : tables_under_test()) {
    const Problem p = make_problem(5, 40, 24, Extreme::none, random);
    const std::vector<float> expected = run(reference_table(), p, true, Edge::end);
    for (size_t shift = 0; shift < 64; shift += 7) {
      std::vector<int8_t> a(shift), w(shift);
      const std::vector<int8_t> bytes = packed(p.a, p.m, p.k, table->layout);
      a.insert(a.end(), bytes.begin(), bytes.end());
      w.insert(w.end(), p.w.begin(), p.w.end());
      std::vector<float> out(expected.size());
      std::memset(out.data(), 0xA5, out.size() * sizeof(float));
      table->gemm_s8({.a = a.data() + shift, .w = w.data() + shift, .m = p.m, .n = p.n, .k = p.k,
                      .row_scale = p.row_scale.data(), .zero_point = p.zero_point.data(),
                      .column_scale = p.column_scale.data(), .column_sum = p.column_sum.data(),
                      .bias = p.bias.data(), .out = out.data(), .out_stride = p.out_stride()});
      CHECK_MESSAGE(same_bytes(out, expected), isa_name(table->isa), ": shift ", shift);
    }
  }
}

TEST_CASE("the list, the tables and the names agree") {
  size_t count = 0;
#define KINGLET_GEMM_S8(name, activation_layout, rows, outputs)                  \
  {                                                                              \
    const Kernels* table = kernels_for(Isa::name);                               \
    REQUIRE(table != nullptr);                                                   \
    CHECK(table->isa == Isa::name);                                              \
    CHECK(table->layout == ActivationLayout::activation_layout);                 \
    CHECK(std::string(isa_name(Isa::name)) == #name);                            \
    ++count;                                                                     \
  }
#include "gemm_s8/kernels.inc"
#undef KINGLET_GEMM_S8
  size_t found = 0;
  for (size_t i = 0; i < kIsaCount; ++i) {
    found += kernels_for(static_cast<Isa>(i)) != nullptr;
  }
  CHECK(found == count);
}

}  // namespace
}  // namespace kinglet::kernels::test
