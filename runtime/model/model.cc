// Opening a model: each check relies on those before it.
#include "model/model.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "format/checksum.h"
#include "format/header.h"
#include "model/validate.h"
#include "model/weights.h"

namespace kinglet {
namespace {

using format::FileHeader;

// A FlatBuffer of this schema is much smaller; the largest part is the vocabulary.
constexpr uint64_t kMaxTableSize = 1 << 28;
constexpr uint32_t kMaxTableDepth = 16;
constexpr uint32_t kMaxTableCount = 1 << 20;

kinglet_status check_sum(const char* what, uint64_t actual, uint64_t expected, Error& error) {
  if (actual != expected) {
    return fail(error, KINGLET_BAD_MODEL,
                "the file is damaged: the checksum of %s is %016" PRIx64 "; expected %016" PRIx64, what, actual,
                expected);
  }
  return KINGLET_OK;
}

kinglet_status check_identity(const FileHeader& header, bool compare_checksums, Error& error) {
  if (std::memcmp(header.magic, format::kMagic, sizeof(header.magic)) != 0) {
    return fail(error, KINGLET_BAD_MODEL, "is not a .kgl file: its first bytes are not those of one");
  }
  if (compare_checksums) {
    KINGLET_TRY(check_sum("the header", format::checksum(&header, offsetof(FileHeader, header_checksum)),
                          header.header_checksum, error));
  }
  if (header.version > format::kVersion) {
    return fail(error, KINGLET_UNSUPPORTED, "has format version %" PRIu32 "; this version of kinglet reads up to %"
                PRIu32, header.version, format::kVersion);
  }
  if (header.version == 0) {
    return fail(error, KINGLET_BAD_MODEL, "has format version 0; expected 1 to %" PRIu32, format::kVersion);
  }
  if (header.reserved != 0) {
    return fail(error, KINGLET_BAD_MODEL, "header: reserved is %" PRIu32 "; expected 0", header.reserved);
  }
  return KINGLET_OK;
}

kinglet_status check_sizes(const FileHeader& header, uint64_t file_size, Error& error) {
  if (header.table_size < 8 || header.table_size > kMaxTableSize) {
    return fail(error, KINGLET_BAD_MODEL, "header: table_size is %" PRIu64 "; expected 8 to %" PRIu64,
                header.table_size, kMaxTableSize);
  }
  const uint64_t table_end = sizeof(FileHeader) + header.table_size;
  const uint64_t weights_offset = (table_end + format::kPartAlignment - 1) / format::kPartAlignment *
                                  format::kPartAlignment;
  if (header.weights_offset != weights_offset) {
    return fail(error, KINGLET_BAD_MODEL, "header: weights_offset is %" PRIu64 "; expected %" PRIu64
                " after a table of %" PRIu64 " bytes", header.weights_offset, weights_offset, header.table_size);
  }
  uint64_t end = 0;
  if (__builtin_add_overflow(header.weights_offset, header.weights_size, &end)) {
    return fail(error, KINGLET_BAD_MODEL, "header: weights_size is %" PRIu64 ", which no file can hold",
                header.weights_size);
  }
  if (file_size != end) {
    return fail(error, KINGLET_BAD_MODEL, "has %" PRIu64 " bytes; expected %" PRIu64 " by its header: %s", file_size,
                end, file_size < end ? "the file is cut off" : "something follows the model");
  }
  return KINGLET_OK;
}

kinglet_status check_block_count(const fmt::Model& table, uint64_t weights_size, Error& error) {
  const uint64_t blocks = weights_size / format::kChecksumBlock + (weights_size % format::kChecksumBlock != 0 ? 1 : 0);
  if (table.block_checksums()->size() != blocks) {
    return fail(error, KINGLET_BAD_MODEL, "there are %" PRIu32 " block_checksums; expected %" PRIu64 " for %" PRIu64
                " bytes of weights", table.block_checksums()->size(), blocks, weights_size);
  }
  return KINGLET_OK;
}

}  // namespace

kinglet_status Model::load(bool compare_checksums, Error& error) {
  FileHeader header;
  if (file_.size() < sizeof(header)) {
    return fail(error, KINGLET_BAD_MODEL, "has %" PRIu64 " bytes; a .kgl file begins with a header of %zu",
                file_.size(), sizeof(header));
  }
  KINGLET_TRY(file_.read(0, &header, sizeof(header), error));
  KINGLET_TRY(check_identity(header, compare_checksums, error));
  KINGLET_TRY(check_sizes(header, file_.size(), error));
  weights_offset_ = header.weights_offset;

  // The table and the zeros between it and the weights.
  const auto table_size = static_cast<size_t>(header.table_size);
  const auto area = static_cast<size_t>(header.weights_offset - sizeof(header));
  if (!table_bytes_.allocate(area)) {
    return fail(error, KINGLET_OUT_OF_MEMORY, "no memory for a table of %zu bytes", area);
  }
  KINGLET_TRY(file_.read(sizeof(header), table_bytes_.data(), area, error));
  if (compare_checksums) {
    KINGLET_TRY(check_sum("the table", format::checksum(table_bytes_.data(), table_size), header.table_checksum,
                          error));
  }
  for (size_t i = table_size; i < area; ++i) {
    if (table_bytes_[i] != 0) {
      return fail(error, KINGLET_BAD_MODEL, "byte %zu, between table and weights, is %u; expected 0",
                  i + sizeof(header), table_bytes_[i]);
    }
  }
  if (!fmt::ModelBufferHasIdentifier(table_bytes_.data())) {
    return fail(error, KINGLET_BAD_MODEL, "the table has no identifier \"%s\"", fmt::ModelIdentifier());
  }
  flatbuffers::Verifier verifier(table_bytes_.data(), table_size, kMaxTableDepth, kMaxTableCount);
  if (!fmt::VerifyModelBuffer(verifier)) {
    return fail(error, KINGLET_BAD_MODEL, "the table is not a valid FlatBuffer of this format: the program that wrote "
                "it is broken, or not a kinglet converter");
  }
  table_ = fmt::GetModel(table_bytes_.data());

  KINGLET_TRY(check_block_count(*table_, header.weights_size, error));
  const auto& sums = *table_->block_checksums();
  if (compare_checksums) {
    KINGLET_TRY(check_sum("the block_checksums", format::checksum(sums.Data(), 8 * size_t{sums.size()}),
                          header.weights_checksum, error));
  }
  Buffer<uint32_t> by_offset;
  KINGLET_TRY(validate(*table_, header.weights_size, by_offset, error));
  KINGLET_TRY(check_weights(file_, weights_offset_, header.weights_size, *table_, by_offset, compare_checksums,
                            error));
  if (has_tokenizer()) {
    KINGLET_TRY(Tokenizer::open(*table_->tokenizer(), table_->vocabulary(), table_->type_count(), &tokenizer_, error));
  }
  return KINGLET_OK;
}

kinglet_status Model::finish(kinglet_status opened, const char* source, Error& error) {
  const kinglet_status status = opened == KINGLET_OK ? load(true, error) : opened;
  if (status != KINGLET_OK) {
    *this = Model();
    const Error cause = error;
    fail(error, status, "%s: %s", source, cause.message);
  }
  return status;
}

kinglet_status Model::open_path(const char* path, Error& error) {
  *this = Model();
  const kinglet_status opened = file_.open_path(path, error);
  // The end of a long path says more than its beginning.
  constexpr size_t kShown = 200;
  char source[kShown + 4] = "";
  if (path != nullptr) {
    const size_t length = std::strlen(path);
    const char* end = path + (length > kShown ? length - kShown : 0);
    while ((*end & 0xc0) == 0x80) {
      ++end;  // not from the middle of a character
    }
    std::snprintf(source, sizeof(source), "%s%s", length > kShown ? "…" : "", end);
  }
  return finish(opened, source, error);
}

kinglet_status Model::open_fd(int fd, uint64_t offset, uint64_t length, Error& error) {
  *this = Model();
  char source[80];
  std::snprintf(source, sizeof(source), "descriptor %d at byte %" PRIu64, fd, offset);
  return finish(file_.open_fd(fd, offset, length, error), source, error);
}

kinglet_status Model::open_memory(const void* data, size_t size, Error& error) {
  *this = Model();
  char source[80];
  std::snprintf(source, sizeof(source), "model in memory (%zu bytes)", size);
  return finish(file_.open_memory(data, size, error), source, error);
}

const void* Model::tensor(uint32_t id) const {
  return file_.data() + weights_offset_ + table_->tensors()->Get(id)->offset();
}

kinglet_status Model::read_tensor(uint32_t id, uint64_t offset, void* out, size_t size, Error& error) const {
  const fmt::Tensor& tensor = *table_->tensors()->Get(id);
  uint64_t bytes = 0;
  tensor_bytes(tensor, &bytes);
  if (offset > bytes || size > bytes - offset) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "%zu bytes at byte %" PRIu64 " of tensor %u; it has %" PRIu64, size,
                offset, id, bytes);
  }
  return file_.read(weights_offset_ + tensor.offset() + offset, out, size, error);
}

}  // namespace kinglet
