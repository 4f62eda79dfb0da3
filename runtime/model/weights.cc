// One pass: every piece that is read goes through the checksum and through the check of each tensor it belongs to
// while it is in the cache.
#include "model/weights.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>

#include "cpu/cpu.h"
#include "format/checksum.h"
#include "format/header.h"
#include "model/model.h"

namespace kinglet {
namespace {

using fmt::DType;
using fmt::Layout;

// Bytes read at once: a multiple of 64 that divides a checksum block and fits a second-level cache.
constexpr uint64_t kPiece = 1 << 17;
static_assert(format::kChecksumBlock % kPiece == 0);

constexpr uint8_t kMinus128 = 0x80;

// Those in use; a wrong KINGLET_ISA is the session's to report.
const kernels::Kernels& scanning_kernels() {
  const kernels::Kernels* chosen = kernels_in_use();
  return chosen != nullptr ? *chosen : *kernels::kernels_for(kernels::Isa::reference);
}

bool is_zero(const uint8_t* bytes, size_t size) {
  uint8_t found = 0;
  for (size_t i = 0; i < size; ++i) {
    found |= bytes[i];
  }
  return found == 0;
}

// A tensor, and the part of it that is in the buffer: bytes [begin, begin + size) of the tensor. `begin` is a multiple
// of 64.
struct Part {
  uint32_t id;
  const fmt::Tensor* tensor;
  const uint8_t* bytes;
  uint64_t begin, size;
};

kinglet_status check_s8(const Part& part, Error& error) {
  if (!scanning_kernels().has_minus_128(reinterpret_cast<const int8_t*>(part.bytes), static_cast<size_t>(part.size))) {
    return KINGLET_OK;
  }
  const auto* at = static_cast<const uint8_t*>(std::memchr(part.bytes, kMinus128, part.size));
  return fail(error, KINGLET_BAD_MODEL, "tensor %u (%.160s): byte %" PRIu64 " is -128; expected -127 to 127", part.id,
              part.tensor->name()->c_str(), part.begin + static_cast<uint64_t>(at - part.bytes));
}

kinglet_status check_f32(const Part& part, Error& error) {
  const auto* values = reinterpret_cast<const float*>(part.bytes);
  const kernels::Kernels& kernels = scanning_kernels();
  if (kernels.all_finite(values, static_cast<size_t>(part.size / 4))) {
    return KINGLET_OK;
  }
  size_t i = 0;
  while (kernels.all_finite(values + i, 1)) {
    ++i;
  }
  return fail(error, KINGLET_BAD_MODEL, "tensor %u (%.160s): element %" PRIu64 " is infinite or not a number", part.id,
              part.tensor->name()->c_str(), part.begin / 4 + i);
}

// The padding of [ceil(n/16)][ceil(k/8)][16][8]. A group is the 8 bytes of one row and eight columns; parts begin and
// end at whole groups.
class TilePadding {
 public:
  TilePadding(const Part& part) : part_(part) {
    const auto& shape = *part.tensor->shape();
    rows_ = shape[0] % 16;
    columns_ = shape[1] % 8;
    groups_ = (uint64_t{shape[1]} + 7) / 8;
    last_block_ = (uint64_t{shape[0]} - 1) / 16;
  }

  kinglet_status check(Error& error) const {
    const uint64_t first = part_.begin / 8;
    const uint64_t end = first + part_.size / 8;
    // The rows from n on: in the last block of 16.
    if (rows_ != 0) {
      for (uint64_t group = std::max(first, last_block_ * groups_ * 16); group < end; ++group) {
        if (group % 16 >= rows_) {
          KINGLET_TRY(expect_zero(group, 0, error));
        }
      }
    }
    // The columns from k on: in the last tile of every block.
    if (columns_ != 0) {
      for (uint64_t block = first / (groups_ * 16); block * groups_ * 16 < end; ++block) {
        const uint64_t tile = ((block + 1) * groups_ - 1) * 16;
        for (uint64_t group = std::max(first, tile); group < std::min(end, tile + 16); ++group) {
          KINGLET_TRY(expect_zero(group, columns_, error));
        }
      }
    }
    return KINGLET_OK;
  }

 private:
  kinglet_status expect_zero(uint64_t group, uint64_t from, Error& error) const {
    const uint64_t at = group * 8 + from - part_.begin;
    if (is_zero(part_.bytes + at, 8 - from)) {
      return KINGLET_OK;
    }
    return fail(error, KINGLET_BAD_MODEL, "tensor %u (%.160s): the padding at byte %" PRIu64 " is not 0", part_.id,
                part_.tensor->name()->c_str(), part_.begin + at);
  }

