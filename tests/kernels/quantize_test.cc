// The quantisers and the 8-bit softmax: every path against the reference by memcmp, between guard pages.
#include <cmath>

#include "kernels/support.h"

namespace kinglet::kernels::test {
namespace {

struct Result {
  bool finite;
  std::vector<int8_t> q;  // as rows_s8 where it is activations
  std::vector<float> scale;
  std::vector<int32_t> sum;  // or zero points

  bool operator==(const Result& other) const {
    if (finite != other.finite) {
      return false;
    }
    return !finite || (same_bytes(q, other.q) && same_bytes(scale, other.scale) && same_bytes(sum, other.sum));
  }
};

struct Rows {
  size_t m, k, stride;
  std::vector<float> x;
};

Rows make_rows(size_t m, size_t k, Pattern pattern, std::mt19937_64& random) {
  const size_t stride = k + random() % 5;
  return {m, k, stride, floats((m - 1) * stride + k, pattern, random)};
}

// Unspecified bytes where a row was not finite.
std::vector<int8_t> activations(const Guarded<int8_t>& q, const Rows& rows, ActivationLayout layout, bool finite) {
  return finite ? as_s8(q.values(), rows.m, rows.k, layout) : std::vector<int8_t>();
}

Result quantize_rows(const Kernels& kernels, const Rows& rows, const std::vector<float>& input_scale, Edge edge) {
  Guarded<float> x(rows.x, edge), scales(input_scale, edge), scale(rows.m, edge);
  Guarded<int8_t> q(activation_bytes(kernels.layout, rows.m, rows.k), edge);
  Guarded<int32_t> zero_point(rows.m, edge);
  const bool finite = kernels.quantize_rows({.x = x.data(), .m = rows.m, .k = rows.k, .stride = rows.stride,
                                             .input_scale = input_scale.empty() ? nullptr : scales.data(),
                                             .q = q.data(), .scale = scale.data(), .zero_point = zero_point.data()});
  return {finite, activations(q, rows, kernels.layout, finite), scale.values(), zero_point.values()};
}

Result quantize_queries(const Kernels& kernels, const Rows& rows, float multiplier, Edge edge) {
  Guarded<float> x(rows.x, edge), scale(rows.m, edge);
  Guarded<int8_t> q(activation_bytes(kernels.layout, rows.m, rows.k), edge);
  const bool finite = kernels.quantize_queries({.x = x.data(), .m = rows.m, .k = rows.k, .stride = rows.stride,
                                                .multiplier = multiplier, .q = q.data(), .scale = scale.data()});
  return {finite, activations(q, rows, kernels.layout, finite), scale.values(), {}};
}

Result pack_keys(const Kernels& kernels, const Rows& rows, Edge edge) {
  const size_t m16 = round_up(rows.m, 16);
  Guarded<float> x(rows.x, edge), scale(m16, edge);
  Guarded<int8_t> tile(m16 * round_up(rows.k, 8), edge);
  Guarded<int32_t> sum(m16, edge);
  const bool finite = kernels.pack_keys({.x = x.data(), .m = rows.m, .k = rows.k, .stride = rows.stride,
                                         .tile = tile.data(), .scale = scale.data(), .sum = sum.data()});
  return {finite, tile.values(), scale.values(), sum.values()};
}

Result pack_values(const Kernels& kernels, const Rows& rows, Edge edge) {
  const size_t k16 = round_up(rows.k, 16);
  Guarded<float> x(rows.x, edge), scale(k16, edge);
  Guarded<int8_t> tile(k16 * round_up(rows.m, 8), edge);
  Guarded<int32_t> sum(k16, edge);
  const bool finite = kernels.pack_values({.x = x.data(), .m = rows.m, .k = rows.k, .stride = rows.stride,
                                           .tile = tile.data(), .scale = scale.data(), .sum = sum.data()});
  return {finite, tile.values(), scale.values(), sum.values()};
}

Result softmax_quantize(const Kernels& kernels, const Rows& rows, Edge edge) {
  Guarded<float> scores(rows.x, edge), inverse_sum(rows.m, edge);
  Guarded<int8_t> p(activation_bytes(kernels.layout, rows.m, rows.k), edge);
  kernels.softmax_quantize({.scores = scores.data(), .m = rows.m, .n = rows.k, .stride = rows.stride, .p = p.data(),
                            .inverse_sum = inverse_sum.data()});
  return {true, activations(p, rows, kernels.layout, true), inverse_sum.values(), {}};
}

void check_rows(const std::vector<const Kernels*>& tables, const Rows& rows, Pattern pattern, Edge edge,
                std::mt19937_64& random) {
  const std::vector<float> input_scale =
      random() % 2 == 0 ? std::vector<float>() : floats(rows.k, Pattern::positive, random);
  const float multiplier = 0.1803f;
  const Kernels& reference = reference_table();
  for (const Kernels* table : tables) {
    INFO(isa_name(table->isa), " m ", rows.m, " k ", rows.k, " pattern ", static_cast<int>(pattern));
    CHECK(quantize_rows(*table, rows, input_scale, edge) == quantize_rows(reference, rows, input_scale, edge));
    CHECK(quantize_queries(*table, rows, multiplier, edge) == quantize_queries(reference, rows, multiplier, edge));
    CHECK(pack_keys(*table, rows, edge) == pack_keys(reference, rows, edge));
    CHECK(pack_values(*table, rows, edge) == pack_values(reference, rows, edge));
    CHECK(softmax_quantize(*table, rows, edge) == softmax_quantize(reference, rows, edge));
  }
}

TEST_CASE("quantisers and softmax: every path equals the reference for every width") {
  auto random = random_engine("quantize widths");
  const auto tables = tables_under_test();
  for (size_t k = 1; k <= 70; ++k) {
    for (const Pattern pattern : kPatterns) {
      if (small_scale() && random() % 8 != 0) {
        continue;
      }
      const size_t m = 1 + random() % 19;
      check_rows(tables, make_rows(m, k, pattern, random), pattern, random() % 2 == 0 ? Edge::begin : Edge::end,
                 random);
    }
  }
  for (const size_t k : {127, 128, 129, 384, 385, 1536}) {
    check_rows(tables, make_rows(9, k, Pattern::normal, random), Pattern::normal, Edge::end, random);
  }
  for (size_t m = 1; m <= 40; ++m) {
    check_rows(tables, make_rows(m, 32, Pattern::normal, random), Pattern::normal, Edge::end, random);
  }
}

TEST_CASE("quantisers: exact halves round to even everywhere") {
  const auto tables = tables_under_test();
  Rows rows{1, 64, 64, std::vector<float>(64)};
  for (size_t i = 0; i < 64; ++i) {
    rows.x[i] = static_cast<float>(i) - 31.5f;
  }
  rows.x[0] = -127.0f;
  rows.x[1] = 128.0f;
  for (const Kernels* table : tables) {
    CHECK(quantize_rows(*table, rows, {}, Edge::end) == quantize_rows(reference_table(), rows, {}, Edge::end));
    CHECK(pack_keys(*table, rows, Edge::end) == pack_keys(reference_table(), rows, Edge::end));
  }
}

TEST_CASE("quantisers refuse every value that is not finite, wherever it stands") {
  auto random = random_engine("quantize non-finite");
  auto tables = tables_under_test();
  tables.push_back(&reference_table());
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const size_t k : {1, 8, 33, 70}) {
    for (size_t at = 0; at < 3 * k; at += small_scale() ? 5 : 1) {
      for (const float bad : {infinity, -infinity, nan, -nan}) {
        Rows rows{3, k, k, floats(3 * k, Pattern::normal, random)};
        rows.x[at] = bad;
        for (const Kernels* table : tables) {
          INFO(isa_name(table->isa), " k ", k, " at ", at, " value ", bad);
          CHECK_FALSE(quantize_rows(*table, rows, {}, Edge::end).finite);
          CHECK_FALSE(quantize_rows(*table, rows, std::vector<float>(k, 1.0f), Edge::end).finite);
          CHECK_FALSE(quantize_queries(*table, rows, 1.0f, Edge::end).finite);
          CHECK_FALSE(pack_keys(*table, rows, Edge::end).finite);
          CHECK_FALSE(pack_values(*table, rows, Edge::end).finite);
        }
      }
    }
  }
  Rows wide{1, 2, 2, {3e38f, -3e38f}};  // finite numbers whose range is not
  Rows scaled{1, 2, 2, {3e38f, 1.0f}};
  for (const Kernels* table : tables) {
    CHECK_FALSE(quantize_rows(*table, wide, {}, Edge::end).finite);
    CHECK_FALSE(quantize_rows(*table, scaled, {2.0f, 1.0f}, Edge::end).finite);
    CHECK(quantize_rows(*table, scaled, {}, Edge::end).finite);
  }
}

TEST_CASE("quantize_rows: the reference has the properties of its formula") {
  auto random = random_engine("quantize properties");
  for (const Pattern pattern : kPatterns) {
    const Rows rows = make_rows(20, 48, pattern, random);
    const Result r = quantize_rows(reference_table(), rows, {}, Edge::end);
    REQUIRE(r.finite);
    for (size_t i = 0; i < rows.m; ++i) {
      double low = 0, high = 0;
      for (size_t j = 0; j < rows.k; ++j) {
        low = std::min(low, double{rows.x[i * rows.stride + j]});
        high = std::max(high, double{rows.x[i * rows.stride + j]});
      }
      CHECK(r.sum[i] >= -128);
      CHECK(r.sum[i] <= 127);
      if (high - low < 0x1p-100) {
        CHECK(r.scale[i] == 0.0f);
        CHECK(r.sum[i] == 0);
        continue;
      }
      const double scale = (high - low) / 255;
      CHECK(r.scale[i] == doctest::Approx(scale).epsilon(1e-6));
      for (size_t j = 0; j < rows.k; ++j) {
        const double back = (r.q[i * 48 + j] - r.sum[i]) * double{r.scale[i]};
        CHECK(std::abs(back - rows.x[i * rows.stride + j]) <= scale * 1.0001);  // half a step, and half of zp's
      }
    }
  }
}

TEST_CASE("symmetric quantisers: error at most half a step, sums are sums") {
  auto random = random_engine("symmetric properties");
  const Rows rows = make_rows(21, 26, Pattern::mixed, random);
  const Result keys = pack_keys(reference_table(), rows, Edge::end);
  const Result values = pack_values(reference_table(), rows, Edge::end);
  const Result queries = quantize_queries(reference_table(), rows, 0.5f, Edge::end);
  REQUIRE(keys.finite);
  std::vector<int> key_sums(32), value_sums(32);
  for (size_t i = 0; i < rows.m; ++i) {
    for (size_t j = 0; j < rows.k; ++j) {
      const double x = rows.x[i * rows.stride + j];
      const int key = keys.q[i / 16 * 16 * 32 + j / 8 * 128 + i % 16 * 8 + j % 8];
      const int value = values.q[j / 16 * 16 * 24 + i / 8 * 128 + j % 16 * 8 + i % 8];
      CHECK(std::abs(key * double{keys.scale[i]} - x) <= keys.scale[i] * 0.50001);
      CHECK(std::abs(value * double{values.scale[j]} - x) <= values.scale[j] * 0.50001);
      CHECK(queries.q[i * 32 + j] == key);
      CHECK(queries.scale[i] == keys.scale[i] * 0.5f);
      CHECK(std::abs(key) <= 127);
      CHECK(std::abs(value) <= 127);
      key_sums[i] += key;
      value_sums[j] += value;
    }
  }
  for (size_t i = 0; i < 32; ++i) {
    CHECK(keys.sum[i] == key_sums[i]);
    CHECK(values.sum[i] == value_sums[i]);
  }
}

TEST_CASE("softmax_quantize: the reference is softmax to 8 bits") {
  auto random = random_engine("softmax");
  for (const size_t n : {1, 2, 20, 128, 500}) {
    Rows rows = make_rows(8, n, Pattern::normal, random);
    for (float& s : rows.x) {
      s *= 5;
    }
    const Result r = softmax_quantize(reference_table(), rows, Edge::end);
    for (size_t i = 0; i < rows.m; ++i) {
      double maximum = -1e300;
      for (size_t j = 0; j < n; ++j) {
        maximum = std::max(maximum, double{rows.x[i * rows.stride + j]});
      }
      int64_t sum = 0;
      bool has_one = false;
      for (size_t j = 0; j < n; ++j) {
        const int p = r.q[i * round_up(n, 8) + j] + 128;
        CHECK(std::abs(p - 255 * std::exp2(rows.x[i * rows.stride + j] - maximum)) <= 0.5 + 255 * 1.1e-4);
        has_one = has_one || p == 255;
        sum += p;
      }
      CHECK(has_one);
      CHECK(r.scale[i] == 1.0f / static_cast<float>(sum));
    }
  }
}

}  // namespace
}  // namespace kinglet::kernels::test
