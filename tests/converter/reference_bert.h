// BERT's encoder in double precision, written down plainly from the paper and transformers' modeling_bert.py: what
// converted files are compared with where no recorded output fits.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "fixtures.h"

namespace kinglet::test {

using Matrix = std::vector<std::vector<double>>;

Matrix add_rows(Matrix a, const Matrix& b);
Matrix layer_norm(const Tensors& tensors, const std::string& name, Matrix x, double epsilon = 1e-12);
// softmax(q·kᵀ/√d)·v for each head.
Matrix attend(const Matrix& q, const Matrix& k, const Matrix& v, size_t heads);
// x·Wᵀ + b for the layer `name` of `tensors`.
Matrix apply_linear(const Tensors& tensors, const std::string& name, const Matrix& x);

// One hidden vector per token. `heads` may name layers that have fewer heads than the others.
Matrix reference_bert(const Tensors& tensors, const BertShape& shape, const std::vector<int32_t>& ids,
                      const std::vector<int32_t>& type_ids, const std::map<uint32_t, uint32_t>& heads = {});

}  // namespace kinglet::test
