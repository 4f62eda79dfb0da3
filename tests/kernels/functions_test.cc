// The elementary functions of the reference against libm in double precision, over the whole range of floats.
#include <cmath>

#include "elementwise/functions.h"
#include "kernels/support.h"

namespace kinglet::kernels::test {
namespace {

struct Worst {
  double ulp = 0;       // of the exact value, where it is normal
  double absolute = 0;
  double promise = 0;   // the least of ulp / 4 and absolute / 1e-7: above 1 breaks the promise of Activate
  float ulp_at = 0, absolute_at = 0;
};

// Sweeps the finite floats in [low, high].
template <typename Approximation, typename Exact>
Worst sweep(float low, float high, Approximation approximation, Exact exact) {
  Worst worst;
  const uint64_t step = small_scale() ? 200003 : 2003;
  for (uint64_t bits = 0; bits <= 0xFFFFFFFFu; bits += step) {
    const float x = float_of(static_cast<uint32_t>(bits));
    if (!(x >= low && x <= high)) {
      continue;
    }
    const double right = exact(static_cast<double>(x));
    const float got = approximation(x);
    if (std::abs(right) > std::numeric_limits<float>::max()) {
      CHECK(got == static_cast<float>(right));
      continue;
    }
    const double error = std::abs(got - right);
    const double ulp = std::ldexp(1.0, std::max(std::ilogb(right), -126) - 23);
    if (right != 0 && error / ulp > worst.ulp) {
      worst.ulp = error / ulp;
      worst.ulp_at = x;
    }
    if (error > worst.absolute || std::isnan(error)) {
      worst.absolute = error;
      worst.absolute_at = x;
    }
    worst.promise = std::max(worst.promise, std::min(error / (4 * ulp), error / 1e-7));
  }
  return worst;
}

void show(const char* name, const Worst& worst) {
  std::printf("%-16s %10.2f ulp at %-14.9g %9.3g absolute at %-12.9g %.2f of min(4 ulp, 1e-7)\n", name, worst.ulp,
              worst.ulp_at, worst.absolute, worst.absolute_at, worst.promise);
}

constexpr float kMax = std::numeric_limits<float>::max();

double exact_gelu(double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }
double exact_sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST_CASE("exp is within 2 ulp, infinities and denormals included") {
  const Worst worst = sweep(-kMax, kMax, exp_f32, [](double x) { return std::exp(x); });
  show("exp", worst);
  CHECK(worst.ulp <= 2);
  CHECK(exp_f32(0.0f) == 1.0f);
  CHECK(exp_f32(-std::numeric_limits<float>::infinity()) == 0.0f);
  CHECK(exp_f32(std::numeric_limits<float>::infinity()) == std::numeric_limits<float>::infinity());
  CHECK(std::isnan(exp_f32(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("2^x for softmax is within 2 ulp, the fast one within 1.1e-4 of 1") {
  const Worst worst = sweep(-126.0f, 0.0f, exp2_negative, [](double x) { return std::exp2(x); });
  show("exp2", worst);
  CHECK(worst.ulp <= 2);
  double relative = 0;
  for (float x = -9.0f; x <= 0; x += 0.00037f) {
    relative = std::max(relative, std::abs(fast_exp2_255(x) / (255 * std::exp2(double{x})) - 1));
  }
  std::printf("%-16s %9.3g relative\n", "fast exp2", relative);
  CHECK(relative <= 1.1e-4);
  CHECK(fast_exp2_255(0.0f) == 255.0f);
  CHECK(fast_exp2_255(-0.0f) == 255.0f);
  CHECK(fast_exp2_255(-kMax) < 1e-4f);
}

TEST_CASE("sigmoid, tanh") {
  const Worst s = sweep(-kMax, kMax, sigmoid_f32, exact_sigmoid);
  show("sigmoid", s);
  CHECK(s.promise <= 1);
  CHECK(s.absolute <= 1.2e-7);
  const Worst t = sweep(-kMax, kMax, hyperbolic_tangent, [](double x) { return std::tanh(x); });
  show("tanh", t);
  CHECK(t.ulp <= 4);
  CHECK(hyperbolic_tangent(-0.0f) == 0.0f);
}

TEST_CASE("gelu, gelu_tanh, silu: within 4 ulp or 1e-7") {
  const Worst g = sweep(-kMax, kMax, gelu, exact_gelu);
  show("gelu", g);
  CHECK(g.promise <= 1);
  const Worst s = sweep(-kMax, kMax, silu, [](double x) { return x * exact_sigmoid(x); });
  show("silu", s);
  CHECK(s.promise <= 1);
  // Up to where x³ overflows.
  const Worst t = sweep(-1e12f, 1e12f, gelu_tanh, [](double x) {
    return x * exact_sigmoid(2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
  });
  show("gelu_tanh", t);
  CHECK(t.promise <= 1);
}

TEST_CASE("fast gelu is within 2e-4, and x or 0 beyond its range") {
  const Worst worst = sweep(-kMax, kMax, fast_gelu, exact_gelu);
  show("fast gelu", worst);
  CHECK(worst.absolute <= 2e-4);
  for (const float x : {4.0f, 5.0f, 1e3f, 1e30f}) {
    CHECK(fast_gelu(x) == x);
    CHECK(fast_gelu(-x) == 0.0f);
  }
}

TEST_CASE("rounding is to nearest even") {
  for (int i = -300; i <= 300; ++i) {
    CHECK(round_to_int(static_cast<float>(i)) == i);
    CHECK(round_to_int(static_cast<float>(i) + 0.5f) == std::lrint(i + 0.5));
    CHECK(round_to_int(static_cast<float>(i) + 0.25f) == i);
  }
}

TEST_CASE("the label softmax") {
  const float logits[5] = {1.5f, -2.0f, 0.25f, 1000.0f, 999.0f};
  float scores[5];
  softmax_f32(logits, 3, scores);
  const double sum = std::exp(1.5) + std::exp(-2.0) + std::exp(0.25);
  for (int i = 0; i < 3; ++i) {
    CHECK(scores[i] == doctest::Approx(std::exp(double{logits[i]}) / sum).epsilon(1e-6));
  }
  softmax_f32(logits, 5, scores);
  CHECK(scores[0] == 0.0f);
  CHECK(scores[3] + scores[4] == doctest::Approx(1.0));
}

}  // namespace
}  // namespace kinglet::kernels::test
