// With e the error of a row of weights, its products err by e·H·eᵀ, H = Σ x·xᵀ = r·rᵀ and r upper triangular. Written
// with u = r/diag(r), that is Σ_k r_kk²·(e·u)_k²: the columns, rounded in order, each to the number nearest to
// w_k + Σ_{j<k} e_j·u_jk, make the least of every term in turn. The order is that of falling H_kk: what weighs most is
// rounded first, what remains makes up for it.
#include "passes/round_matrix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/parallel.h"
#include "base/text.h"

namespace kinglet::convert {

namespace {

// Of the mean of H's diagonal, added to it: for rounding (as GPTQ has it), and for undoing drift, where what a few texts
// say is not to be believed too far. How the second was chosen: converter/README.md, "To 8 bits".
constexpr double kDamping = 0.01, kDriftDamping = 10;
constexpr size_t kRowsPerColumn = 4;  // fewer inputs per input channel: drift is not undone, it might be chance
constexpr size_t kRowsAtOnce = 16;
constexpr float kMagic = 0x1.8p23f;

float nearest(float value) {
  return std::clamp(value, -127.0f, 127.0f) + kMagic - kMagic;
}

// The scale of a row that leaves the least error, its columns weighed by how large their inputs are.
float choose_scale(const float* w, const std::vector<float>& importance) {
  constexpr float kShares[] = {1.0f,   0.975f, 0.95f,  0.925f, 0.9f,   0.875f, 0.85f,
                               0.825f, 0.8f,   0.775f, 0.75f,  0.725f, 0.7f};
  float largest = 0;
  for (size_t j = 0; j < importance.size(); ++j) {
    largest = std::max(largest, std::fabs(w[j]));
  }
  if (largest < 0x1p-100f) {
    return 0;
  }
  float best = 0;
  double least = 0;
  for (const float share : kShares) {
    const float scale = largest * share / 127.0f, inverse = 1.0f / scale;
    double error = 0;
    for (size_t j = 0; j < importance.size(); ++j) {
      const float difference = nearest(w[j] * inverse) * scale - w[j];
      error += static_cast<double>(difference * difference * importance[j]);
    }
    if (best == 0 || error < least) {
      best = scale;
      least = error;
    }
  }
  return best;
}

Grid permuted(const Grid& h, const std::vector<uint32_t>& order) {
  Grid out(h.rows, h.columns);
  for (size_t i = 0; i < h.rows; ++i) {
    for (size_t j = 0; j < h.columns; ++j) {
      out.row(i)[j] = h.row(order[i])[order[j]];
    }
  }
  return out;
}

Grid permuted_columns(const Grid& w, const std::vector<uint32_t>& order) {
  Grid out(w.rows, w.columns);
  for (size_t i = 0; i < w.rows; ++i) {
    for (size_t j = 0; j < w.columns; ++j) {
      out.row(i)[j] = w.row(i)[order[j]];
    }
  }
  return out;
}

// r for H with as much damping as it takes.
UpperFactor factor_damped(Grid h, double damping) {
  double mean = 0;
  for (size_t i = 0; i < h.rows; ++i) {
    mean += h.row(i)[i] / static_cast<double>(h.rows);
  }
  if (!(mean > 0)) {
    mean = 1;  // all inputs are 0
  }
  UpperFactor factor;
  for (; damping < 1e6; damping *= 10) {
    for (size_t i = 0; i < h.rows; ++i) {
      h.row(i)[i] += static_cast<float>(damping * mean);
    }
    if (factor_upper(h, &factor)) {
      return factor;
    }
  }
  refuse("the activations of the calibration texts are not finite");
}

}  // namespace

InputMoments centred(const InputMoments& moments) {
  InputMoments out = moments;
  const auto count = static_cast<double>(moments.count);
  for (size_t i = 0; i < out.squares.rows; ++i) {
    const double drift = moments.exact_sum[i] - moments.seen_sum[i];
    for (size_t j = 0; j < out.squares.columns; ++j) {
      const double mean = moments.seen_sum[j] / count;
      out.squares.row(i)[j] -= static_cast<float>(moments.seen_sum[i] * mean);
      out.drift.row(i)[j] -= static_cast<float>(drift * mean);
    }
  }
  return out;
}

RoundedMatrix round_matrix(const Grid& w, const InputMoments& moments) {
  const size_t n = w.rows, k = w.columns;
  std::vector<uint32_t> order(k);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return moments.squares.row(a)[a] > moments.squares.row(b)[b]; });
  const Grid squares = permuted(moments.squares, order);
  const UpperFactor factor = factor_damped(squares, kDamping);
  std::vector<float> importance(k);
  for (size_t j = 0; j < k; ++j) {
    importance[j] = std::max(moments.squares.row(order[j])[order[j]], 0.0f);
  }
  Grid wanted = permuted_columns(w, order);
  if (moments.count >= kRowsPerColumn * k) {
    // drift is [k][k] over (exact − seen, seen); w·drift.
    Grid turned(k, k);
    for (size_t i = 0; i < k; ++i) {
      for (size_t j = 0; j < k; ++j) {
        turned.row(j)[i] = moments.drift.row(order[i])[order[j]];
      }
    }
    Grid change = product(wanted, turned);
    solve_rows(factor_damped(squares, kDriftDamping), &change);
    for (size_t i = 0; i < wanted.data.size(); ++i) {
      wanted.data[i] += change.data[i];
    }
  }
  RoundedMatrix out;
  out.q.resize(n * k);
  out.scales.resize(n);
  parallel_for((n + kRowsAtOnce - 1) / kRowsAtOnce, [&](size_t block) {
    const size_t first = block * kRowsAtOnce, height = std::min(kRowsAtOnce, n - first);
    Grid errors(height, k);
    float inverses[kRowsAtOnce];
    for (size_t i = 0; i < height; ++i) {
      const float scale = out.scales[first + i] = choose_scale(wanted.row(first + i), importance);
      inverses[i] = scale == 0 ? 0 : 1 / scale;
    }
    for (size_t column = 0; column < k; ++column) {
      const float* u = factor.columns_of_r.row(column);
      for (size_t i = 0; i < height; ++i) {
        const float exact = wanted.row(first + i)[column];
        const float target = exact + dot(errors.row(i), u, column) / u[column];
        const float rounded = nearest(target * inverses[i]);
        errors.row(i)[column] = exact - rounded * out.scales[first + i];
        out.q[(first + i) * k + order[column]] = static_cast<int8_t>(rounded);
      }
    }
  });
  return out;
}

}  // namespace kinglet::convert
