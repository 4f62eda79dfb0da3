// The optimal brain surgeon. With A the gram, the cost of removing the inputs S is tr(M·V_Sᵀ·((A⁻¹)_SS)⁻¹·V_S) for the
// rows V of Wᵀ; after it the others are V − (A⁻¹)_·S·((A⁻¹)_SS)⁻¹·V_S, and A⁻¹ shrinks in the same way. With M = R·Rᵀ
// the rows of V·R can be kept instead of those of V.
#include "prune/removal.h"

#include <algorithm>
#include <numeric>

#include "prune/cholesky.h"
#include "prune/matmul.h"

namespace kinglet::convert {

namespace {

constexpr double kMetricRidge = 1e-3;  // of the mean of its diagonal: few texts do not fill it

class Surgeon {
 public:
  // `metric` has a trace of 1.
  Surgeon(const NormalEquations& equations, const std::vector<double>& metric)
      : count_(equations.inputs), width_(equations.outputs), names_(equations.inputs) {
    std::iota(names_.begin(), names_.end(), 0u);
    std::vector<double> factor = equations.gram;
    factorize(factor, count_);
    std::vector<double> best = equations.cross;
    solve(factor, count_, best, width_);
    inverse_ = inverse_of(factor, count_);
    std::vector<double> root = metric;
    for (size_t i = 0; i < width_; ++i) {
      root[i * width_ + i] += kMetricRidge / static_cast<double>(width_);
    }
    factorize(root, width_);
    rows_.resize(count_ * width_);  // V·R: column j of it is V times column j of the lower triangle R
    for (size_t i = 0; i < count_; ++i) {
      for (size_t k = 0; k < width_; ++k) {
        add_scaled(best[i * width_ + k], &root[k * width_], k + 1, &rows_[i * width_]);
      }
    }
  }

  uint32_t name(size_t place) const { return names_[place]; }
  size_t count() const { return count_; }

  // Of one input, alone.
  double cost(size_t place) const {
    const double* row = &rows_[place * width_];
    return dot(row, row, width_) / inverse_[place * count_ + place];
  }

  // Of several together; `moves` receives ((A⁻¹)_SS)⁻¹·V_S.
  double cost(const std::vector<size_t>& places, std::vector<double>* moves) const {
    const size_t size = places.size();
    std::vector<double> corner(size * size);
    moves->clear();
    for (size_t i = 0; i < size; ++i) {
      for (size_t j = 0; j < size; ++j) {
        corner[i * size + j] = inverse_[places[i] * count_ + places[j]];
      }
      const double* row = &rows_[places[i] * width_];
      moves->insert(moves->end(), row, row + width_);
    }
    factorize(corner, size);
    solve(corner, size, *moves, width_);
    double sum = 0;
    for (size_t i = 0; i < size; ++i) {
      sum += dot(&rows_[places[i] * width_], &(*moves)[i * width_], width_);
    }
    return sum;
  }

  // `places` ascending.
  double remove(const std::vector<size_t>& places) {
    const size_t size = places.size();
    std::vector<double> moves;
    const double error = cost(places, &moves);
    std::vector<double> corner(size * size), lines(size * count_);  // lines: ((A⁻¹)_SS)⁻¹·(A⁻¹)_S·
    for (size_t i = 0; i < size; ++i) {
      for (size_t j = 0; j < size; ++j) {
        corner[i * size + j] = inverse_[places[i] * count_ + places[j]];
      }
      std::copy_n(&inverse_[places[i] * count_], count_, &lines[i * count_]);
    }
    factorize(corner, size);
    solve(corner, size, lines, count_);
    std::vector<double> factors(size);
    for (size_t i = 0; i < count_; ++i) {
      for (size_t s = 0; s < size; ++s) {
        factors[s] = inverse_[i * count_ + places[s]];
      }
      for (size_t s = 0; s < size; ++s) {
        add_scaled(-factors[s], &lines[s * count_], count_, &inverse_[i * count_]);
        add_scaled(-factors[s], &moves[s * width_], width_, &rows_[i * width_]);
      }
    }
    forget(places);
    return error;
  }

 private:
  void forget(const std::vector<size_t>& places) {
    std::vector<size_t> left;
    for (size_t i = 0; i < count_; ++i) {
      if (!std::binary_search(places.begin(), places.end(), i)) {
        left.push_back(i);
      }
    }
    for (size_t i = 0; i < left.size(); ++i) {
      for (size_t j = 0; j < left.size(); ++j) {
        inverse_[i * left.size() + j] = inverse_[left[i] * count_ + left[j]];
      }
      std::copy_n(&rows_[left[i] * width_], width_, &rows_[i * width_]);
      names_[i] = names_[left[i]];
    }
    count_ = left.size();
  }

