// On the processor one pass over memory does it all: libtorch's own would be eight, and memory is what it waits for.
#include "train/torch/adamw.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <vector>

namespace kinglet::train {

namespace {

constexpr int64_t kChunk = 1 << 16;

struct Factors {
  float beta1, beta2, scale, keep, size, root, epsilon;
};

// Compiled without errno for sqrt (kinglet_train.cmake), and of arrays that do not overlap: as vectors.
void update(const Factors& factors, const float* __restrict g, float* __restrict p, float* __restrict m,
            float* __restrict v, int64_t begin, int64_t end) {
  const Factors f = factors;
  for (int64_t i = begin; i < end; ++i) {
    const float gradient = g[i] * f.scale;
    m[i] = f.beta1 * m[i] + (1 - f.beta1) * gradient;
    v[i] = f.beta2 * v[i] + (1 - f.beta2) * gradient * gradient;
    p[i] = f.keep * p[i] - f.size * m[i] / (std::sqrt(v[i]) * f.root + f.epsilon);
  }
}

}  // namespace

void AdamW::apply(torch::Tensor& value, torch::Tensor& first, torch::Tensor& second, const torch::Tensor& gradient,
                  double scale) const {
  const double correction1 = 1 - std::pow(beta1, static_cast<double>(step));
  const double correction2 = 1 - std::pow(beta2, static_cast<double>(step));
  const double step_size = rate / correction1;
  if (!value.device().is_cpu()) {
    const torch::Tensor scaled = gradient * scale;
    value.mul_(1 - rate * decay);
    first.mul_(beta1).add_(scaled, 1 - beta1);
    second.mul_(beta2).addcmul_(scaled, scaled, 1 - beta2);
    value.addcdiv_(first, (second.sqrt() / std::sqrt(correction2)).add_(epsilon), -step_size);
    return;
  }
  const torch::Tensor dense = gradient.contiguous();
  const auto* g = dense.data_ptr<float>();
  auto *p = value.data_ptr<float>(), *m = first.data_ptr<float>(), *v = second.data_ptr<float>();
  const Factors factors = {static_cast<float>(beta1),
                           static_cast<float>(beta2),
                           static_cast<float>(scale),
                           static_cast<float>(1 - rate * decay),
                           static_cast<float>(step_size),
                           static_cast<float>(1 / std::sqrt(correction2)),
                           static_cast<float>(epsilon)};
  at::parallel_for(0, value.numel(), kChunk,
                   [=](int64_t begin, int64_t end) { update(factors, g, p, m, v, begin, end); });
}

double sum_of_squares(const torch::Tensor& values) {
  if (!values.device().is_cpu()) {
    return values.to(torch::kFloat64).square().sum().item<double>();
  }
  const torch::Tensor dense = values.contiguous();
  const auto* x = dense.data_ptr<float>();
  const int64_t count = dense.numel(), chunks = (count + kChunk - 1) / kChunk;
  std::vector<double> sums(static_cast<size_t>(chunks), 0);
  at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      double lanes[16] = {};
      const int64_t stop = std::min(count, (chunk + 1) * kChunk);
      int64_t i = chunk * kChunk;
      for (; i + 16 <= stop; i += 16) {
        for (int64_t lane = 0; lane < 16; ++lane) {
          lanes[lane] += static_cast<double>(x[i + lane]) * static_cast<double>(x[i + lane]);
        }
      }
      for (; i < stop; ++i) {
        lanes[i % 16] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
      }
      for (const double lane : lanes) {
        sums[static_cast<size_t>(chunk)] += lane;
      }
    }
  });
  double sum = 0;
  for (const double part : sums) {
    sum += part;
  }
  return sum;
}

}  // namespace kinglet::train
