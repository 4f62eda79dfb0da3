// AdamW (Loshchilov and Hutter, 2019) on one array.
#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace kinglet::train {

struct AdamW {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double rate = 0, decay = 0;
  uint64_t step = 1;  // of this array, from 1

  // Changes value, first and second by the gradient times `scale`. All are contiguous f32 of one size. The result does
  // not depend on the number of threads.
  void apply(torch::Tensor& value, torch::Tensor& first, torch::Tensor& second, const torch::Tensor& gradient,
             double scale) const;
};

// The sum of squares, the same for every number of threads where it is computed on the processor.
double sum_of_squares(const torch::Tensor& values);

}  // namespace kinglet::train
