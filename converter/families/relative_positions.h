// What disentangled attention makes of distances and relative embeddings before any text is seen.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ir/model_ir.h"

namespace kinglet::convert {

// Rows of a table for all distances, as fmt::Disentangled has them. The table has 2·span rows; the row of query i and
// key j is clamp(bucket(i − j) + span, 0, 2·span − 1). `buckets` 0: bucket(x) = x; otherwise DeBERTa v2's
// make_log_bucket_position with this bucket size and `farthest`.
std::vector<uint32_t> rows_of_distances(uint32_t span, uint32_t buckets, uint32_t farthest);

// The relative embeddings, [rows, width].
struct RelativeEmbeddings {
  uint32_t rows = 0, width = 0;
  std::vector<float> values;
};

// Every row by layer norm.
void normalize_rows(RelativeEmbeddings& embeddings, const std::vector<float>& weight, const std::vector<float>& bias,
                    float epsilon);

// A matrix that positions are projected by. No bias: empty.
struct Projection {
  Tensor weight;
  std::vector<float> bias;
};

// The tensor E·Wᵀ + b of the embeddings E, computed when it is written.
Tensor projected(std::shared_ptr<const RelativeEmbeddings> embeddings, Projection projection, const std::string& name);

}  // namespace kinglet::convert
