// The semantic pass over what lies in the weights section: tensors, matrices and norms.
#include <algorithm>
#include <cinttypes>
#include <cmath>

#include "format/header.h"
#include "model/model.h"
#include "model/validate_parts.h"

namespace kinglet {

using fmt::DType;
using fmt::Layout;

bool tensor_bytes(const fmt::Tensor& tensor, uint64_t* bytes) {
  const auto& shape = *tensor.shape();
  if (shape.size() < 1 || shape.size() > 2) {
    return false;
  }
  const uint64_t n = shape[0];
  const uint64_t k = shape.size() == 2 ? shape[1] : 1;
  uint64_t elements;
  if (n == 0 || k == 0) {
    return false;
  }
  switch (tensor.layout()) {
    case Layout::rows:
      if (__builtin_mul_overflow(n, k, &elements)) {
        return false;
      }
      break;
    case Layout::tile16x8:
      if (shape.size() != 2 || tensor.dtype() != DType::s8 ||
          __builtin_mul_overflow((n + 15) / 16 * 16, (k + 7) / 8 * 8, &elements)) {
        return false;
      }
      break;
    default:
      return false;
  }
  switch (tensor.dtype()) {
    case DType::s8:
      *bytes = elements;
      return true;
    case DType::f32:
    case DType::s32:
      return !__builtin_mul_overflow(elements, uint64_t{4}, bytes);
  }
  return false;
}

namespace validation {
namespace {

const char* dtype_name(DType dtype) { return fmt::EnumNameDType(dtype); }

kinglet_status check_tensor(const fmt::Tensor& tensor, uint32_t id, uint64_t weights_size, Error& error) {
  KINGLET_TRY(check_name(Where("tensor %u", id), "name", *tensor.name(), error));
  const Where where("tensor %u (%.160s)", id, tensor.name()->c_str());
  KINGLET_TRY(check_enum(where, "dtype", tensor.dtype(), error));
  KINGLET_TRY(check_enum(where, "layout", tensor.layout(), error));
  const auto& shape = *tensor.shape();
  if (shape.size() < 1 || shape.size() > 2) {
    return refuse(error, where, "shape has %u dimensions; expected 1 or 2", shape.size());
  }
  for (uint32_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) {
      return refuse(error, where, "shape[%u] is 0; expected at least 1", i);
    }
  }
  if (tensor.layout() == Layout::tile16x8 && (tensor.dtype() != DType::s8 || shape.size() != 2)) {
    return refuse(error, where, "layout tile16x8 with dtype %s and %u dimensions; expected s8 and 2",
                  dtype_name(tensor.dtype()), shape.size());
  }
  uint64_t bytes = 0;
  if (!tensor_bytes(tensor, &bytes)) {
    return refuse(error, where, "shape [%u, %u] needs more than 2^64 bytes", shape[0], shape[shape.size() - 1]);
  }
  const uint64_t offset = tensor.offset();
  if (offset % format::kPartAlignment != 0) {
    return refuse(error, where, "offset is %" PRIu64 "; expected a multiple of 64", offset);
  }
  if (offset > weights_size || bytes > weights_size - offset) {
    return refuse(error, where, "%" PRIu64 " bytes at offset %" PRIu64 "; expected to end within the %" PRIu64
                  " bytes of weights", bytes, offset, weights_size);
  }
  return KINGLET_OK;
}

kinglet_status check_f32_matrix(const fmt::Model& model, const fmt::Matrix& matrix, const Where& where, uint32_t n,
                                Error& error) {
  const fmt::Tensor& weight = *model.tensors()->Get(matrix.weight());
  if (weight.layout() != Layout::rows) {
    return refuse(error, where, "an f32 weight has layout tile16x8; expected rows");
  }
  const struct {
    const char* name;
    int32_t id;
  } unused[] = {
      {"scale", matrix.scale()}, {"column_sum", matrix.column_sum()}, {"input_scale", matrix.input_scale()}};
  for (const auto& field : unused) {
    if (field.id != -1) {
      return refuse(error, where, "%s is %d, but the weight is f32; expected -1", field.name, field.id);
    }
  }
  return matrix.bias() == -1 ? KINGLET_OK : check_vector(model, where, "bias", matrix.bias(), DType::f32, n, error);
}

kinglet_status check_s8_matrix(const fmt::Model& model, const fmt::Matrix& matrix, const Where& where, uint32_t n,
                               uint32_t k, Error& error) {
  const fmt::Tensor& weight = *model.tensors()->Get(matrix.weight());
  if (weight.layout() != Layout::tile16x8) {
    return refuse(error, where, "an s8 weight has layout rows; expected tile16x8");
  }
  const uint64_t padded = (uint64_t{n} + 15) / 16 * 16;
  KINGLET_TRY(check_vector(model, where, "scale", matrix.scale(), DType::f32, padded, error));
  KINGLET_TRY(check_vector(model, where, "column_sum", matrix.column_sum(), DType::s32, padded, error));
  if (matrix.bias() != -1) {
    KINGLET_TRY(check_vector(model, where, "bias", matrix.bias(), DType::f32, padded, error));
  }
  if (matrix.input_scale() != -1) {
    KINGLET_TRY(check_vector(model, where, "input_scale", matrix.input_scale(), DType::f32, k, error));
  }
  return KINGLET_OK;
}

}  // namespace

kinglet_status check_vector(const fmt::Model& model, const Where& where, const char* field, int64_t id, DType dtype,
                            uint64_t length, Error& error) {
  KINGLET_TRY(check_id(where, field, id, model.tensors()->size(), "tensors", error));
  const fmt::Tensor& tensor = *model.tensors()->Get(static_cast<uint32_t>(id));
  const auto& shape = *tensor.shape();
  if (tensor.dtype() != dtype) {
    return refuse(error, where, "%s is tensor %u with dtype %s; expected %s", field, static_cast<uint32_t>(id),
                  dtype_name(tensor.dtype()), dtype_name(dtype));
  }
  if (shape.size() != 1) {
    return refuse(error, where, "%s is tensor %u with %u dimensions; expected 1", field, static_cast<uint32_t>(id),
                  shape.size());
  }
  if (shape[0] != length) {
    return refuse(error, where, "%s is tensor %u with %u elements; expected %" PRIu64, field,
                  static_cast<uint32_t>(id), shape[0], length);
  }
  return KINGLET_OK;
}

kinglet_status check_tensors(const fmt::Model& model, uint64_t weights_size, Buffer<uint32_t>& by_offset,
                             Error& error) {
  const auto& tensors = *model.tensors();
  if (!by_offset.allocate(tensors.size())) {
    return fail(error, KINGLET_OUT_OF_MEMORY, "no memory to sort %u tensors", tensors.size());
  }
  for (uint32_t id = 0; id < tensors.size(); ++id) {
    KINGLET_TRY(check_tensor(*tensors[id], id, weights_size, error));
    by_offset[id] = id;
  }
  std::sort(by_offset.begin(), by_offset.end(), [&](uint32_t a, uint32_t b) {
    const uint64_t offset_a = tensors[a]->offset();
    const uint64_t offset_b = tensors[b]->offset();
    return offset_a != offset_b ? offset_a < offset_b : a < b;
  });
  for (size_t i = 1; i < by_offset.size(); ++i) {
    const fmt::Tensor& before = *tensors[by_offset[i - 1]];
    const fmt::Tensor& after = *tensors[by_offset[i]];
    uint64_t bytes = 0;
    tensor_bytes(before, &bytes);
    if (after.offset() < before.offset() + bytes) {
      return refuse(error, Where("tensor %u (%.160s)", by_offset[i], after.name()->c_str()),
                    "offset %" PRIu64 " lies inside tensor %u, which ends at %" PRIu64, after.offset(),
                    by_offset[i - 1], before.offset() + bytes);
    }
  }
  return KINGLET_OK;
}

kinglet_status check_matrices(const fmt::Model& model, Error& error) {
  for (uint32_t id = 0; id < model.matrices()->size(); ++id) {
    const fmt::Matrix& matrix = *model.matrices()->Get(id);
    const Where where("matrix %u", id);
    KINGLET_TRY(check_id(where, "weight", matrix.weight(), model.tensors()->size(), "tensors", error));
    const fmt::Tensor& weight = *model.tensors()->Get(matrix.weight());
    const Where named("matrix %u (%.160s)", id, weight.name()->c_str());
    if (weight.shape()->size() != 2) {
      return refuse(error, named, "the weight has 1 dimension; expected 2");
    }
    const uint32_t n = weight.shape()->Get(0);
    const uint32_t k = weight.shape()->Get(1);
    if (n > kMaxWidth) {
      return refuse(error, named, "the weight has %u rows; expected at most %u", n, kMaxWidth);
    }
    if (k > kMaxInner) {
      return refuse(error, named, "the weight has %u columns; expected at most %u", k, kMaxInner);
    }
    switch (weight.dtype()) {
      case DType::f32:
        KINGLET_TRY(check_f32_matrix(model, matrix, named, n, error));
        break;
      case DType::s8:
        KINGLET_TRY(check_s8_matrix(model, matrix, named, n, k, error));
        break;
      default:
        return refuse(error, named, "the weight has dtype %s; expected f32 or s8", dtype_name(weight.dtype()));
    }
  }
  return KINGLET_OK;
}

kinglet_status check_norms(const fmt::Model& model, Error& error) {
  for (uint32_t id = 0; id < model.norms()->size(); ++id) {
    const fmt::Norm& norm = *model.norms()->Get(id);
    const Where where("norm %u", id);
    KINGLET_TRY(check_enum(where, "kind", norm.kind(), error));
    KINGLET_TRY(check_id(where, "weight", norm.weight(), model.tensors()->size(), "tensors", error));
    const uint32_t width = model.tensors()->Get(norm.weight())->shape()->Get(0);
    KINGLET_TRY(check_vector(model, where, "weight", norm.weight(), DType::f32, width, error));
    if (norm.bias() != -1) {
      KINGLET_TRY(check_vector(model, where, "bias", norm.bias(), DType::f32, width, error));
    }
    if (!std::isfinite(norm.epsilon()) || norm.epsilon() < 0) {
      return refuse(error, where, "epsilon is %g; expected a finite number of at least 0",
                    static_cast<double>(norm.epsilon()));
    }
  }
  return KINGLET_OK;
}

}  // namespace validation
}  // namespace kinglet
