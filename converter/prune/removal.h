// In which order the inputs of a linear layer are best removed when those that remain take over what they can: the
// optimal brain surgeon on groups of inputs (Hassibi and Stork, 1993; for structures Kurtic et al., ZipLM, 2023).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kinglet::convert {

// Weighted least squares y ≈ W·[a; 1] over many rows (a, y) with a weight each: the last input is the bias.
struct NormalEquations {
  size_t inputs = 0, outputs = 0;  // inputs: with the bias
  std::vector<double> gram;        // Σ a·aᵀ, the upper triangle
  std::vector<double> cross;       // Σ a·yᵀ, [inputs][outputs]

  NormalEquations(size_t inputs_, size_t outputs_)
      : inputs(inputs_), outputs(outputs_), gram(inputs_ * inputs_), cross(inputs_ * outputs_) {}
};

// Pulls W towards `weight` [outputs][inputs − 1] and `bias`: adds `ridge` times the mean of the gram's diagonal.
void add_ridge(NormalEquations& equations, const std::vector<float>& weight, const std::vector<float>& bias,
               double ridge);

// The best W for the inputs that are kept (ascending, without the bias): [outputs][kept], and the bias.
struct Solution {
  std::vector<float> weight, bias;
};
Solution solve_kept(const NormalEquations& equations, const std::vector<uint32_t>& kept);

// Groups of inputs from the first that may go to the last, and what the squared error, seen through `metric`
// (eᵀ·metric·e for an error e; [outputs][outputs], trace 1), has become after each of them.
struct Removal {
  std::vector<std::vector<uint32_t>> groups;
  std::vector<double> errors;
};
// Groups of `size` neighbours (heads).
Removal order_blocks(const NormalEquations& equations, const std::vector<double>& metric, uint32_t size);
// Any `size` inputs at a time (neurons), until at most `size` are left.
Removal order_inputs(const NormalEquations& equations, const std::vector<double>& metric, uint32_t size);

}  // namespace kinglet::convert
