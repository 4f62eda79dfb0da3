// How much arithmetic a model's program is.
#include "cli/workload.h"

#include <set>

#include "cli/command.h"
#include "model/model.h"

namespace kinglet::cli {

struct Workload::Opened {
  Model model;
};

namespace {

struct Totals {
  double operations = 0;
  double softmax_elements = 0, activation_elements = 0;
  std::set<uint32_t> matrices;
};

Totals total(const fmt::Model& table, uint64_t length, uint64_t sequences) {
  Totals totals;
  const auto product = [&](uint32_t id, fmt::Extent extent) {
    const fmt::Tensor& weight = *table.tensors()->Get(table.matrices()->Get(id)->weight());
    const uint64_t rows = extent == fmt::Extent::tokens ? length * sequences : sequences;
    totals.operations += 2.0 * static_cast<double>(rows) * weight.shape()->Get(0) * weight.shape()->Get(1);
    totals.matrices.insert(id);
  };
  for (const fmt::Step* step : *table.program()) {
    if (const fmt::Linear* op = step->op_as_Linear()) {
      const fmt::Extent extent = table.values()->Get(op->out())->extent();
      product(op->matrix(), extent);
      if (op->activation() != fmt::Activation::none && extent == fmt::Extent::tokens) {
        totals.activation_elements += static_cast<double>(length * sequences) * table.values()->Get(op->out())->width();
      }
      if (op->gate() >= 0) {
        product(static_cast<uint32_t>(op->gate()), extent);
      }
    } else if (const fmt::Attention* op = step->op_as_Attention()) {
      for (const uint32_t id : {op->query(), op->key(), op->value()}) {
        product(id, fmt::Extent::tokens);
      }
      const auto tokens = static_cast<double>(length);
      totals.softmax_elements += static_cast<double>(sequences) * tokens * tokens * op->heads();
      totals.operations += 4.0 * static_cast<double>(sequences) * tokens * tokens * op->heads() * op->head_dim();
    }
  }
  return totals;
}

}  // namespace

Workload::Workload(std::unique_ptr<Opened> opened) : opened_(std::move(opened)) {}
Workload::~Workload() = default;
Workload::Workload(Workload&&) noexcept = default;

Workload Workload::of_file(const std::string& path) {
  auto opened = std::make_unique<Opened>();
  Error error;
  if (opened->model.open_path(path.c_str(), error) != KINGLET_OK) {
    throw InputError(path + ": " + error.message);
  }
  return Workload(std::move(opened));
}

double Workload::operations(uint64_t length, uint64_t sequences) const {
  return total(opened_->model.table(), length, sequences).operations;
}

double Workload::softmax_elements(uint64_t length, uint64_t sequences) const {
  return total(opened_->model.table(), length, sequences).softmax_elements;
}

double Workload::activation_elements(uint64_t length, uint64_t sequences) const {
  return total(opened_->model.table(), length, sequences).activation_elements;
}

uint64_t Workload::matrix_bytes() const {
  const fmt::Model& table = opened_->model.table();
  uint64_t all = 0;
  for (const uint32_t id : total(table, 1, 1).matrices) {
    uint64_t bytes = 0;
    tensor_bytes(*table.tensors()->Get(table.matrices()->Get(id)->weight()), &bytes);
    all += bytes;
  }
  return all;
}

}  // namespace kinglet::cli