  const Part& part_;
  uint64_t rows_, columns_, groups_, last_block_;
};

kinglet_status check_part(const Part& part, Error& error) {
  switch (part.tensor->dtype()) {
    case DType::s8:
      KINGLET_TRY(check_s8(part, error));
      return part.tensor->layout() == Layout::tile16x8 ? TilePadding(part).check(error) : KINGLET_OK;
    case DType::f32:
      return check_f32(part, error);
    case DType::s32:
      return KINGLET_OK;
  }
  return KINGLET_OK;
}

uint64_t bytes_of(const fmt::Tensor& tensor) {
  uint64_t bytes = 0;
  tensor_bytes(tensor, &bytes);
  return bytes;
}

// Walks the tensors along with the pieces.
class TensorWalk {
 public:
  TensorWalk(const fmt::Model& model, const Buffer<uint32_t>& by_offset) : model_(model), by_offset_(by_offset) {}

  // The next piece: `size` bytes from `begin` of the weights section.
  kinglet_status check(const uint8_t* piece, uint64_t begin, uint64_t size, Error& error) {
    for (; next_ < by_offset_.size(); ++next_) {
      const uint32_t id = by_offset_[next_];
      const fmt::Tensor& tensor = *model_.tensors()->Get(id);
      const uint64_t tensor_end = tensor.offset() + bytes_of(tensor);
      const uint64_t from = std::max(begin, tensor.offset());
      const uint64_t to = std::min(begin + size, tensor_end);
      if (from < to) {
        KINGLET_TRY(check_part({id, &tensor, piece + (from - begin), from - tensor.offset(), to - from}, error));
      }
      if (tensor_end > begin + size) {
        break;  // the rest of it, or all, is in later pieces
      }
    }
    return KINGLET_OK;
  }

 private:
  const fmt::Model& model_;
  const Buffer<uint32_t>& by_offset_;
  size_t next_ = 0;
};

// Vectors of s8 matrices are padded to 16; what lies beyond n must be 0.
kinglet_status check_vector_padding(const File& file, uint64_t weights_offset, const fmt::Model& model, int64_t id,
                                    uint64_t n, Error& error) {
  if (id < 0 || n % 16 == 0) {
    return KINGLET_OK;
  }
  uint8_t padding[15 * 4];
  const size_t size = 4 * (16 - n % 16);
  const fmt::Tensor& tensor = *model.tensors()->Get(static_cast<uint32_t>(id));
  KINGLET_TRY(file.read(weights_offset + tensor.offset() + 4 * n, padding, size, error));
  if (!is_zero(padding, size)) {
    return fail(error, KINGLET_BAD_MODEL, "tensor %d (%.160s): the padding from element %" PRIu64 " on is not 0",
                static_cast<int>(id), tensor.name()->c_str(), n);
  }
  return KINGLET_OK;
}

}  // namespace

kinglet_status check_weights(const File& file, uint64_t weights_offset, uint64_t weights_size,
                             const fmt::Model& model, const Buffer<uint32_t>& by_offset, bool compare_checksums,
                             Error& error) {
  Buffer<uint8_t> piece;
  if (!piece.allocate(static_cast<size_t>(std::min(kPiece, weights_size)))) {
    return fail(error, KINGLET_OUT_OF_MEMORY, "no memory to check the weights");
  }
  TensorWalk walk(model, by_offset);
  for (uint64_t block = 0; block * format::kChecksumBlock < weights_size; ++block) {
    const uint64_t begin = block * format::kChecksumBlock;
    const uint64_t end = std::min(begin + format::kChecksumBlock, weights_size);
    format::Checksum sum;
    // A bad value is reported only when the block is not damaged: then it is what the file's author wrote.
    Error bad_value;
    for (uint64_t at = begin; at < end; at += kPiece) {
      const uint64_t size = std::min(kPiece, end - at);
      KINGLET_TRY(file.read(weights_offset + at, piece.data(), static_cast<size_t>(size), error));
      sum.add(piece.data(), static_cast<size_t>(size));
      if (bad_value.status == KINGLET_OK) {
        walk.check(piece.data(), at, size, bad_value);
      }
    }
    uint64_t expected = 0;
    std::memcpy(&expected, model.block_checksums()->Data() + 8 * block, sizeof(expected));
    if (compare_checksums && sum.finish() != expected) {
      return fail(error, KINGLET_BAD_MODEL,
                  "the file is damaged between bytes %" PRIu64 " and %" PRIu64
                  ": the checksum of weights block %" PRIu64 " is %016" PRIx64 "; expected %016" PRIx64,
                  weights_offset + begin, weights_offset + end, block, sum.finish(), expected);
    }
    if (bad_value.status != KINGLET_OK) {
      error = bad_value;
      return error.status;
    }
  }
  for (const fmt::Matrix* matrix : *model.matrices()) {
    const fmt::Tensor& weight = *model.tensors()->Get(matrix->weight());
    if (weight.dtype() == DType::s8) {
      const uint32_t n = weight.shape()->Get(0);
      for (const int32_t id : {matrix->scale(), matrix->column_sum(), matrix->bias()}) {
        KINGLET_TRY(check_vector_padding(file, weights_offset, model, id, n, error));
      }
    }
  }
  return KINGLET_OK;
}

}  // namespace kinglet
