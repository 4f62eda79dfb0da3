// What the kernel tests share: the list of tables, memory between guard pages, and random numbers with a known seed.
#pragma once

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels.h"
#include "kernels/layout.h"
#include "kernels/processor.h"

namespace kinglet::kernels::test {

// KINGLET_TEST_SCALE=small shrinks the loops (sanitizers, emulators).
inline bool small_scale() {
  const char* scale = std::getenv("KINGLET_TEST_SCALE");
  return scale != nullptr && std::string(scale) == "small";
}

// Every random test draws from here. KINGLET_TEST_SEED repeats a run.
inline std::mt19937_64 random_engine(const char* test) {
  const char* given = std::getenv("KINGLET_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  std::printf("%s: KINGLET_TEST_SEED=%llu\n", test, static_cast<unsigned long long>(seed));
  return std::mt19937_64(seed);
}

inline const Kernels& reference_table() { return *kernels_for(Isa::reference); }

// The tables on the list, without the reference, that this processor can run; says which it skips.
inline std::vector<const Kernels*> tables_under_test() {
  std::vector<const Kernels*> tables;
#define KINGLET_GEMM_S8(isa, ...)                                                       \
  if (Isa::isa == Isa::reference) {                                                     \
  } else if (processor_supports(Isa::isa)) {                                            \
    tables.push_back(kernels_for(Isa::isa));                                            \
  } else {                                                                              \
    std::printf("SKIPPED: %s: this processor lacks it\n", isa_name(Isa::isa));          \
  }
#include "gemm_s8/kernels.inc"
#undef KINGLET_GEMM_S8
  return tables;
}

enum class Edge { begin, end };
constexpr Edge kEdges[] = {Edge::begin, Edge::end};

// `count` elements that begin or end where an inaccessible page does; initially all bytes are 0xA5.
template <typename T>
class Guarded {
 public:
  Guarded(size_t count, Edge edge) : size_(count) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t inside = round_up(count * sizeof(T) + 1, page);
    mapped_ = inside + 2 * page;
    base_ = static_cast<char*>(mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(base_ != MAP_FAILED);
    REQUIRE(mprotect(base_ + page, inside, PROT_READ | PROT_WRITE) == 0);
    std::memset(base_ + page, 0xA5, inside);
    data_ = reinterpret_cast<T*>(edge == Edge::begin ? base_ + page : base_ + page + inside - count * sizeof(T));
  }
  Guarded(const std::vector<T>& values, Edge edge) : Guarded(values.size(), edge) {
    std::copy(values.begin(), values.end(), data_);
  }
  Guarded(const Guarded&) = delete;
  ~Guarded() { munmap(base_, mapped_); }

  T* data() { return data_; }
  size_t size() const { return size_; }
  std::vector<T> values() const { return std::vector<T>(data_, data_ + size_); }

 private:
  size_t size_;
  size_t mapped_;
  char* base_;
  T* data_;
};

template <typename T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// m rows of k in rows_s8 as `layout`.
inline std::vector<int8_t> packed(const std::vector<int8_t>& rows, size_t m, size_t k, ActivationLayout layout) {
  std::vector<int8_t> bytes(activation_bytes(layout, m, k));
  pack_activations(rows.data(), m, k, layout, bytes.data());
  return bytes;
}

// Activations of any layout as rows_s8. Checks that nothing is written but the rows, their copies, and the number 0.
inline std::vector<int8_t> as_s8(const std::vector<int8_t>& bytes, size_t m, size_t k, ActivationLayout layout) {
  std::vector<int8_t> rows(m * round_up(k, 8));
  unpack_activations(bytes.data(), m, k, layout, rows.data());
  CHECK(same_bytes(packed(rows, m, k, layout), bytes));
  return rows;
}

// Rows that bring out the corners of number handling.
enum class Pattern { normal, equal, zero, negative_zero, denormal, huge, tiny, positive, negative, mixed };
constexpr Pattern kPatterns[] = {Pattern::normal, Pattern::equal, Pattern::zero,     Pattern::negative_zero,
                                 Pattern::denormal, Pattern::huge, Pattern::tiny,     Pattern::positive,
                                 Pattern::negative, Pattern::mixed};

inline std::vector<float> floats(size_t count, Pattern pattern, std::mt19937_64& random) {
  std::normal_distribution<float> normal;
  const float fixed = normal(random);
  std::vector<float> values(count);
  for (float& x : values) {
    const float r = normal(random);
    switch (pattern) {
      case Pattern::normal: x = r; break;
      case Pattern::equal: x = fixed; break;
      case Pattern::zero: x = 0.0f; break;
      case Pattern::negative_zero: x = r < 0 ? -0.0f : 0.0f; break;
      case Pattern::denormal: x = r * 1e-40f; break;
      case Pattern::huge: x = r * 1e37f; break;
      case Pattern::tiny: x = r * 0x1p-100f; break;
      case Pattern::positive: x = r < 0 ? -r : r; break;
      case Pattern::negative: x = r < 0 ? r : -r; break;
      case Pattern::mixed: x = std::ldexp(r, static_cast<int>(random() % 60) - 30); break;
    }
  }
  return values;
}

}  // namespace kinglet::kernels::test
