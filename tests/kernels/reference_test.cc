// The reference of the fp32 row kernels against plain formulas in double precision.
#include <cmath>

#include "kernels/support.h"

namespace kinglet::kernels::test {
namespace {

const Kernels& kernels = reference_table();

TEST_CASE("add_norm: layer norm, affine, and the plain sum") {
  auto random = random_engine("add_norm reference");
  for (const size_t n : {1, 26, 32, 384, 1000}) {
    const size_t stride = round_up(n, 16);
    const std::vector<float> x = floats(2 * stride, Pattern::normal, random);
    const std::vector<float> residual = floats(2 * stride, Pattern::normal, random);
    const std::vector<float> weight = floats(n, Pattern::normal, random);
    const std::vector<float> bias = floats(n, Pattern::normal, random);
    std::vector<float> out(2 * stride, -1.0f);
    AddNorm args{.x = x.data(), .residual = residual.data(), .weight = weight.data(), .bias = bias.data(),
                 .affine = false, .epsilon = 1e-5f, .out = out.data(), .m = 2, .n = n, .x_stride = stride,
                 .residual_stride = stride, .out_stride = stride};
    kernels.add_norm(args);
    for (size_t i = 0; i < 2; ++i) {
      double mean = 0, variance = 0;
      for (size_t j = 0; j < n; ++j) {
        mean += (double{x[i * stride + j]} + residual[i * stride + j]) / static_cast<double>(n);
      }
      for (size_t j = 0; j < n; ++j) {
        variance += std::pow(double{x[i * stride + j]} + residual[i * stride + j] - mean, 2) / static_cast<double>(n);
      }
      for (size_t j = 0; j < stride; ++j) {
        const double v = double{x[i * stride + j]} + residual[i * stride + j];
        const double expected = j < n ? (v - mean) / std::sqrt(variance + 1e-5) * weight[j] + bias[j] : 0.0;
        CHECK(std::abs(out[i * stride + j] - expected) <= 1e-5);
      }
    }
    args.affine = true;
    kernels.add_norm(args);
    CHECK(out[0] == (x[0] + residual[0]) * weight[0] + bias[0]);
    args.weight = nullptr;
    args.residual = nullptr;
    kernels.add_norm(args);
    CHECK(out[n - 1] == x[n - 1]);
  }
}

TEST_CASE("pool_rows and normalize_row") {
  auto random = random_engine("pool_rows reference");
  const size_t m = 7, n = 37, stride = 40;
  const std::vector<float> x = floats(m * stride, Pattern::normal, random);
  std::vector<float> out(48);
  const auto pooled = [&](PoolFunction function) {
    kernels.pool_rows({.function = function, .x = x.data(), .m = m, .n = n, .stride = stride, .out = out.data()});
    return out;
  };
  const auto first = pooled(PoolFunction::first), mean = pooled(PoolFunction::mean), max = pooled(PoolFunction::max),
             root = pooled(PoolFunction::mean_sqrt_length);
  for (size_t j = 0; j < n; ++j) {
    double sum = 0, largest = -1e30;
    for (size_t i = 0; i < m; ++i) {
      sum += x[i * stride + j];
      largest = std::max(largest, double{x[i * stride + j]});
    }
    CHECK(first[j] == x[j]);
    CHECK(max[j] == largest);
    CHECK(std::abs(mean[j] - sum / m) <= 1e-6);
    CHECK(std::abs(root[j] - sum / std::sqrt(double{m})) <= 1e-6);
  }
  for (size_t j = n; j < 48; ++j) {
    CHECK((first[j] == 0 && mean[j] == 0 && max[j] == 0 && root[j] == 0));
  }

  kernels.normalize_row({.x = x.data(), .out = out.data(), .n = n});
  double squares = 0;
  for (size_t j = 0; j < n; ++j) {
    squares += double{x[j]} * x[j];
  }
  for (size_t j = 0; j < n; ++j) {
    CHECK(std::abs(out[j] - x[j] / std::sqrt(squares)) <= 1e-7);
  }
  const std::vector<float> zeros(48);
  kernels.normalize_row({.x = zeros.data(), .out = out.data(), .n = n});
  CHECK(out == zeros);
}

TEST_CASE("embed_row and multiply") {
  int8_t row[20];
  int8_t tile[2 * 128 + 8];
  for (int j = 0; j < 20; ++j) {
    row[j] = static_cast<int8_t>(j * 13 - 127);
    tile[j / 8 * 128 + j % 8] = row[j];
  }
  for (const bool in_tile : {false, true}) {
    std::vector<float> out(32, 5.0f);
    EmbedRow args{.row = in_tile ? tile : row, .s8 = true, .tile = in_tile, .scale = 0.5f, .add = true,
                  .out = out.data(), .n = 20};
    kernels.embed_row(args);
    CHECK(out[19] == 5.0f + static_cast<float>(row[19]) * 0.5f);
    CHECK(out[20] == 5.0f);
    args.add = false;
    kernels.embed_row(args);
    CHECK(out[9] == static_cast<float>(row[9]) * 0.5f);
    CHECK(out[31] == 0.0f);
  }
  std::vector<float> a(16, 3.0f), b(5, 0.5f);
  kernels.multiply({.a = a.data(), .b = b.data(), .m = 1, .n = 5, .a_stride = 16, .b_stride = 5});
  CHECK(a[4] == 1.5f);
  CHECK(a[5] == 0.0f);
}

TEST_CASE("gemm_f32 and attention_f32") {
  auto random = random_engine("gemm_f32 reference");
  const size_t m = 3, n = 21, k = 50;
  const std::vector<float> a = floats(m * k, Pattern::normal, random);
  const std::vector<float> w = floats(n * k, Pattern::normal, random);
  const std::vector<float> v = floats(n * k, Pattern::normal, random);
  const std::vector<float> bias = floats(n, Pattern::normal, random);
  std::vector<float> out(m * 32);
  kernels.gemm_f32({.a = a.data(), .a_stride = k, .w = w.data(), .m = m, .n = n, .k = k, .bias = bias.data(),
                    .out = out.data(), .out_stride = 32});
  const auto dot = [&](size_t i, size_t j) {
    double sum = 0;
    for (size_t l = 0; l < k; ++l) {
      sum += double{a[i * k + l]} * w[j * k + l];
    }
    return sum;
  };
  for (size_t i = 0; i < m; ++i) {
    for (size_t j = 0; j < n; ++j) {
      CHECK(std::abs(out[i * 32 + j] - (dot(i, j) + bias[j])) <= 2e-5);
    }
    CHECK(out[i * 32 + 31] == 0.0f);
  }

  std::vector<float> scratch(32), attended(m * k);
  kernels.attention_f32({.q = a.data(), .k = w.data(), .v = v.data(), .q_stride = k, .k_stride = k, .v_stride = k,
                         .m = m, .n = n, .dimension = k, .multiplier = 0.3f, .scratch = scratch.data(),
                         .out = attended.data(), .out_stride = k});
  for (size_t i = 0; i < m; ++i) {
    double sum = 0;
    std::vector<double> expected(k);
    for (size_t j = 0; j < n; ++j) {
      const double e = std::exp2(dot(i, j) * 0.3f);
      sum += e;
      for (size_t d = 0; d < k; ++d) {
        expected[d] += e * v[j * k + d];
      }
    }
    for (size_t d = 0; d < k; ++d) {
      CHECK(std::abs(attended[i * k + d] - expected[d] / sum) <= 2e-5);
    }
  }
}

}  // namespace
}  // namespace kinglet::kernels::test
