// What this machine can do at most. The loops are inline assembly on registers: no compiler can shorten or spill them.
// Twelve chains cover latency times ports of every core so far.
#include "cli/probe.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "cpu/cpu.h"
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace kinglet::cli {

using convert::Clock;
using convert::seconds_since;

namespace {

// Runs `rounds` rounds of twelve instructions (or groups of them) on independent accumulators.
using Loop = void (*)(uint64_t rounds);

struct Probe {
  Loop loop = nullptr;
  double operations = 0;  // per round
  const char* instruction = "";
};

#define KINGLET_TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

#if defined(__x86_64__)

#define KINGLET_PROBE(name, isa, vector, zero, one)                                       \
  __attribute__((target(isa))) void name(uint64_t rounds) {                               \
    vector a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, a6 = zero;   \
    vector a7 = zero, a8 = zero, a9 = zero, a10 = zero, a11 = zero, x = one;              \
    for (; rounds > 0; --rounds) {                                                        \
      KINGLET_TWELVE(KINGLET_STEP)                                                        \
    }                                                                                     \
  }

#define KINGLET_STEP(i) asm volatile("vpdpbusd %1, %1, %0" : "+v"(a##i) : "v"(x));
KINGLET_PROBE(avx512_vnni, "avx512f", __m512i, _mm512_setzero_si512(), _mm512_set1_epi8(1))
#undef KINGLET_STEP
#define KINGLET_STEP(i) asm volatile("%{vex%} vpdpbusd %1, %1, %0" : "+x"(a##i) : "x"(x));
KINGLET_PROBE(avx_vnni, "avx2", __m256i, _mm256_setzero_si256(), _mm256_set1_epi8(1))
#undef KINGLET_STEP
#define KINGLET_STEP(i)                                                                                  \
  asm volatile("vpmaddubsw %2, %2, %1\n\tvpmaddwd %2, %1, %1\n\tvpaddd %1, %0, %0" : "+x"(a##i), "=&x"(t) : "x"(x));
__attribute__((target("avx2"))) void avx2(uint64_t rounds) {
  __m256i a0 = _mm256_setzero_si256(), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, a8 = a0;
  __m256i a9 = a0, a10 = a0, a11 = a0, t = a0;
  const __m256i x = _mm256_set1_epi8(1);
  for (; rounds > 0; --rounds) {
    KINGLET_TWELVE(KINGLET_STEP)
  }
}
#undef KINGLET_STEP
#define KINGLET_STEP(i) asm volatile("vfmadd231ps %1, %1, %0" : "+v"(a##i) : "v"(x));
KINGLET_PROBE(fma_512, "avx512f", __m512, _mm512_setzero_ps(), _mm512_set1_ps(1e-3f))
#undef KINGLET_STEP
#define KINGLET_STEP(i) asm volatile("vfmadd231ps %1, %1, %0" : "+x"(a##i) : "x"(x));
KINGLET_PROBE(fma_256, "avx2,fma", __m256, _mm256_setzero_ps(), _mm256_set1_ps(1e-3f))
#undef KINGLET_STEP

// Three groups of four products on four tiles of sums; the tiles are all zeros.
#define KINGLET_STEP(i) asm volatile("tdpbusd %tmm7, %tmm6, %tmm" #i);
__attribute__((target("amx-tile,amx-int8"))) void amx_int8(uint64_t rounds) {
  alignas(64) unsigned char config[64] = {1};  // palette 1: eight tiles of 16 rows × 64 bytes
  for (int tile = 0; tile < 8; ++tile) {
    config[16 + 2 * tile] = 64;
    config[48 + tile] = 16;
  }
  asm volatile("ldtilecfg %0" : : "m"(config));
  for (; rounds > 0; --rounds) {
    KINGLET_STEP(0) KINGLET_STEP(1) KINGLET_STEP(2) KINGLET_STEP(3)
    KINGLET_STEP(0) KINGLET_STEP(1) KINGLET_STEP(2) KINGLET_STEP(3)
    KINGLET_STEP(0) KINGLET_STEP(1) KINGLET_STEP(2) KINGLET_STEP(3)
  }
  asm volatile("tilerelease");
}
#undef KINGLET_STEP

Probe find_int8(const std::string& isa) {
  if (isa == "amx_int8") {
    return {amx_int8, 12 * 16 * 16 * 64 * 2, "tdpbusd, 16 x 16 x 64"};
  }
  if (isa == "avx512_vnni") {
    return {avx512_vnni, 12 * 64 * 2, "vpdpbusd, 512 bits"};
  }
  if (isa == "avx_vnni") {
    return {avx_vnni, 12 * 32 * 2, "vpdpbusd, 256 bits"};
  }
  if (isa == "avx2") {
    return {avx2, 12 * 32 * 2, "vpmaddubsw + vpmaddwd + vpaddd, 256 bits"};
  }
  return {};
}

Probe find_fp32() {
  if (__builtin_cpu_supports("avx512f")) {
    return {fma_512, 12 * 16 * 2, "vfmadd231ps, 512 bits"};
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {fma_256, 12 * 8 * 2, "vfmadd231ps, 256 bits"};
  }
  return {};
}

#elif defined(__aarch64__)

#if defined(__clang__)
#define KINGLET_TARGET(feature) __attribute__((target(feature)))
#else
#define KINGLET_TARGET(feature) __attribute__((target("arch=armv8.2-a+" feature)))
#endif
#define KINGLET_PROBE(name, target, vector, zero, one)                                    \
  target void name(uint64_t rounds) {                                                     \
    vector a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, a6 = zero;   \
    vector a7 = zero, a8 = zero, a9 = zero, a10 = zero, a11 = zero, x = one;              \
    [[maybe_unused]] vector t = zero;                                                     \
    for (; rounds > 0; --rounds) {                                                        \
      KINGLET_TWELVE(KINGLET_STEP)                                                        \
    }                                                                                     \
  }

#define KINGLET_STEP(i) asm volatile("sdot %0.4s, %1.16b, %1.16b" : "+w"(a##i) : "w"(x));
KINGLET_PROBE(neon_dotprod, KINGLET_TARGET("dotprod"), int8x16_t, vdupq_n_s8(0), vdupq_n_s8(1))
#undef KINGLET_STEP
#define KINGLET_STEP(i) asm volatile("smmla %0.4s, %1.16b, %1.16b" : "+w"(a##i) : "w"(x));
KINGLET_PROBE(neon_i8mm, KINGLET_TARGET("i8mm"), int8x16_t, vdupq_n_s8(0), vdupq_n_s8(1))
#undef KINGLET_STEP
#define KINGLET_STEP(i)                                                                                       \
  asm volatile("smull %1.8h, %2.8b, %2.8b\n\tsmlal2 %1.8h, %2.16b, %2.16b\n\tsadalp %0.4s, %1.8h"            \
               : "+w"(a##i), "=&w"(t)                                                                         \
               : "w"(x));
KINGLET_PROBE(neon, , int8x16_t, vdupq_n_s8(0), vdupq_n_s8(1))
#undef KINGLET_STEP
#define KINGLET_STEP(i) asm volatile("fmla %0.4s, %1.4s, %1.4s" : "+w"(a##i) : "w"(x));
KINGLET_PROBE(fma, , float32x4_t, vdupq_n_f32(0), vdupq_n_f32(1e-3f))
#undef KINGLET_STEP

Probe find_int8(const std::string& isa) {
  if (isa == "neon_i8mm") {
    return {neon_i8mm, 12 * 32 * 2, "smmla"};
  }
  if (isa == "neon_dotprod") {
    return {neon_dotprod, 12 * 16 * 2, "sdot"};
  }
  if (isa == "neon") {
    return {neon, 12 * 16 * 2, "smull + smlal2 + sadalp"};
  }
  return {};
}

Probe find_fp32() { return {fma, 12 * 4 * 2, "fmla"}; }

#else

Probe find_int8(const std::string&) { return {}; }
Probe find_fp32() { return {}; }

#endif

// Runs rate() on `threads` threads at once and adds up what they return.
template <typename Rate>
double sum_over_threads(uint32_t threads, Rate rate) {
  std::vector<double> rates(threads, 0.0);
  std::atomic<uint32_t> waiting{threads};
  std::vector<std::thread> workers;
  for (uint32_t i = 0; i < threads; ++i) {
    workers.emplace_back([&, i] {
      for (waiting.fetch_sub(1); waiting.load() > 0;) {
        std::this_thread::yield();
      }
      rates[i] = rate(i);
    });
  }
  double sum = 0;
  for (uint32_t i = 0; i < threads; ++i) {
    workers[i].join();
    sum += rates[i];
  }
  return sum;
}

Peak measure(const Probe& probe, uint32_t threads) {
  if (probe.loop == nullptr) {
    return {};
  }
  const double rate = sum_over_threads(threads, [&](uint32_t) {
    constexpr uint64_t kRounds = 200000;  // about a millisecond
    double best = 0;
    for (const auto begin = Clock::now(); seconds_since(begin) < 0.25;) {
      const auto from = Clock::now();
      probe.loop(kRounds);
      best = std::max(best, probe.operations * kRounds / seconds_since(from));
    }
    return best;
  });
  return {rate / 1e9, probe.instruction};
}

}  // namespace

Peak probe_int8(const std::string& isa, uint32_t threads) { return measure(find_int8(isa), threads); }
Peak probe_fp32(uint32_t threads) { return measure(find_fp32(), threads); }

ElementCosts probe_elements(uint32_t threads) {
  const kernels::Kernels* table = kernels_in_use();
  if (table == nullptr) {
    return {};
  }
  constexpr size_t kRows = 4;
  constexpr size_t kScores = 512, kInner = 1536;
  // Numbers that GELU returns unchanged, so that it can run on its own results.
  const std::vector<float> numbers(kRows * kInner, 5.0f);
  const auto cost = [&](size_t elements, auto body) {
    return 1 / sum_over_threads(threads, [&](uint32_t) {
      std::vector<float> x = numbers, scale(kRows);
      std::vector<int32_t> zero_point(kRows);
      std::vector<uint8_t> q(kernels::activation_bytes(table->layout, kRows, kInner));
      double best = 0;
      for (const auto begin = Clock::now(); seconds_since(begin) < 0.1;) {
        constexpr int kRepeats = 20;
        const auto from = Clock::now();
        for (int i = 0; i < kRepeats; ++i) {
          body(x, scale, zero_point, q);
        }
        best = std::max(best, static_cast<double>(elements * kRepeats) / seconds_since(from));
      }
      return best;
    });
  };
  ElementCosts costs;
  costs.softmax = cost(kRows * kScores, [&](auto& x, auto& scale, auto&, auto& q) {
    table->softmax_quantize(
        {.scores = x.data(), .m = kRows, .n = kScores, .stride = kScores, .p = q.data(), .inverse_sum = scale.data()});
  });
  costs.gelu = cost(kRows * kInner, [&](auto& x, auto& scale, auto& zero_point, auto& q) {
    table->activate({.function = kernels::ActivationFunction::gelu,
                     .fast = true,
                     .x = x.data(),
                     .m = kRows,
                     .n = kInner,
                     .stride = kInner});
    table->quantize_rows({.x = x.data(),
                          .m = kRows,
                          .k = kInner,
                          .stride = kInner,
                          .input_scale = nullptr,
                          .q = q.data(),
                          .scale = scale.data(),
                          .zero_point = zero_point.data()});
  });
  return costs;
}

double probe_bandwidth(size_t bytes, uint32_t threads) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::tmpfile(), std::fclose);
  const std::vector<char> page(4096, 1);
  const size_t pages = std::max<size_t>((bytes + page.size() - 1) / page.size(), threads);
  if (file == nullptr) {
    return 0;
  }
  for (size_t i = 0; i < pages; ++i) {
    if (std::fwrite(page.data(), 1, page.size(), file.get()) != page.size()) {
      return 0;
    }
  }
  std::fflush(file.get());
  const size_t size = pages * page.size();
  void* map = mmap(nullptr, size, PROT_READ, MAP_SHARED, fileno(file.get()), 0);
  if (map == MAP_FAILED) {
    return 0;
  }
  const size_t share = pages / threads * page.size();
  const double rate = sum_over_threads(threads, [&](uint32_t thread) {
    typedef uint64_t Words __attribute__((vector_size(16), aligned(8), may_alias));
    const char* from = static_cast<const char*>(map) + thread * share;
    double best = 0;
    for (const auto begin = Clock::now(); seconds_since(begin) < 0.2;) {
      const auto start = Clock::now();
      Words sums[4] = {};
      for (size_t at = 0; at < share; at += 64) {
        const auto* words = reinterpret_cast<const Words*>(from + at);
        __builtin_prefetch(from + at + 4096);
        sums[0] += words[0];
        sums[1] += words[1];
        sums[2] += words[2];
        sums[3] += words[3];
      }
      asm volatile("" : : "r"((sums[0] + sums[1] + sums[2] + sums[3])[0]));
      best = std::max(best, static_cast<double>(share) / seconds_since(start));
    }
    return best;
  });
  munmap(map, size);
  return rate / 1e9;
}

}  // namespace kinglet::cli
