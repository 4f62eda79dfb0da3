// XNNPACK's fully-connected operators at the shapes of our products, weights packed beforehand, one thread.
#include "xnnpack_products.h"

#if KINGLET_WITH_XNNPACK
#include <benchmark/benchmark.h>
#include <xnnpack.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>

#include "thread_seconds.h"
#endif

namespace kinglet::kernels {

#if KINGLET_WITH_XNNPACK
namespace {

struct Delete {
  void operator()(xnn_operator_t op) const { xnn_delete_operator(op); }
};
using Operator = std::unique_ptr<std::remove_pointer_t<xnn_operator_t>, Delete>;

template <typename T>
struct Operands {
  std::vector<T> a, w, out;

  explicit Operands(const ProductShape& shape)
      : a(shape.m * shape.k + XNN_EXTRA_BYTES), w(shape.n * shape.k), out(shape.m * shape.n) {
    std::mt19937 random(3);
    for (std::vector<T>* values : {&a, &w}) {
      for (T& x : *values) {
        x = static_cast<T>(static_cast<int>(random() % 255) - 127);
      }
    }
  }

  // The sum of products that out[row][column] is made of.
  double exact(const ProductShape& shape, size_t row, size_t column) const {
    double sum = 0;
    for (size_t i = 0; i < shape.k; ++i) {
      sum += static_cast<double>(a[row * shape.k + i]) * static_cast<double>(w[column * shape.k + i]);
    }
    return sum;
  }
};

// Runs it once, holds every result against `expected(sum of products)`, and times it.
template <typename T, typename Expected>
void time_operator(benchmark::State& state, const ProductShape& shape, xnn_operator_t op, const Operands<T>& operands,
                   double tolerance, Expected expected) {
  if (xnn_run_operator(op, nullptr) != xnn_status_success) {
    state.SkipWithError("XNNPACK failed");
    return;
  }
  for (size_t row = 0; row < shape.m; ++row) {
    for (size_t column = 0; column < shape.n; ++column) {
      const double wanted = expected(operands.exact(shape, row, column));
      if (!(std::abs(static_cast<double>(operands.out[row * shape.n + column]) - wanted) <= tolerance)) {
        state.SkipWithError("differs from plain sums");
        return;
      }
    }
  }
  const double start = thread_seconds();
  for (auto _ : state) {
    xnn_run_operator(op, nullptr);
    benchmark::ClobberMemory();
  }
  const double seconds = thread_seconds() - start;
  state.counters["GOP/s"] = 2e-9 * static_cast<double>(shape.m * shape.n * shape.k) *
                            static_cast<double>(state.iterations()) / seconds;
}

void int8_product(benchmark::State& state, const ProductShape& shape) {
  Operands<int8_t> operands(shape);
  // Results of about three standard deviations fill the 8 bits.
  const float scale = static_cast<float>(127 / (3 * 73 * 73 * std::sqrt(static_cast<double>(shape.k))));
  const std::vector<int32_t> bias(shape.n);
  xnn_operator_t made = nullptr;
  if (xnn_create_fully_connected_nc_qs8(shape.k, shape.n, shape.k, shape.n, 0, 1.0f, scale, operands.w.data(),
                                        bias.data(), 0, 1.0f, -128, 127, 0, &made) != xnn_status_success) {
    state.SkipWithError("XNNPACK makes no such operator");
    return;
  }
  const Operator op(made);
  xnn_setup_fully_connected_nc_qs8(made, shape.m, operands.a.data(), operands.out.data(), nullptr);
  time_operator(state, shape, made, operands, 0.51, [&](double sum) {
    return std::clamp(sum * static_cast<double>(scale), -128.0, 127.0);
  });
}

void fp32_product(benchmark::State& state, const ProductShape& shape) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Operands<float> operands(shape);
  xnn_operator_t made = nullptr;
  if (xnn_create_fully_connected_nc_f32(shape.k, shape.n, shape.k, shape.n, operands.w.data(), nullptr, -kInfinity,
                                        kInfinity, 0, &made) != xnn_status_success) {
    state.SkipWithError("XNNPACK makes no such operator");
    return;
  }
  const Operator op(made);
  xnn_setup_fully_connected_nc_f32(made, shape.m, operands.a.data(), operands.out.data(), nullptr);
  const double largest = 127.0 * 127.0 * static_cast<double>(shape.k);
  time_operator(state, shape, made, operands, 1e-6 * largest, [](double sum) { return sum; });
}

}  // namespace

void add_xnnpack_products() {
  if (xnn_initialize(nullptr) != xnn_status_success) {
    return;
  }
  for (const ProductShape& shape : kProductShapes) {
    benchmark::RegisterBenchmark(("xnnpack_qs8/" + shape.name()).c_str(), int8_product, shape);
    benchmark::RegisterBenchmark(("xnnpack_f32/" + shape.name()).c_str(), fp32_product, shape);
  }
}

#else
void add_xnnpack_products() {}
#endif

}  // namespace kinglet::kernels
