// Measures of how well predictions agree with the truth. All are fractions or correlations, not per cent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kinglet::eval {

// ---- Labels: `truth` and `predicted` have equal, non-zero sizes and hold indices below `labels` ----

size_t count_equal(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted);
double accuracy(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted);

// How often each label was taken for each other: [truth][predicted].
std::vector<std::vector<size_t>> confusion(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted,
                                           uint32_t labels);

// 2·TP/(2·TP + FP + FN) of one label; 0 when it occurs on neither side.
double f1_of(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted, uint32_t label);
// The mean of f1_of over the labels that occur on either side.
double f1_macro(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted, uint32_t labels);
// From TP, FP and FN summed over all labels; with one label per text that is the accuracy.
double f1_micro(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted);
// Two labels: f1_of label 1; more: f1_macro.
double f1(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted, uint32_t labels);

// Matthews' correlation, for any number of labels (Gorodkin 2004); 0 where it is undefined (a constant side).
double matthews(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted, uint32_t labels);

// ---- Numbers: equal sizes, all finite; nothing when it is undefined (fewer than two, or a constant side) ----

std::optional<double> pearson(const std::vector<double>& a, const std::vector<double>& b);
// Pearson's correlation of the ranks, ties having the mean of their ranks.
std::optional<double> spearman(const std::vector<double>& a, const std::vector<double>& b);

// Ranks from 1, ties averaged.
std::vector<double> ranks(const std::vector<double>& values);

}  // namespace kinglet::eval
