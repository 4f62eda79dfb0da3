// Speed of every kernel table on the list that this processor runs, one thread, at the shapes of MiniLM-L6 (hidden
// 384, feed-forward 1536, 12 heads of 32). gemm_s8 is shown in operations per second and as a share of the int8 peak
// that register-only loops reach in the same run; the other kernels as nanoseconds per element. Every benchmark
// compares its result with the reference before it is timed, and is an error when they differ. Where XNNPACK is there,
// its products of the same shapes are timed beside ours.
//
//   kernels_bench --benchmark_filter=m16_ --benchmark_enable_random_interleaving --benchmark_repetitions=15
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "cli/probe.h"
#include "kernels.h"
#include "kernels/layout.h"
#include "kernels/processor.h"
#include "thread_seconds.h"
#include "xnnpack_products.h"

namespace kinglet::kernels {
namespace {

// ---- Operands ------------------------------------------------------------------------------------------------------

// Arrays begin at cache lines, as the runtime's do.
template <typename T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <typename U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}
  T* allocate(size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t(64))); }
  void deallocate(T* p, size_t) { ::operator delete(p, std::align_val_t(64)); }
  bool operator==(const CacheLineAllocator&) const { return true; }
};
template <typename T>
using Vector = std::vector<T, CacheLineAllocator<T>>;

Vector<float> random_floats(size_t count, float low, float high) {
  static std::mt19937 random(1);
  std::uniform_real_distribution<float> distribution(low, high);
  Vector<float> values(count);
  for (float& x : values) {
    x = distribution(random);
  }
  return values;
}

const Kernels& reference_table() { return *kernels_for(Isa::reference); }

