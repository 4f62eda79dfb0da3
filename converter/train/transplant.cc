// Which weight of a teacher goes where.
#include "train/transplant.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "train/numbers.h"

namespace kinglet::train {

using convert::kNone;
using convert::ModelIR;
using convert::Tensor;

namespace {

// Which op of a program plays which part.
struct Parts {
  std::map<fmt::EmbedIndex, convert::EmbedTable> tables;
  int32_t embedding_norm = kNone;
  int32_t projection = kNone;  // the matrix between the embeddings and the first layer
  struct Layer {
    std::vector<uint32_t> matrices;  // query, key, value, output, up, down
    std::vector<uint32_t> norms;
  };
  std::vector<Layer> layers;
  std::vector<uint32_t> head;  // matrices
};

Parts find_parts(const ModelIR& model) {
  Parts parts;
  size_t behind = 0;
  for (size_t i = 0; i < model.program.size(); ++i) {
    if (const auto* sum = std::get_if<convert::AddNormOp>(&model.program[i]); sum && sum->residual != kNone) {
      behind = i + 1;
    }
  }
  for (size_t i = 0; i < model.program.size(); ++i) {
    const convert::Op& op = model.program[i];
    if (const auto* embed = std::get_if<convert::EmbedOp>(&op)) {
      for (const convert::EmbedTable& table : embed->tables) {
        parts.tables[table.index] = table;
      }
      parts.embedding_norm = embed->norm;
    } else if (const auto* attention = std::get_if<convert::AttentionOp>(&op)) {
      parts.layers.push_back({{attention->query, attention->key, attention->value}, {}});
    } else if (const auto* linear = std::get_if<convert::LinearOp>(&op)) {
      if (i >= behind) {
        parts.head.push_back(linear->matrix);
      } else if (parts.layers.empty()) {
        parts.projection = static_cast<int32_t>(linear->matrix);
      } else {
        parts.layers.back().matrices.push_back(linear->matrix);
      }
    } else if (const auto* sum = std::get_if<convert::AddNormOp>(&op);
               sum && sum->norm != kNone && !parts.layers.empty() && i < behind) {
      parts.layers.back().norms.push_back(static_cast<uint32_t>(sum->norm));
    }
  }
  return parts;
}

class Transplanter {
 public:
  Transplanter(const ModelIR& student, const ModelIR& teacher)
      : student_(student), teacher_(teacher), own_(find_parts(student)), theirs_(find_parts(teacher)) {}

  std::map<std::string, std::vector<float>> run() {
    copy_embeddings();
    const size_t count = own_.layers.size(), of = theirs_.layers.size();
    const bool shared = count > 1 && own_.layers[0].matrices == own_.layers[1].matrices;
    for (size_t i = 0; i < (shared ? 1 : count); ++i) {
      const size_t from = shared || count == 1 ? of / 2 : (i * (of - 1) + (count - 1) / 2) / (count - 1);
      copy_layer(own_.layers[i], theirs_.layers[from]);
    }
    if (own_.head.size() == theirs_.head.size()) {
      for (size_t i = 0; i < own_.head.size(); ++i) {
        copy_matrix(own_.head[i], theirs_.head[i]);
      }
    }
    return std::move(numbers_);
  }

 private:
  // True where the sizes are the same.
  bool copy(int32_t to, int32_t from) {
    if (to == kNone || from == kNone) {
      return to == from;
    }
    const Tensor& target = student_.tensors[static_cast<size_t>(to)];
    const Tensor& source = teacher_.tensors[static_cast<size_t>(from)];
    if (target.shape != source.shape) {
      return false;
    }
    numbers_[target.name] = source.read_all();
    return true;
  }

  void copy_matrix(uint32_t to, uint32_t from) {
    const convert::Matrix& target = student_.matrices[to];
    const convert::Matrix& source = teacher_.matrices[from];
    if (copy(static_cast<int32_t>(target.weight), static_cast<int32_t>(source.weight))) {
      copy(target.bias, source.bias);
    }
  }

  void copy_norm(int32_t to, int32_t from) {
    if (to != kNone && from != kNone) {
      const convert::Norm& target = student_.norms[static_cast<size_t>(to)];
      const convert::Norm& source = teacher_.norms[static_cast<size_t>(from)];
      copy(static_cast<int32_t>(target.weight), static_cast<int32_t>(source.weight));
      copy(target.bias, source.bias);
    }
  }

  void copy_layer(const Parts::Layer& to, const Parts::Layer& from) {
    for (size_t i = 0; i < std::min(to.matrices.size(), from.matrices.size()); ++i) {
      copy_matrix(to.matrices[i], from.matrices[i]);
    }
    for (size_t i = 0; i < std::min(to.norms.size(), from.norms.size()); ++i) {
      copy_norm(static_cast<int32_t>(to.norms[i]), static_cast<int32_t>(from.norms[i]));
    }
  }