  size_t count_, width_;
  std::vector<uint32_t> names_;
  std::vector<double> inverse_, rows_;
};

void add_group(const Surgeon& surgeon, const std::vector<size_t>& places, Removal* removal) {
  std::vector<uint32_t> names;
  for (const size_t place : places) {
    names.push_back(surgeon.name(place));
  }
  removal->groups.push_back(std::move(names));
}

void add_error(double error, Removal* removal) {
  removal->errors.push_back(error + (removal->errors.empty() ? 0 : removal->errors.back()));
}

}  // namespace

void add_ridge(NormalEquations& equations, const std::vector<float>& weight, const std::vector<float>& bias,
               double ridge) {
  const size_t n = equations.inputs, weights = n - 1;
  double sum = 0;
  for (size_t i = 0; i < weights; ++i) {
    sum += equations.gram[i * n + i];
  }
  const double strength = ridge * std::max(sum / static_cast<double>(weights), 1e-30);
  for (size_t i = 0; i < n; ++i) {
    equations.gram[i * n + i] += strength;
    for (size_t j = 0; j < equations.outputs; ++j) {
      const float centre = i < weights ? weight[j * weights + i] : bias[j];
      equations.cross[i * equations.outputs + j] += strength * static_cast<double>(centre);
    }
  }
}

Solution solve_kept(const NormalEquations& equations, const std::vector<uint32_t>& kept) {
  const size_t all = equations.inputs, n = kept.size() + 1, outputs = equations.outputs;
  std::vector<uint32_t> places = kept;
  places.push_back(static_cast<uint32_t>(all - 1));
  std::vector<double> gram(n * n), best(n * outputs);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i; j < n; ++j) {
      gram[i * n + j] = equations.gram[places[i] * all + places[j]];
    }
    std::copy_n(&equations.cross[places[i] * outputs], outputs, &best[i * outputs]);
  }
  factorize(gram, n);
  solve(gram, n, best, outputs);
  Solution solution = {std::vector<float>(outputs * kept.size()), std::vector<float>(outputs)};
  for (size_t j = 0; j < outputs; ++j) {
    for (size_t i = 0; i < kept.size(); ++i) {
      solution.weight[j * kept.size() + i] = static_cast<float>(best[i * outputs + j]);
    }
    solution.bias[j] = static_cast<float>(best[kept.size() * outputs + j]);
  }
  return solution;
}

Removal order_blocks(const NormalEquations& equations, const std::vector<double>& metric, uint32_t size) {
  Surgeon surgeon(equations, metric);
  Removal removal;
  std::vector<double> moves;
  const auto block = [&](size_t index) {
    std::vector<size_t> places(size);
    std::iota(places.begin(), places.end(), index * size);
    return places;
  };
  while (surgeon.count() > 1) {
    size_t best = 0;
    double least = 0;
    for (size_t i = 0; i < surgeon.count() / size; ++i) {
      const double cost = surgeon.cost(block(i), &moves);
      if (i == 0 || cost < least) {
        best = i;
        least = cost;
      }
    }
    add_group(surgeon, block(best), &removal);
    add_error(surgeon.remove(block(best)), &removal);
  }
  return removal;
}

Removal order_inputs(const NormalEquations& equations, const std::vector<double>& metric, uint32_t size) {
  Surgeon surgeon(equations, metric);
  Removal removal;
  while (surgeon.count() > 1) {
    std::vector<double> costs(surgeon.count() - 1);  // the bias stays
    std::vector<size_t> places(costs.size());
    for (size_t i = 0; i < costs.size(); ++i) {
      costs[i] = surgeon.cost(i);
    }
    std::iota(places.begin(), places.end(), size_t{0});
    std::stable_sort(places.begin(), places.end(), [&](size_t a, size_t b) { return costs[a] < costs[b]; });
    // The first group takes what makes the rest whole groups.
    const size_t odd = costs.size() % size;
    places.resize(odd == 0 ? size : odd);
    std::sort(places.begin(), places.end());
    add_group(surgeon, places, &removal);
    add_error(surgeon.remove(places), &removal);
  }
  return removal;
}

}  // namespace kinglet::convert