bool same(const Vector<float>& a, const Vector<float>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Operands of out[m][n] = a[m][k] · w[n][k]; n and k multiples of 16.
struct Product {
  size_t m, n, k;
  Vector<int8_t> a, w;
  Vector<float> row_scale, column_scale, bias, out;
  Vector<int32_t> zero_point, column_sum;

  Product(size_t m, size_t n, size_t k)
      : m(m), n(n), k(k), a(m * k), w(n * k), row_scale(random_floats(m, 0, 1)), column_scale(random_floats(n, 0, 1)),
        bias(random_floats(n, -1, 1)), out(m * n), zero_point(m), column_sum(n) {
    std::mt19937 random(2);
    for (int8_t& x : a) {
      x = static_cast<int8_t>(random());
    }
    for (int32_t& x : zero_point) {
      x = static_cast<int32_t>(random() % 256) - 128;
    }
    for (size_t i = 0; i < w.size(); ++i) {
      w[i] = static_cast<int8_t>(random() % 255 - 127);
      column_sum[i / (16 * k) * 16 + i / 8 % 16] += w[i];
    }
  }

  GemmS8 args(ActivationLayout layout, Vector<int8_t>& activations) {
    activations.resize(activation_bytes(layout, m, k));
    test::pack_activations(a.data(), m, k, layout, activations.data());
    return {.a = activations.data(), .w = w.data(), .m = m, .n = n, .k = k, .row_scale = row_scale.data(),
            .zero_point = zero_point.data(), .column_scale = column_scale.data(), .column_sum = column_sum.data(),
            .bias = bias.data(), .out = out.data(), .out_stride = n};
  }
};

void gemm_s8(benchmark::State& state, const Kernels& kernels, double peak, size_t m, size_t n, size_t k) {
  Product product(m, n, k);
  Vector<int8_t> activations;
  reference_table().gemm_s8(product.args(ActivationLayout::rows_s8, activations));
  const Vector<float> expected = product.out;
  const GemmS8 args = product.args(kernels.layout, activations);
  kernels.gemm_s8(args);
  if (!same(product.out, expected)) {
    state.SkipWithError("differs from the reference");
    return;
  }
  const double start = thread_seconds();
  for (auto _ : state) {
    kernels.gemm_s8(args);
    benchmark::ClobberMemory();
  }
  const double seconds = thread_seconds() - start;
  const double operations = 2.0 * static_cast<double>(m * n * k) * static_cast<double>(state.iterations());
  state.counters["GOP/s"] = operations / seconds * 1e-9;
  if (peak > 0) {
    state.counters["%peak"] = 100 * operations / seconds / peak;
  }
}

// Times `run(kernels)` over `elements` elements, each time after prepare(), which is not timed (functions in place need
// fresh numbers: gelu again and again would end in denormals); `result(kernels)` returns what it wrote as floats.
template <typename Prepare, typename Run, typename Result>
void row_kernel(benchmark::State& state, const Kernels& kernels, size_t elements, Prepare prepare, Run run,
                Result result) {
  prepare();
  run(reference_table());
  const Vector<float> expected = result(reference_table());
  prepare();
  run(kernels);
  if (!same(result(kernels), expected)) {
    state.SkipWithError("differs from the reference");
    return;
  }
  for (auto _ : state) {
    prepare();
    const double start = thread_seconds();
    run(kernels);
    state.SetIterationTime(thread_seconds() - start);
  }
  state.counters["s/element"] =
      benchmark::Counter(static_cast<double>(elements) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void quantize_rows(benchmark::State& state, const Kernels& kernels, size_t m, size_t k) {
  const Vector<float> x = random_floats(m * k, -3, 3);
  Vector<float> scale(m);
  Vector<int32_t> zero_point(m);
  Vector<int8_t> q(activation_bytes(kernels.layout, m, k)), rows(m * k);
  row_kernel(
      state, kernels, m * k, [] {},
      [&](const Kernels& table) {
        table.quantize_rows({.x = x.data(), .m = m, .k = k, .stride = k, .input_scale = nullptr, .q = q.data(),
                             .scale = scale.data(), .zero_point = zero_point.data()});
      },
      [&](const Kernels& table) {
        Vector<float> values = scale;
        test::unpack_activations(q.data(), m, k, table.layout, rows.data());
        values.insert(values.end(), rows.begin(), rows.end());
        return values;
      });
}

void softmax_quantize(benchmark::State& state, const Kernels& kernels, size_t m, size_t n) {
  const Vector<float> scores = random_floats(m * n, -8, 8);
  Vector<float> inverse_sum(m);
  Vector<int8_t> p(activation_bytes(kernels.layout, m, n));
  row_kernel(
      state, kernels, m * n, [] {},
      [&](const Kernels& table) {
        table.softmax_quantize({.scores = scores.data(), .m = m, .n = n, .stride = n, .p = p.data(),
                                .inverse_sum = inverse_sum.data()});
      },
      [&](const Kernels&) { return inverse_sum; });
}

void activate(benchmark::State& state, const Kernels& kernels, ActivationFunction function, bool fast, size_t m,
              size_t n) {
  const Vector<float> x = random_floats(m * n, -5, 5);
  Vector<float> y;
  row_kernel(
      state, kernels, m * n, [&] { y = x; },
      [&](const Kernels& table) {
        table.activate({.function = function, .fast = fast, .x = y.data(), .m = m, .n = n, .stride = n});
      },
      [&](const Kernels&) { return y; });
}

void add_norm(benchmark::State& state, const Kernels& kernels, size_t m, size_t n) {
  const Vector<float> x = random_floats(m * n, -3, 3), residual = random_floats(m * n, -3, 3);
  const Vector<float> weight = random_floats(n, 0, 2), bias = random_floats(n, -1, 1);
  Vector<float> out(m * n);
  row_kernel(
      state, kernels, m * n, [] {},
      [&](const Kernels& table) {
        table.add_norm({.x = x.data(), .residual = residual.data(), .weight = weight.data(), .bias = bias.data(),
                        .affine = false, .epsilon = 1e-12f, .out = out.data(), .m = m, .n = n, .x_stride = n,
                        .residual_stride = n, .out_stride = n});
      },
      [&](const Kernels&) { return out; });
}

// Queries, keys and values of one head of `m` tokens: everything that attention quantises.
void quantize_head(benchmark::State& state, const Kernels& kernels, size_t m) {
  const size_t d = 32, m16 = round_up(m, 16);
  const Vector<float> x = random_floats(m * 384, -3, 3);
  Vector<int8_t> q(activation_bytes(kernels.layout, m, d)), k(m16 * d), v(d * round_up(m, 8));
  Vector<float> q_scale(m), k_scale(m16), v_scale(d);
  Vector<int32_t> k_sum(m16), v_sum(d);
  row_kernel(
      state, kernels, 3 * m * d, [] {},
      [&](const Kernels& table) {
        table.quantize_queries({.x = x.data(), .m = m, .k = d, .stride = 384, .multiplier = 1.0f, .q = q.data(),
                                .scale = q_scale.data()});
        table.pack_keys({.x = x.data() + d, .m = m, .k = d, .stride = 384, .tile = k.data(), .scale = k_scale.data(),
                         .sum = k_sum.data()});
        table.pack_values({.x = x.data() + 2 * d, .m = m, .k = d, .stride = 384, .tile = v.data(),
                           .scale = v_scale.data(), .sum = v_sum.data()});
      },
      [&](const Kernels&) {
        Vector<float> values(k.begin(), k.end());
        values.insert(values.end(), v.begin(), v.end());
        return values;
      });
}

void gemm_f32(benchmark::State& state, const Kernels& kernels, size_t m, size_t n, size_t k) {
  const Vector<float> a = random_floats(m * k, -1, 1), w = random_floats(n * k, -1, 1);
  Vector<float> out(m * n);
  const auto run = [&](const Kernels& table) {
    table.gemm_f32({.a = a.data(), .a_stride = k, .w = w.data(), .m = m, .n = n, .k = k, .bias = nullptr,
                    .out = out.data(), .out_stride = n});
  };
  row_kernel(state, kernels, m * n * k, [] {}, run, [&](const Kernels&) { return out; });
}

// Manual time for the row kernels (see row_kernel).
template <typename... Arguments>
void add_rows(const std::string& name, void (*function)(benchmark::State&, const Kernels&, Arguments...),
              const Kernels& kernels, std::type_identity_t<Arguments>... arguments) {
  benchmark::RegisterBenchmark(name.c_str(), [=, &kernels](benchmark::State& state) {
    function(state, kernels, arguments...);
  })->UseManualTime();
}

template <typename... Arguments>
void add(const std::string& name, void (*function)(benchmark::State&, const Kernels&, Arguments...),
         const Kernels& kernels, std::type_identity_t<Arguments>... arguments) {
  benchmark::RegisterBenchmark(name.c_str(), [=, &kernels](benchmark::State& state) {
    function(state, kernels, arguments...);
  });
}

void add_table(const Kernels& kernels) {
  const std::string isa = isa_name(kernels.isa);
  const double peak = cli::probe_int8(isa, 1).gops * 1e9;
  if (peak > 0) {
    benchmark::AddCustomContext("int8 peak of " + isa, std::to_string(peak * 1e-9) + " GOP/s");
  }
  for (const ProductShape& shape : kProductShapes) {
    add("gemm_s8/" + isa + "/" + shape.name(), gemm_s8, kernels, peak, shape.m, shape.n, shape.k);
  }
  add("gemm_s8/" + isa + "/scores_128_keys", gemm_s8, kernels, peak, 128, 128, 32);
  add("gemm_s8/" + isa + "/values_128_keys", gemm_s8, kernels, peak, 128, 32, 128);
  add_rows("quantize_rows/" + isa + "/64x384", quantize_rows, kernels, 64, 384);
  add_rows("quantize_rows/" + isa + "/64x1536", quantize_rows, kernels, 64, 1536);
  add_rows("quantize_head/" + isa + "/128x32", quantize_head, kernels, 128);
  add_rows("softmax_quantize/" + isa + "/128x128", softmax_quantize, kernels, 128, 128);
  add_rows("softmax_quantize/" + isa + "/20x20", softmax_quantize, kernels, 20, 20);
  add_rows("gelu_fast/" + isa + "/64x1536", activate, kernels, ActivationFunction::gelu, true, 64, 1536);
  add_rows("gelu/" + isa + "/64x1536", activate, kernels, ActivationFunction::gelu, false, 64, 1536);
  add_rows("gelu_tanh/" + isa + "/64x1536", activate, kernels, ActivationFunction::gelu_tanh, false, 64, 1536);
  add_rows("add_norm/" + isa + "/64x384", add_norm, kernels, 64, 384);
  add_rows("gemm_f32/" + isa + "/16x384x384", gemm_f32, kernels, 16, 384, 384);
}

}  // namespace
}  // namespace kinglet::kernels

int main(int argc, char** argv) {
  using namespace kinglet::kernels;
#define KINGLET_GEMM_S8(isa, ...)           \
  if (test::processor_supports(Isa::isa)) { \
    add_table(*kernels_for(Isa::isa));      \
  }
#include "gemm_s8/kernels.inc"
#undef KINGLET_GEMM_S8
  add_xnnpack_products();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
