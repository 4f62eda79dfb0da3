// Attention with relative terms: the reference against plain formulas in double precision, every path against the
// reference by memcmp, between guard pages.
#include <cmath>

#include "kernels/support.h"

namespace kinglet::kernels::test {
namespace {

ptrdiff_t clamped(ptrdiff_t distance, size_t reach) {
  return std::clamp(distance, -static_cast<ptrdiff_t>(reach), static_cast<ptrdiff_t>(reach)) +
         static_cast<ptrdiff_t>(reach);
}

std::vector<uint32_t> random_rows(size_t reach, uint32_t count, std::mt19937_64& random) {
  std::vector<uint32_t> rows(2 * reach + 1);
  for (uint32_t& row : rows) {
    row = static_cast<uint32_t>(random() % count);
  }
  return rows;
}

// Runs `run` on the reference and on every path; `same` compares.
#define CHECK_ALL_EQUAL(tables, ...)                                                     \
  {                                                                                      \
    const auto run = __VA_ARGS__;                                                        \
    const auto expected = run(reference_table());                                        \
    for (const Kernels* table : tables) {                                                \
      CHECK_MESSAGE(same_bytes(run(*table), expected), isa_name(table->isa));            \
    }                                                                                    \
  }

TEST_CASE("relate_scores: bias by clamped distance, and a window") {
  auto random = random_engine("relate_scores");
  const auto tables = tables_under_test();
  for (const size_t n : {1, 7, 16, 31, 33, 70, 130}) {
    for (const size_t reach : {0, 1, 5, 40, 200}) {
      for (const ptrdiff_t distance : {0, -3, -40, 12, -300, 300}) {
        for (const size_t window : {size_t{1}, size_t{9}, size_t{64}, SIZE_MAX}) {
          const size_t m = 1 + random() % 5;
          const size_t stride = n + random() % 4;
          const Edge edge = random() % 2 == 0 ? Edge::begin : Edge::end;
          const std::vector<float> scores = floats((m - 1) * stride + n, Pattern::normal, random);
          const std::vector<float> bias = floats(2 * reach + 1, Pattern::normal, random);
          const bool with_bias = random() % 3 != 0;
          CAPTURE(n);
          CAPTURE(reach);
          CAPTURE(distance);
          CAPTURE(window);
          const auto run_on = [&](const Kernels& kernels) {
            Guarded<float> memory(scores, edge), bias_memory(bias, edge);
            kernels.relate_scores({.scores = memory.data(), .m = m, .n = n, .stride = stride, .distance = distance,
                                   .bias = with_bias ? bias_memory.data() : nullptr, .reach = reach,
                                   .window = window});
            return memory.values();
          };
          CHECK_ALL_EQUAL(tables, run_on);
          const std::vector<float> actual = run_on(reference_table());
          bool right = true;
          for (size_t i = 0; i < m; ++i) {
            for (size_t j = 0; j < n; ++j) {
              const ptrdiff_t d = distance + static_cast<ptrdiff_t>(j) - static_cast<ptrdiff_t>(i);
              const bool outside = static_cast<size_t>(std::abs(d)) >= window;
              const float sum = scores[i * stride + j] + (with_bias ? bias[static_cast<size_t>(clamped(d, reach))] : 0);
              right = right && actual[i * stride + j] == (outside ? kOutside : sum);
            }
          }
          CHECK(right);
        }
      }
    }
  }
}

TEST_CASE("a score outside the window has the probability 0") {
  for (const Kernels* table : tables_under_test()) {
    std::vector<float> scores = {-3.0f, kOutside, -500.0f, kOutside};
    std::vector<int8_t> p(activation_bytes(table->layout, 1, 4));
    float inverse = 0;
    table->softmax_quantize({.scores = scores.data(), .m = 1, .n = 4, .stride = 4, .p = p.data(),
                             .inverse_sum = &inverse});
    CHECK(inverse == 1.0f / 255.0f);
  }
}

TEST_CASE("scores_f32 and weigh_values_f32") {
  auto random = random_engine("scores_f32");
  const auto tables = tables_under_test();
  for (const size_t n : {1, 2, 5, 16, 33, 70}) {
    for (const size_t dimension : {1, 15, 16, 26, 32, 33, 64, 100}) {
      const size_t m = 1 + random() % 4, stride = dimension + random() % 4, out_stride = n + random() % 4;
      const size_t reach = random() % 40, table_rows = 1 + random() % 30;
      const ptrdiff_t distance = static_cast<ptrdiff_t>(random() % 60) - 30;
      const Edge edge = random() % 2 == 0 ? Edge::begin : Edge::end;
      const std::vector<float> q = floats((m - 1) * stride + dimension, Pattern::normal, random);
      const std::vector<float> k = floats((n - 1) * stride + dimension, Pattern::normal, random);
      const std::vector<float> c = floats((table_rows - 1) * stride + dimension, Pattern::normal, random);
      const std::vector<float> p = floats((table_rows - 1) * (stride + 3) + dimension, Pattern::normal, random);
      const std::vector<uint32_t> rows = random_rows(reach, static_cast<uint32_t>(table_rows), random);
      for (int terms = 0; terms < 4; ++terms) {
        CAPTURE(n);
        CAPTURE(dimension);
        CAPTURE(terms);
        const auto run_on = [&](const Kernels& kernels) {
          Guarded<float> q_memory(q, edge), k_memory(k, edge), c_memory(c, edge), p_memory(p, edge),
              out((m - 1) * out_stride + n, edge);
          kernels.scores_f32({.q = q_memory.data(), .k = k_memory.data(), .q_stride = stride, .k_stride = stride,
                              .m = m, .n = n, .dimension = dimension, .distance = distance, .multiplier = 0.3f,
                              .c = terms & 1 ? c_memory.data() : nullptr, .p = terms & 2 ? p_memory.data() : nullptr,
                              .c_stride = stride, .p_stride = stride + 3, .rows = terms != 0 ? rows.data() : nullptr,
                              .reach = reach, .out = out.data(), .out_stride = out_stride});
          return out.values();
        };
        CHECK_ALL_EQUAL(tables, run_on);
        const std::vector<float> actual = run_on(reference_table());
        double difference = 0;
        for (size_t i = 0; i < m; ++i) {
          for (size_t j = 0; j < n; ++j) {
            const ptrdiff_t d = distance + static_cast<ptrdiff_t>(j) - static_cast<ptrdiff_t>(i);
            const size_t row = rows[static_cast<size_t>(clamped(d, reach))];
            double sum = 0;
            for (size_t l = 0; l < dimension; ++l) {
              sum += double{q[i * stride + l]} * k[j * stride + l];
              sum += terms & 1 ? double{q[i * stride + l]} * c[row * stride + l] : 0;
              sum += terms & 2 ? double{k[j * stride + l]} * p[row * (stride + 3) + l] : 0;
            }
            difference = std::max(difference, std::abs(actual[i * out_stride + j] - sum * 0.3f));
          }
        }
        CHECK(difference <= 3e-5);
      }
      const std::vector<float> scores = floats((m - 1) * out_stride + n, Pattern::normal, random);
      const auto weigh = [&](const Kernels& kernels) {
        Guarded<float> score_memory(scores, edge), v(k, edge), out((m - 1) * stride + dimension, edge);
        kernels.weigh_values_f32({.scores = score_memory.data(), .stride = out_stride, .v = v.data(),
                                  .v_stride = stride, .m = m, .n = n, .dimension = dimension, .out = out.data(),
                                  .out_stride = stride});
        return out.values();
      };
      CHECK_ALL_EQUAL(tables, weigh);
      const std::vector<float> weighed = weigh(reference_table());
      double difference = 0;
      for (size_t i = 0; i < m; ++i) {
        for (size_t l = 0; l < dimension; ++l) {
          double sum = 0, weighted = 0;
          for (size_t j = 0; j < n; ++j) {
            const double e = std::exp2(double{scores[i * out_stride + j]});
            sum += e;
            weighted += e * k[j * stride + l];
          }
          difference = std::max(difference, std::abs(weighed[i * stride + l] - weighted / sum));
        }
      }
      CHECK(difference <= 2e-5);
    }
  }
}

TEST_CASE("sum_tile") {
  auto random = random_engine("sum_tile");
  const auto tables = tables_under_test();
  for (const size_t steps : {1, 2, 3, 17, 700}) {
    const Edge edge = random() % 2 == 0 ? Edge::begin : Edge::end;
    std::vector<int8_t> tile(steps * 128);
    for (int8_t& value : tile) {
      value = steps == 700 ? 127 : static_cast<int8_t>(random() % 255 - 127);
    }
    const auto run_on = [&](const Kernels& kernels) {
      Guarded<int8_t> memory(tile, edge);
      Guarded<int32_t> sum(16, edge);
      kernels.sum_tile({.tile = memory.data(), .steps = steps, .sum = sum.data()});
      return sum.values();
    };
    CHECK_ALL_EQUAL(tables, run_on);
    const std::vector<int32_t> actual = run_on(reference_table());
    for (size_t channel = 0; channel < 16; ++channel) {
      int32_t sum = 0;
      for (size_t i = 0; i < tile.size(); ++i) {
        sum += i / 8 % 16 == channel ? tile[i] : 0;
      }
      CHECK(actual[channel] == sum);
    }
  }
}

TEST_CASE("rotate_row") {
  auto random = random_engine("rotate_row");
  const auto tables = tables_under_test();
  for (const size_t half : {1, 7, 13, 16, 17, 32, 48}) {
    const size_t heads = 1 + random() % 4, head_dim = 2 * half + random() % 5;
    const Edge edge = random() % 2 == 0 ? Edge::begin : Edge::end;
    const std::vector<float> x = floats(heads * head_dim, Pattern::normal, random);
    std::vector<float> angles = floats(half, Pattern::normal, random), cosine(half), sine(half);
    for (size_t t = 0; t < half; ++t) {
      cosine[t] = std::cos(angles[t]);
      sine[t] = std::sin(angles[t]);
    }
    CAPTURE(half);
    const auto run_on = [&](const Kernels& kernels) {
      Guarded<float> memory(x, edge), c(cosine, edge), s(sine, edge);
      kernels.rotate_row({.x = memory.data(), .heads = heads, .head_dim = head_dim, .half = half, .cosine = c.data(),
                          .sine = s.data()});
      return memory.values();
    };
    CHECK_ALL_EQUAL(tables, run_on);
    const std::vector<float> actual = run_on(reference_table());
    for (size_t i = 0; i < x.size(); ++i) {
      const size_t t = i % head_dim;
      double expected = x[i];
      if (t < half) {
        expected = x[i] * std::cos(double{angles[t]}) - x[i + half] * std::sin(double{angles[t]});
      } else if (t < 2 * half) {
        expected = x[i] * std::cos(double{angles[t - half]}) + x[i - half] * std::sin(double{angles[t - half]});
      }
      CHECK(std::abs(actual[i] - expected) <= 1e-6);
    }
  }
}

}  // namespace
}  // namespace kinglet::kernels::test
