// On the processor one pass over memory does it all: libtorch's own would be eight, and memory is what it waits for.
#include "train/torch/adamw.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <vector>

namespace kinglet::train {

namespace {

constexpr int64_t kChunk = 1 << 16;

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
  const auto b1 = static_cast<float>(beta1), b2 = static_cast<float>(beta2), by = static_cast<float>(scale);
  const auto keep = static_cast<float>(1 - rate * decay), size = static_cast<float>(step_size);
  const auto root = static_cast<float>(1 / std::sqrt(correction2)), small = static_cast<float>(epsilon);
  at::parallel_for(0, value.numel(), kChunk, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float gradient_here = g[i] * by;
      m[i] = b1 * m[i] + (1 - b1) * gradient_here;
      v[i] = b2 * v[i] + (1 - b2) * gradient_here * gradient_here;
      p[i] = keep * p[i] - size * m[i] / (std::sqrt(v[i]) * root + small);
    }
  });
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
      for (int64_t i = chunk * kChunk; i < stop; ++i) {
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
