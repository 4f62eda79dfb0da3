#include "families/relative_positions.h"

#include <algorithm>
#include <cmath>

namespace kinglet::convert {

namespace {

constexpr int64_t kFarthestToken = (1 << 16) - 1;

// make_log_bucket_position for x >= 0, in floats as there; it is odd.
int64_t log_bucket(int64_t x, uint32_t buckets, uint32_t farthest) {
  const int64_t middle = buckets / 2;
  if (x <= middle) {
    return x;
  }
  const float place = std::log(static_cast<float>(x) / static_cast<float>(middle));
  const float scale = std::log(static_cast<float>((farthest - 1) / static_cast<double>(middle)));
  return static_cast<int64_t>(std::ceil(place / scale * static_cast<float>(middle - 1)) + static_cast<float>(middle));
}

// A row of E·Wᵀ + b takes one pass over W, which is read once per call.
class ProjectedSource final : public Source {
 public:
  ProjectedSource(std::shared_ptr<const RelativeEmbeddings> embeddings, Projection projection)
      : embeddings_(std::move(embeddings)), projection_(std::move(projection)) {}

  void read(uint64_t first, uint64_t count, float* out) const override {
    const std::vector<float> weight = projection_.weight.read_all();
    const std::vector<float>& bias = projection_.bias;
    const size_t columns = projection_.weight.rows(), inner = projection_.weight.columns();
    for (uint64_t row = 0; row < count; ++row) {
      const float* embedding = &embeddings_->values[(first + row) * inner];
      for (size_t column = 0; column < columns; ++column) {
        const double sum = dot(embedding, &weight[column * inner], inner);
        out[row * columns + column] = static_cast<float>(bias.empty() ? sum : sum + bias[column]);
      }
    }
  }

 private:
  // In lanes, so that it vectorises and is the same everywhere.
  static double dot(const float* a, const float* b, size_t count) {
    constexpr size_t kLanes = 8;
    double sums[kLanes] = {};
    size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) {
        sums[lane] += static_cast<double>(a[i + lane]) * b[i + lane];
      }
    }
    for (; i < count; ++i) {
      sums[i % kLanes] += static_cast<double>(a[i]) * b[i];
    }
    double total = 0;
    for (const double sum : sums) {
      total += sum;
    }
    return total;
  }

  std::shared_ptr<const RelativeEmbeddings> embeddings_;
  Projection projection_;
};

}  // namespace

std::vector<uint32_t> rows_of_distances(uint32_t span, uint32_t buckets, uint32_t farthest) {
  // Beyond the reach all distances of a sign share a row: the first or the last.
  const auto bucket = [&](int64_t x) { return buckets == 0 ? x : log_bucket(x, buckets, farthest); };
  int64_t reach = 0;
  while (reach < kFarthestToken && bucket(reach) < span) {
    ++reach;
  }
  std::vector<uint32_t> rows;
  for (int64_t distance = -reach; distance <= reach; ++distance) {  // j − i
    const int64_t row = (distance < 0 ? bucket(-distance) : -bucket(distance)) + span;
    rows.push_back(static_cast<uint32_t>(std::clamp<int64_t>(row, 0, 2 * int64_t{span} - 1)));
  }
  return rows;
}

void normalize_rows(RelativeEmbeddings& embeddings, const std::vector<float>& weight, const std::vector<float>& bias,
                    float epsilon) {
  const size_t width = embeddings.width;
  for (uint32_t row = 0; row < embeddings.rows; ++row) {
    float* x = &embeddings.values[row * width];
    double mean = 0, variance = 0;
    for (size_t i = 0; i < width; ++i) {
      mean += x[i] / static_cast<double>(width);
    }
    for (size_t i = 0; i < width; ++i) {
      variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(width);
    }
    const double scale = 1 / std::sqrt(variance + static_cast<double>(epsilon));
    for (size_t i = 0; i < width; ++i) {
      x[i] = static_cast<float>((x[i] - mean) * scale * weight[i] + bias[i]);
    }
  }
}

Tensor projected(std::shared_ptr<const RelativeEmbeddings> embeddings, Projection projection, const std::string& name) {
  const std::vector<uint32_t> shape = {embeddings->rows, static_cast<uint32_t>(projection.weight.rows())};
  return {name, shape, std::make_shared<ProjectedSource>(std::move(embeddings), std::move(projection)), Storage::f32};
}

}  // namespace kinglet::convert