  void copy_embeddings() {
    const auto words = theirs_.tables.find(fmt::EmbedIndex::token);
    const auto own_words = own_.tables.find(fmt::EmbedIndex::token);
    if (words == theirs_.tables.end() || own_words == own_.tables.end()) {
      return;
    }
    const Tensor& table = teacher_.tensors[words->second.table];
    const auto width = static_cast<uint32_t>(table.columns());
    const auto own_width = static_cast<uint32_t>(student_.tensors[own_words->second.table].columns());
    std::vector<float> directions;
    if (own_width < width) {
      directions = principal_directions(table.read_all(), width, own_width);
    } else if (own_width > width) {
      return;
    } else {
      copy_norm(own_.embedding_norm, theirs_.embedding_norm);
    }
    for (const auto& [index, target] : own_.tables) {
      if (const auto source = theirs_.tables.find(index); source != theirs_.tables.end()) {
        copy_rows(target, source->second, width, own_width, directions);
      }
    }
    copy_projection(width, own_width, directions);
  }

  void copy_rows(const convert::EmbedTable& to, const convert::EmbedTable& from, uint32_t width, uint32_t own_width,
                 const std::vector<float>& directions) {
    const Tensor& target = student_.tensors[to.table];
    const std::vector<float> source = teacher_.tensors[from.table].read_all();
    std::vector<float> rows = target.read_all();
    const uint64_t there = teacher_.tensors[from.table].rows();
    for (uint64_t row = 0; row + from.base < there && row + to.base < target.rows(); ++row) {
      const float* in = &source[(row + from.base) * width];
      float* out = &rows[(row + to.base) * own_width];
      if (directions.empty()) {
        std::copy_n(in, width, out);
        continue;
      }
      std::fill_n(out, own_width, 0.0f);
      for (uint32_t k = 0; k < width; ++k) {
        for (uint32_t j = 0; j < own_width; ++j) {
          out[j] += in[k] * directions[size_t{k} * own_width + j];
        }
      }
    }
    numbers_[target.name] = std::move(rows);
  }

  // Behind narrower embeddings: back to the directions that they came from.
  void copy_projection(uint32_t width, uint32_t own_width, const std::vector<float>& directions) {
    if (own_.projection == kNone) {
      return;
    }
    const convert::Matrix& matrix = student_.matrices[static_cast<size_t>(own_.projection)];
    const Tensor& target = student_.tensors[matrix.weight];
    if (!directions.empty() && target.rows() == width && target.columns() == own_width) {
      numbers_[target.name] = directions;
    } else if (theirs_.projection != kNone) {
      copy_matrix(static_cast<uint32_t>(own_.projection), static_cast<uint32_t>(theirs_.projection));
    }
  }

  const ModelIR& student_;
  const ModelIR& teacher_;
  Parts own_, theirs_;
  std::map<std::string, std::vector<float>> numbers_;
};

// Makes the columns of [width, count] orthonormal, each against those before it (Gram and Schmidt, twice for accuracy).
void orthonormalize(std::vector<double>& columns, uint32_t width, uint32_t count) {
  for (uint32_t j = 0; j < count; ++j) {
    for (int round = 0; round < 2; ++round) {
      for (uint32_t i = 0; i < j; ++i) {
        double dot = 0;
        for (uint32_t k = 0; k < width; ++k) {
          dot += columns[size_t{k} * count + i] * columns[size_t{k} * count + j];
        }
        for (uint32_t k = 0; k < width; ++k) {
          columns[size_t{k} * count + j] -= dot * columns[size_t{k} * count + i];
        }
      }
    }
    double square = 0;
    for (uint32_t k = 0; k < width; ++k) {
      square += columns[size_t{k} * count + j] * columns[size_t{k} * count + j];
    }
    const double scale = 1 / std::sqrt(std::max(square, 1e-300));
    for (uint32_t k = 0; k < width; ++k) {
      columns[size_t{k} * count + j] *= scale;
    }
  }
}

}  // namespace

std::vector<float> principal_directions(const std::vector<float>& table, uint32_t width, uint32_t count) {
  const size_t rows = table.size() / width;
  std::vector<double> products(size_t{width} * width, 0);
  for (size_t row = 0; row < rows; ++row) {
    const float* x = &table[row * width];
    for (uint32_t i = 0; i < width; ++i) {
      const auto a = static_cast<double>(x[i]);
      for (uint32_t j = 0; j < width; ++j) {
        products[size_t{i} * width + j] += a * static_cast<double>(x[j]);
      }
    }
  }
  constexpr int kRounds = 30;
  const std::vector<float> start = normal_numbers(1, size_t{width} * count, 1);
  std::vector<double> columns(start.begin(), start.end()), next(columns.size());
  for (int round = 0; round < kRounds; ++round) {
    orthonormalize(columns, width, count);
    std::fill(next.begin(), next.end(), 0.0);
    for (uint32_t i = 0; i < width; ++i) {
      for (uint32_t k = 0; k < width; ++k) {
        const double a = products[size_t{i} * width + k];
        for (uint32_t j = 0; j < count; ++j) {
          next[size_t{i} * count + j] += a * columns[size_t{k} * count + j];
        }
      }
    }
    columns.swap(next);
  }
  orthonormalize(columns, width, count);
  return {columns.begin(), columns.end()};
}

std::map<std::string, std::vector<float>> transplant(const ModelIR& student, const ModelIR& teacher) {
  return Transplanter(student, teacher).run();
}

}  // namespace kinglet::train
