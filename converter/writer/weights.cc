// The weights section.
#include "writer/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/text.h"
#include "format/checksum.h"
#include "format/header.h"
#include "passes/rounding.h"

namespace kinglet::convert {

namespace {

constexpr uint64_t kTileRows = 16;
constexpr uint64_t kReadBytes = 1 << 20;  // of floats, at once

// Collects bytes into checksum blocks and writes each when it is full.
class BlockWriter {
 public:
  BlockWriter(uint64_t offset, uint64_t total, OutputFile& file, const std::function<void(double)>& progress)
      : offset_(offset), total_(total), file_(file), progress_(progress) {
    buffer_.reserve(format::kChecksumBlock);
  }

  void append(const void* data, size_t size) {
    const auto* next = static_cast<const uint8_t*>(data);
    while (size > 0) {
      const size_t now = std::min<size_t>(size, format::kChecksumBlock - buffer_.size());
      buffer_.insert(buffer_.end(), next, next + now);
      next += now;
      size -= now;
      if (buffer_.size() == format::kChecksumBlock) {
        flush();
      }
    }
  }

  // Fills up with zeros to `place` of the section.
  void align(uint64_t place) {
    const std::vector<uint8_t> zeros(place - (written_ + buffer_.size()));
    append(zeros.data(), zeros.size());
  }

  std::vector<uint64_t> finish() {
    if (!buffer_.empty()) {
      flush();
    }
    return std::move(checksums_);
  }

 private:
  void flush() {
    checksums_.push_back(format::checksum(buffer_.data(), buffer_.size()));
    file_.write(offset_ + written_, buffer_.data(), buffer_.size());
    written_ += buffer_.size();
    buffer_.clear();
    progress_(static_cast<double>(written_) / static_cast<double>(total_));
  }

  uint64_t offset_, total_;
  OutputFile& file_;
  const std::function<void(double)>& progress_;
  uint64_t written_ = 0;
  std::vector<uint8_t> buffer_;
  std::vector<uint64_t> checksums_;
};

// What rounding gave besides the numbers, one entry per row.
struct RowFacts {
  std::vector<float> scales;
  std::vector<int32_t> sums;
};

class SectionWriter {
 public:
  SectionWriter(const ModelIR& model, BlockWriter& out) : model_(model), out_(out) {}

  void write(const Block& block) {
    out_.align(block.offset);
    const Tensor& tensor = model_.tensors[block.tensor];
    switch (block.content) {
      case Content::values:
        return write_values(tensor, block);
      case Content::rounded:
        return write_rounded(tensor, block);
      case Content::scales:
        return write_padded(facts_.at(block.tensor).scales, block.shape[0]);
      case Content::column_sums:
        return write_padded(facts_.at(block.tensor).sums, block.shape[0]);
    }
  }

 private:
  // Calls `use` with the tensor's floats, a multiple of 16 rows at a time (the last time: what is left).
  template <typename Use>
  void for_rows(const Tensor& tensor, Use use) {
    const uint64_t columns = tensor.columns();
    const uint64_t step = std::max<uint64_t>(kReadBytes / 4 / columns / kTileRows, 1) * kTileRows;
    floats_.resize(std::min(step, tensor.rows()) * columns);
    for (uint64_t row = 0; row < tensor.rows(); row += step) {
      const uint64_t count = std::min(step, tensor.rows() - row);
      tensor.source->read(row, count, floats_.data());
      check_finite(tensor, count * columns);
      use(floats_.data(), count);
    }
  }

  // Sources of stored numbers check them as they read; a pass may have overflowed since.
  void check_finite(const Tensor& tensor, uint64_t count) {
    if (!std::all_of(floats_.begin(), floats_.begin() + static_cast<std::ptrdiff_t>(count),
                     [](float value) { return std::isfinite(value); })) {
      refuse("the tensor ", quote(tensor.name), " has numbers that are not finite after the conversion's passes");
    }
  }

  void write_values(const Tensor& tensor, const Block& block) {
    uint64_t written = 0;
    for_rows(tensor, [&](const float* rows, uint64_t count) {
      out_.append(rows, count * tensor.columns() * sizeof(float));
      written += count * tensor.columns() * sizeof(float);
    });
    const std::vector<uint8_t> zeros(block.bytes - written);
    out_.append(zeros.data(), zeros.size());
  }

  void write_rounded(const Tensor& tensor, const Block& block) {
    const uint64_t columns = tensor.columns();
    RowFacts& facts = facts_[block.tensor];
    std::vector<int8_t> rounded(kTileRows * columns);
    std::vector<int8_t> tile((columns + 7) / 8 * 128);
    for_rows(tensor, [&](const float* rows, uint64_t count) {
      for (uint64_t first = 0; first < count; first += kTileRows) {
        const uint64_t height = std::min(kTileRows, count - first);
        for (uint64_t row = 0; row < height; ++row) {
          int32_t sum = 0;
          const float* values = rows + (first + row) * columns;
          int8_t* out = &rounded[row * columns];
          facts.scales.push_back(tensor.row_scales == nullptr
                                     ? round_row(values, columns, out, &sum)
                                     : round_row_by((*tensor.row_scales)[facts.scales.size()], values, columns, out,
                                                    &sum));
          facts.sums.push_back(sum);
        }
        if (block.layout == fmt::Layout::tile16x8) {
          pack_tile(rounded.data(), height, columns, columns, tile.data());
          out_.append(tile.data(), tile.size());
        } else {
          out_.append(rounded.data(), height * columns);
        }
      }
    });
  }

  template <typename T>
  void write_padded(std::vector<T> values, uint64_t length) {
    values.resize(length);
    out_.append(values.data(), values.size() * sizeof(T));
  }

  const ModelIR& model_;
  BlockWriter& out_;
  std::vector<float> floats_;
  std::map<uint32_t, RowFacts> facts_;  // by tensor
};

}  // namespace

std::vector<uint64_t> write_weights(const ModelIR& model, const Layout& layout, uint64_t offset, OutputFile& file,
                                    const std::function<void(double)>& progress) {
  BlockWriter out(offset, layout.bytes, file, progress);
  SectionWriter section(model, out);
  for (const Block& block : layout.blocks) {
    section.write(block);
  }
  out.align(layout.bytes);
  return out.finish();
}

}  // namespace kinglet::convert
