// BERT's encoder in double precision.
#include "reference_bert.h"

#include <algorithm>
#include <cmath>

namespace kinglet::test {

namespace {

std::vector<double> row_of(const Tensors& tensors, const std::string& name, size_t row) {
  const RandomTensor& tensor = tensors.at(name);
  const size_t width = tensor.shape.back();
  const auto begin = tensor.values.begin() + static_cast<std::ptrdiff_t>(row * width);
  return {begin, begin + static_cast<std::ptrdiff_t>(width)};
}

}  // namespace

Matrix add_rows(Matrix a, const Matrix& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < a[i].size(); ++j) {
      a[i][j] += b[i][j];
    }
  }
  return a;
}

Matrix layer_norm(const Tensors& tensors, const std::string& name, Matrix x, double epsilon) {
  const auto weight = row_of(tensors, name + ".weight", 0), bias = row_of(tensors, name + ".bias", 0);
  for (auto& row : x) {
    double mean = 0, variance = 0;
    for (const double value : row) {
      mean += value / static_cast<double>(row.size());
    }
    for (const double value : row) {
      variance += (value - mean) * (value - mean) / static_cast<double>(row.size());
    }
    for (size_t j = 0; j < row.size(); ++j) {
      row[j] = (row[j] - mean) / std::sqrt(variance + epsilon) * weight[j] + bias[j];
    }
  }
  return x;
}

Matrix attend(const Matrix& q, const Matrix& k, const Matrix& v, size_t heads) {
  const size_t size = q[0].size() / heads;
  Matrix out(q.size(), std::vector<double>(q[0].size()));
  for (size_t head = 0; head < heads; ++head) {
    for (size_t i = 0; i < q.size(); ++i) {
      std::vector<double> weights(k.size());
      double total = 0;
      for (size_t j = 0; j < k.size(); ++j) {
        double dot = 0;
        for (size_t d = head * size; d < (head + 1) * size; ++d) {
          dot += q[i][d] * k[j][d];
        }
        weights[j] = std::exp(dot / std::sqrt(static_cast<double>(size)));
        total += weights[j];
      }
      for (size_t j = 0; j < k.size(); ++j) {
        for (size_t d = head * size; d < (head + 1) * size; ++d) {
          out[i][d] += weights[j] / total * v[j][d];
        }
      }
    }
  }
  return out;
}

Matrix apply_linear(const Tensors& tensors, const std::string& name, const Matrix& x) {
  const size_t rows = tensors.at(name + ".weight").shape[0];
  const auto bias = row_of(tensors, name + ".bias", 0);
  Matrix out(x.size(), std::vector<double>(rows));
  for (size_t n = 0; n < rows; ++n) {
    const auto weight = row_of(tensors, name + ".weight", n);
    for (size_t i = 0; i < x.size(); ++i) {
      out[i][n] = bias[n];
      for (size_t k = 0; k < weight.size(); ++k) {
        out[i][n] += x[i][k] * weight[k];
      }
    }
  }
  return out;
}

Matrix reference_bert(const Tensors& tensors, const BertShape& shape, const std::vector<int32_t>& ids,
                      const std::vector<int32_t>& type_ids, const std::map<uint32_t, uint32_t>& heads) {
  Matrix words, types, positions;
  for (size_t i = 0; i < ids.size(); ++i) {
    words.push_back(row_of(tensors, "embeddings.word_embeddings.weight", static_cast<size_t>(ids[i])));
    types.push_back(row_of(tensors, "embeddings.token_type_embeddings.weight", static_cast<size_t>(type_ids[i])));
    positions.push_back(row_of(tensors, "embeddings.position_embeddings.weight", i));
  }
  Matrix x = layer_norm(tensors, "embeddings.LayerNorm", add_rows(add_rows(words, types), positions));
  if (shape.embedding != 0) {
    x = apply_linear(tensors, "embeddings_project", x);
  }
  for (uint32_t i = 0; i < shape.layers; ++i) {
    const std::string layer = "encoder.layer." + std::to_string(i) + ".";
    const std::string self = layer + "attention.self.";
    const auto found = heads.find(i);
    const Matrix attended =
        attend(apply_linear(tensors, self + "query", x), apply_linear(tensors, self + "key", x),
               apply_linear(tensors, self + "value", x), found == heads.end() ? shape.heads : found->second);
    x = layer_norm(tensors, layer + "attention.output.LayerNorm",
                   add_rows(apply_linear(tensors, layer + "attention.output.dense", attended), x));
    Matrix up = apply_linear(tensors, layer + "intermediate.dense", x);
    for (auto& row : up) {
      std::for_each(row.begin(), row.end(),
                    [](double& value) { value *= 0.5 * (1 + std::erf(value / std::sqrt(2.0))); });
    }
    x = layer_norm(tensors, layer + "output.LayerNorm", add_rows(apply_linear(tensors, layer + "output.dense", up), x));
  }
  return x;
}

}  // namespace kinglet::test
