// The scalar functions of kernels.h: label softmax and its like.
#include "elementwise/functions.h"

#include "kernels.h"

namespace kinglet::kernels {

float exp_f32(float x) { return exponential(x); }

float sigmoid_f32(float x) { return sigmoid(x); }

void softmax_f32(const float* logits, size_t n, float* scores) {
  if (n == 0) {
    return;
  }
  float largest = logits[0];
  for (size_t i = 1; i < n; ++i) {
    largest = max_of(largest, logits[i]);
  }
  LaneSum sum;
  for (size_t i = 0; i < n; ++i) {
    scores[i] = exponential(logits[i] - largest);
    sum.add(i, scores[i]);
  }
  const float total = sum.total();
  for (size_t i = 0; i < n; ++i) {
    scores[i] /= total;
  }
}

}  // namespace kinglet::kernels
